"""The peer that people would write first: an ordinary Faust agent that counts in a table.

``python -m bench.plain_faust SERVERS TOPIC COUNT GROUP`` prints how far it has come, at
what cost. Nothing is set but where Kafka is and that no web server is wanted.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import faust

from bench.progress import Progress

LOOK_EVERY: Final = 2_000


def main() -> None:
    """Count the events by command type, and end after the wanted number of them."""
    servers, topic, count, name = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    app: Any = faust.App(name, broker=f"kafka://{servers}", web_enabled=False, datadir=f"./{name}")
    events = app.topic(topic, value_serializer="json")
    table = app.Table("counts", default=int, partitions=8)
    progress = Progress()

    async def counted(stream: Any) -> None:
        """Add each event to the count of its command type."""
        seen = 0
        async for event in stream:
            table[event["commandType"]] += 1
            seen += 1
            if seen % LOOK_EVERY == 0:
                progress.show(seen)
            if seen == count:
                os._exit(0)

    app.agent(events)(counted)
    worker = faust.Worker(app, loglevel="warning", quiet=True, redirect_stdouts=False)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
