"""The peer that does nothing: aiokafka's consumer, its defaults, counting what it is given.

``python -m bench.raw_aiokafka SERVERS TOPIC COUNT GROUP`` prints how far it has come, at what cost.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from aiokafka import AIOKafkaConsumer

from bench.progress import Progress

LOOK_EVERY: Final = 20_000


async def count(servers: str, topic: str, *, wanted: int, group: str) -> None:
    """Read *wanted* events from the beginning of *topic*."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=group,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    progress, seen, shown = Progress(), 0, 0
    async with consumer:
        while seen < wanted:
            batches = await consumer.getmany(timeout_ms=1_000)
            seen += sum(map(len, batches.values()))
            if seen - shown >= LOOK_EVERY:
                progress.show(seen)
                shown = seen
        progress.show(seen)


if __name__ == "__main__":
    servers, topic, wanted, group = sys.argv[1:]
    asyncio.run(count(servers, topic, wanted=int(wanted), group=group))
