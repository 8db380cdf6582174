"""Ticks: empty records that keep a quiet partition's clock going, so that T can pass it.

They are in the log, so a replay sees the same clock. Only who owns a partition ticks it, and
only when it has read it to its end; two owners ticking for a moment does no harm.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

BUSY: Final = 0.1
"""Seconds of quiet after which a partition is ticked while anything at all goes on."""

IDLE: Final = 0.6
"""The same while nothing does: shorter than what `streams.hearing` covers ahead."""

IDLE_AFTER: Final = 5.0
"""Seconds without any event anywhere until the system counts as idle."""


@dataclass(slots=True)
class _Seen:
    pos: int
    moved_at: float


class Ticker:
    """Decides which of the owned partitions to tick now."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}
        self._events: object = None
        self._busy_at = time.monotonic()

    def due(self, positions: Iterable[tuple[int, int, int | None]], events: object) -> list[int]:
        """Return the partitions to tick.

        *positions* holds ``(partition, next offset, end of the log as far as known)``; *events*
        is anything that changes whenever an event was counted anywhere.
        """
        now = time.monotonic()
        if events != self._events:
            self._events, self._busy_at = events, now
        quiet = BUSY if now - self._busy_at < IDLE_AFTER else IDLE
        return [
            partition
            for partition, pos, end in positions
            if self._is_quiet(partition, pos, now, quiet) and (end is None or end <= pos)
        ]

    def _is_quiet(self, partition: int, pos: int, now: float, quiet: float) -> bool:
        """Return whether nothing came for *quiet* seconds; answering yes starts them anew."""
        seen = self._seen.get(partition)
        if seen is None or seen.pos != pos:
            self._seen[partition] = _Seen(pos, now)
            return False
        if now - seen.moved_at < quiet:
            return False
        seen.moved_at = now
        return True
