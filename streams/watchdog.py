"""Sees that every partition gets on, since Kafka consumers are known to stall for good.

Ticks reach every partition at least once a second, so an owned partition whose position stands
for long is stuck, whatever the client thinks. The way out is to leave: the supervisor starts the
worker again, which is the path that every crash test takes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping


class Watchdog:
    """Remembers when each partition last moved."""

    def __init__(self, stall_seconds: float) -> None:
        self._stall = stall_seconds
        self._seen: dict[str, tuple[int, float]] = {}

    def stuck(self, positions: Mapping[str, int]) -> list[str]:
        """Return the partitions that have not moved for too long."""
        now = time.monotonic()
        self._seen = {name: seen for name, seen in self._seen.items() if name in positions}
        for name, pos in positions.items():
            if name not in self._seen or self._seen[name][0] != pos:
                self._seen[name] = (pos, now)
        return [name for name, (_, since) in self._seen.items() if now - since > self._stall]
