"""Append events to a topic at a given rate: ``python -m bench.produce SERVERS TOPIC COUNT RATE``.

Batches are built here and handed over whole, in the size that aiokafka's producer uses by
default, so the topic looks as if many ordinary producers had written it.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from bench.load import PARTITIONS, Kind, Load

SLICE: Final = 0.01
"""Seconds of events that are sent at once: so at 1,000 a second they come one by one, nearly."""

WAITING: Final = 64
"""Batches under way, beyond which we wait for the broker."""


class Appender:
    """Collects events into one batch per partition, and sends those that are full."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._batches = [producer.create_batch() for _ in range(PARTITIONS)]
        self._sent: list[asyncio.Future[Any]] = []

    async def append(self, events: Iterable[tuple[Kind, bytes]]) -> None:
        """Add *events*; returns when they are on their way."""
        for kind, value in events:
            batch = self._batches[kind.partition]
            if batch.append(key=kind.key, value=value, timestamp=None) is None:
                await self._send(kind.partition)
                self._batches[kind.partition].append(key=kind.key, value=value, timestamp=None)

    async def flush(self) -> None:
        """Send what is left; returns when the broker has everything."""
        for partition, batch in enumerate(self._batches):
            if batch.record_count():
                await self._send(partition)
        await asyncio.gather(*self._sent)
        self._sent.clear()

    async def _send(self, partition: int) -> None:
        batch = self._batches[partition]
        self._batches[partition] = self._producer.create_batch()
        batch.close()
        self._sent.append(await self._producer.send_batch(batch, self._topic, partition=partition))
        if len(self._sent) > WAITING:
            await asyncio.gather(*self._sent)
            self._sent.clear()


async def produce(servers: str, topic: str, *, count: int, rate: float, shard: int) -> None:
    """Append *count* events, *rate* of them a second."""
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        appender, load = Appender(producer, topic), Load(shard)
        began, done = time.monotonic(), 0
        while done < count:
            size = min(max(int(rate * SLICE), 1), count - done)
            await appender.append(load.take(size, datetime.now(UTC)))
            await appender.flush()
            done += size
            await asyncio.sleep(max(began + done / rate - time.monotonic(), 0))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("servers")
    parser.add_argument("topic")
    parser.add_argument("count", type=int)
    parser.add_argument("rate", type=float)
    parser.add_argument("--shard", type=int, default=0)
    wanted = parser.parse_args()
    asyncio.run(
        produce(
            wanted.servers,
            wanted.topic,
            count=wanted.count,
            rate=wanted.rate,
            shard=wanted.shard,
        )
    )


if __name__ == "__main__":
    main()
