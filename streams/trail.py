"""Where in the log a moment lies: offsets of a source partition by append time.

A trip names the records that it stands on as offset ranges, so that people can read exactly
those. Each cut says which offset comes first after it; a mark is kept for each pane boundary
that a cut passes, as finely and as far back as windows look.
"""

from __future__ import annotations

from bisect import bisect_right

from rules.windows import RINGS
from schemas.tallies import Cut
from streams.deltas import Trail as StoredTrail


class Trail:
    """The offset index of one source partition."""

    __slots__ = ("_is_new", "_taken", "marks", "offset", "partition")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.offset = 0
        self.marks: list[list[tuple[int, int]]] = [[] for _ in RINGS]
        self._taken = [-1] * len(RINGS)
        self._is_new = True

    def pass_cut(self, cut: Cut) -> None:
        """Note the boundaries that lie in ``(cut.frm, cut.upto]``: one mark serves them all."""
        self.offset = cut.offset
        for ring, marks in zip(RINGS, self.marks, strict=True):
            boundary = cut.frm // ring.resolution + 1
            if boundary <= cut.upto // ring.resolution:
                marks.append((boundary, cut.offset))
                if len(marks) > 2 * ring.reach // ring.resolution:
                    self._forget(ring.edge(cut.upto, ring.reach) - 60, marks)

    @staticmethod
    def _forget(oldest: int, marks: list[tuple[int, int]]) -> None:
        """Drop the marks before *oldest*, but for the last of them, which still answers."""
        keep = bisect_right(marks, (oldest, 2**63))
        del marks[: max(keep - 1, 0)]

    def since(self, ring: int, moment: int) -> int:
        """Return an offset such that every record appended at *moment* or later is at or after it.

        0 when nothing is known that far back.
        """
        marks = self.marks[ring]
        found = bisect_right(marks, (moment // RINGS[ring].resolution, 2**63))
        return marks[found - 1][1] if found else 0

    def changes(self, *, full: bool) -> StoredTrail:
        """Return the marks that are new since the last call, or all."""
        full, self._is_new = full or self._is_new, False
        news = [
            marks if full else marks[bisect_right(marks, (taken, 2**63)) :]
            for marks, taken in zip(self.marks, self._taken, strict=True)
        ]
        self._taken = [marks[-1][0] if marks else -1 for marks in self.marks]
        return StoredTrail(self.partition, full, self.offset, [list(marks) for marks in news])

    def join(self, stored: StoredTrail) -> None:
        """Take over what a changelog record says."""
        self.offset, self._is_new = stored.offset, False
        for ring, news in enumerate(stored.marks):
            marks = [] if stored.full else self.marks[ring]
            last = marks[-1][0] if marks else -1
            marks.extend((boundary, offset) for boundary, offset in news if boundary > last)
            self.marks[ring] = marks
        self._taken = [marks[-1][0] if marks else -1 for marks in self.marks]
