"""The cuts of all source partitions, merged into the one order that the log fixes.

    partition 0  ──┤──┤──┤──┤──┤──►       frontier: the least of the last cuts
    partition 1  ──┤──┤──┤──►             whatever lies beyond it waits
    partition 2  ──┤──┤──┤──┤──►

Each cut is taken once, whoever sent it, and names the one before it, so that a hole is seen.

A source partition that was added to the topic joins where the log of ``tallies`` first names it.
Nothing else could be the same for every reader: when a worker notices is nowhere written.

    tallies  ──c0──c1──c0──[3]──c1──c0──c3──►    first named at [3]; the frontier was G there
                            └── from T = G + 100 ms partition 3 is one of those that are waited for,
                                and what it held before counts at that T

A message without cuts only names its source, and so all before it. Every worker sends one before
it counts anything: the first in the log says with how many partitions judging begins.
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
        self.joins: dict[int, int] = {}
        self._is_fresh = True
        self._received: dict[int, int] = {}
        self._waiting: dict[int, deque[tuple[Cut, int]]] = {}

    def restore(
        self, applied: Mapping[int, int], sources: int | None, joins: Mapping[int, int]
    ) -> None:
        """Begin anew after the last applied cut of each source partition.

        *sources* is how many had been named; records of before that was stored do not say.
        """
        self.applied, self._received, self._waiting = dict(applied), dict(applied), {}
        self.sources = sources or max(applied, default=self.sources - 1) + 1
        self.joins, self._is_fresh = dict(joins), False

    def take(self, cuts: Cuts, offset: int) -> None:
        """Queue the cuts of one message that are new; *offset* is that of the message.

        Raises:
            Hole: a cut between them and those before is missing.
        """
        source = cuts.partition
        if self._is_fresh and not cuts.cuts:
            self.sources = source + 1
        self._is_fresh = False
        self._admit(source)
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

    def _admit(self, source: int) -> None:
        """Let *source*, and all before it, be waited for from the next T on.

        Before the first T it is one of those that judging begins with.
        """
        if source < self.sources:
            return
        frontier = self.frontier
        if frontier is not None:
            reached = max([frontier, *(join - STEP for join in self.joins.values())])
            self.joins |= dict.fromkeys(range(self.sources, source + 1), reached + STEP)
        self.sources = source + 1

    def forget_joins(self, at: int) -> dict[int, int]:
        """Return those who joined and matter still when everything up to *at* is judged."""
        self.joins = {source: join for source, join in self.joins.items() if join > at}
        return dict(self.joins)

    @property
    def frontier(self) -> int | None:
        """Return the T up to which every source partition has published its cuts."""
        if not self.joins:
            return min(self._received.values()) if len(self._received) == self.sources else None
        reached = [self._reached(source) for source in range(self.sources)]
        return None if None in reached else min(moment for moment in reached if moment is not None)

    def _reached(self, source: int) -> int | None:
        """Return the T up to which nothing is missing of *source*: of a new one, until it joins."""
        received, join = self._received.get(source), self.joins.get(source)
        return received if join is None else max(received or 0, join - STEP)

    def _step(self, source: int, cut: Cut) -> int:
        """Return the T at which *cut* counts."""
        return max(cut.frm + STEP, self.joins.get(source, 0))

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
        heads = ((source, queue[0][0]) for source, queue in self._waiting.items() if queue)
        return min((self._step(source, cut) for source, cut in heads), default=None)

    def oldest_offset(self, pos: int) -> int:
        """Return the offset of the oldest message of which a cut waits, *pos* if none does."""
        return min((queue[0][1] for queue in self._waiting.values() if queue), default=pos)

    def ready(self, at: int) -> list[tuple[int, Cut]]:
        """Return the cuts whose rows came before *at*, with their sources, in order; once."""
        ready = []
        for source, queue in self._waiting.items():
            while queue and (step := self._step(source, queue[0][0])) <= at:
                cut = queue.popleft()[0]
                self.applied[source] = cut.upto
                ready.append((step, source, cut))
        # Those of one source stay in their order, also where several count at one T.
        return [(source, cut) for _, source, cut in sorted(ready, key=lambda item: item[:2])]
