"""Minutes that are counted and not yet written, so that no reader misses or doubles them.

    ── written ──┤ batch 7: being written ├─ batch 8: filling ─►

Each batch has a number, and the database says which was written last, in the transaction that
wrote it. A reader sums the database first and then adds the batches behind that number.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.tallies import WIDTH, Counts, Cut

SECONDS = 60
"""Panes (of one second) in a minute."""

RETAINED = 3
"""Batches kept after they were written, for readers that summed the database just before."""


@dataclass(slots=True)
class Batch:
    """Increments by (minute since 1970, scope)."""

    number: int
    counts: dict[tuple[int, str], Counts] = field(default_factory=dict)


class Minutes:
    """The batches of this process; one thread adds, any thread reads."""

    def __init__(self, written: int = 0) -> None:
        self._lock = threading.Lock()
        self._batches = [Batch(written + 1)]

    @property
    def filling(self) -> Batch:
        """Return the batch that takes what is counted now."""
        return self._batches[-1]

    def add(self, cut: Cut, *, wants: Iterable[str] = ("*", "commandType=")) -> None:
        """Count what *cut* adds to overall and to each command type."""
        first, prefix = wants
        with self._lock:
            for row in cut.rows:
                if row.scope == first or row.scope.startswith(prefix):
                    self._add(row.scope, row.panes)

    def _add(self, scope: str, panes: list[tuple[int, list[tuple[int, int]]]]) -> None:
        """Count the panes of one row."""
        for pane, increments in panes:
            counts = self.filling.counts.setdefault((pane // SECONDS, scope), [0] * WIDTH)
            for column, number in increments:
                counts[column] += number

    def close_batch(self) -> Batch:
        """Begin a new batch and return the one to write."""
        with self._lock:
            done = self.filling
            self._batches = [*self._batches[-RETAINED:], Batch(done.number + 1)]
        return done

    def since(self, written: int, *, scope: str, first: int, last: int) -> Counts:
        """Return what the minutes ``[first, last)`` of *scope* hold behind batch *written*."""
        total = [0] * WIDTH
        with self._lock:
            for batch in self._batches:
                if batch.number > written:
                    _sum_into(total, batch, scope=scope, first=first, last=last)
        return total


def _sum_into(total: Counts, batch: Batch, *, scope: str, first: int, last: int) -> None:
    """Add the minutes ``[first, last)`` of *scope* in *batch* to *total*."""
    for (minute, of), counts in batch.counts.items():
        if of == scope and first <= minute < last:
            for column, number in enumerate(counts):
                total[column] += number
