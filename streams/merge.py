"""The cuts of all source partitions, merged into the one order that the log fixes.

    partition 0  ──┤──┤──┤──┤──┤──►       frontier: the least of the last cuts
    partition 1  ──┤──┤──┤──►             whatever lies beyond it waits
    partition 2  ──┤──┤──┤──┤──►

Each cut is taken once, whoever sent it, and names the one before it, so that a hole is seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from schemas.tallies import STEP, Cut, Cuts


class Hole(Exception):
    """A cut is missing from ``tallies``: what follows cannot be judged."""


class Merge:
    """What has been received of each source partition, and what of it has been applied."""

    def __init__(self, sources: int) -> None:
        self.sources = sources
        self.applied: dict[int, int] = {}
        self._received: dict[int, int] = {}
        self._waiting: dict[int, deque[tuple[Cut, int]]] = {}

    def restore(self, applied: Mapping[int, int]) -> None:
        """Begin anew after the last applied cut of each source partition."""
        self.applied, self._received, self._waiting = dict(applied), dict(applied), {}

    def take(self, cuts: Cuts, offset: int) -> None:
        """Queue the cuts of one message that are new; *offset* is that of the message.

        Raises:
            Hole: a cut between them and those before is missing.
        """
        source = cuts.partition
        waiting = self._waiting.setdefault(source, deque())
        for cut in cuts.cuts:
            received = self._received.get(source)
            if received is not None and cut.upto <= received:
                continue
            if received is not None and cut.frm != received:
                raise Hole(
                    f"source partition {source}: after cut {received} came one from {cut.frm}"
                )
            self._received[source] = cut.upto
            waiting.append((cut, offset))

    @property
    def frontier(self) -> int | None:
        """Return the T up to which every source partition has published its cuts."""
        if len(self._received) < self.sources:
            return None
        return min(self._received.values())

    @property
    def seen(self) -> int:
        """Return the latest moment (ms) of the log's clock that any cut told of."""
        return max(self._received.values(), default=0)

    @property
    def first(self) -> int:
        """Return the largest beginning of what waits: from there on, all is seen whole."""
        return max(queue[0][0].frm for queue in self._waiting.values() if queue)

    @property
    def next_step(self) -> int | None:
        """Return the T by which the oldest waiting rows came, or None if nothing waits."""
        steps = [queue[0][0].frm + STEP for queue in self._waiting.values() if queue]
        return min(steps, default=None)

    def oldest_offset(self, pos: int) -> int:
        """Return the offset of the oldest message of which a cut waits, *pos* if none does."""
        return min((queue[0][1] for queue in self._waiting.values() if queue), default=pos)

    def ready(self, at: int) -> list[tuple[int, Cut]]:
        """Return the cuts whose rows came before *at*, with their sources, in order; once."""
        ready = []
        for source, queue in self._waiting.items():
            while queue and queue[0][0].frm + STEP <= at:
                cut = queue.popleft()[0]
                self.applied[source] = cut.upto
                ready.append((source, cut))
        return sorted(ready, key=lambda item: (item[1].frm, item[0]))
