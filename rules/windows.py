"""Windows cut into panes, so that a rate never needs the events themselves.

    now - w                                                now
    |----|----|----|----|  ...  |----|----|----|----|----|--|
     pane                                          newest pane

A scope keeps three rings of panes: seconds for 15 minutes, minutes for a day, hours for a week.
A window uses the finest ring that reaches far enough. Adding touches one pane of each ring;
reading a window is one look-up, since running totals follow every window that a rule uses.

A window at T holds the panes ``i`` with ``i > T // r - ceil(w / r)``, ``r`` being the ring's
resolution. It has no upper bound: an event slightly ahead of the clock counts at once.

Nothing here reads a clock: the caller passes T, in ms since 1970 UTC.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.tallies import PANE, WIDTH

Increments = Sequence[tuple[int, int]]
"""Sparse counts: ``(column, number)`` pairs."""


@dataclass(frozen=True, slots=True)
class Ring:
    """One resolution: ``reach`` is how far back (ms) its panes are kept."""

    resolution: int
    reach: int

    def edge(self, at: int, window: int) -> int:
        """Return the index of the oldest pane inside *window* at *at*."""
        return at // self.resolution + window // -self.resolution + 1


RINGS: Final = (
    Ring(1_000, 15 * 60_000),
    Ring(60_000, 24 * 3_600_000),
    Ring(3_600_000, 7 * 24 * 3_600_000),
)
"""Finest first: a window is at least 60 panes long, save from 15 to 60 minutes and 1 to 2.5 d."""


def ring_of(window: int) -> int:
    """Return the position in `RINGS` of the finest ring that holds *window* (ms).

    >>> [ring_of(w) for w in (5_000, 900_000, 900_001, 604_800_000)]
    [0, 0, 1, 2]
    """
    for position, ring in enumerate(RINGS):
        if window <= ring.reach:
            return position
    raise ValueError(f"a window of {window} ms is longer than {RINGS[-1].reach}")


def bounds(window: int, at: int) -> tuple[int, int]:
    """Return the moments (ms) that *window* at *at* reports as its start and end."""
    ring = RINGS[ring_of(window)]
    return ring.edge(at, window) * ring.resolution, at


_NOTHING: Final = (0,) * WIDTH


def zero() -> array[int]:
    """Return a row of counts, all 0."""
    return array("q", bytes(8 * WIDTH))


class Total:
    """The running total of one window: what is inside now, and where its far edge stands."""

    __slots__ = ("counts", "edge", "oldest", "ring", "window")

    def __init__(self, window: int, at: int) -> None:
        self.window = window
        self.ring = ring_of(window)
        self.edge = RINGS[self.ring].edge(at, window)
        self.counts: array[int] = zero()
        self.oldest: int | None = None

    def add(self, pane: int, increments: Increments) -> None:
        """Count *increments* of *pane* (an index of this total's ring) if it is inside."""
        if pane < self.edge:
            return
        counts = self.counts
        for column, number in increments:
            counts[column] += number
        if self.oldest is None or pane < self.oldest:
            self.oldest = pane

    def slide(self, at: int, panes: Mapping[int, array[int]]) -> None:
        """Move the far edge to *at* and take out the panes that it has passed."""
        edge = RINGS[self.ring].edge(at, self.window)
        if edge <= self.edge:
            return
        self.edge = edge
        if self.oldest is None or self.oldest >= edge:
            return
        for pane in _between(panes, self.oldest, edge):
            row = panes[pane]
            for column in range(WIDTH):
                self.counts[column] -= row[column]
        self.oldest = _first(panes, edge)

    def moves_at(self) -> int | None:
        """Return when (ms) the oldest pane leaves, or None while the window is empty."""
        if self.oldest is None:
            return None
        ring = RINGS[self.ring]
        return (self.oldest + -(self.window // -ring.resolution)) * ring.resolution


class Panes:
    """All panes of one scope, and the totals of the windows in use."""

    __slots__ = ("changed", "pruned", "rings", "totals")

    def __init__(self) -> None:
        self.rings: tuple[dict[int, array[int]], ...] = tuple({} for _ in RINGS)
        self.totals: dict[int, Total] = {}
        self.changed: set[tuple[int, int]] = set()
        self.pruned = 0

    def track(self, windows: Iterable[int], at: int) -> None:
        """Follow exactly *windows* from now on; the contents come from the panes at once."""
        wanted = set(windows)
        for window in self.totals.keys() - wanted:
            del self.totals[window]
        for window in sorted(wanted - self.totals.keys()):
            total = Total(window, at)
            for pane, row in self.rings[total.ring].items():
                total.add(pane, _sparse(row))
            self.totals[window] = total

    def add(self, second: int, increments: Increments) -> None:
        """Add *increments* that happened in *second* (event time // 1 s)."""
        moment = second * PANE
        for position, ring in enumerate(RINGS):
            pane = moment // ring.resolution
            row = self.rings[position].get(pane)
            if row is None:
                row = self.rings[position][pane] = array("I", _NOTHING)
            for column, number in increments:
                row[column] += number
            self.changed.add((position, pane))
        for total in self.totals.values():
            total.add(moment // RINGS[total.ring].resolution, increments)

    def put(self, ring: int, rows: Iterable[tuple[int, Increments]]) -> None:
        """Set panes to what was stored of them; windows are to be tracked afterwards."""
        for pane, increments in rows:
            row = self.rings[ring][pane] = array("I", _NOTHING)
            for column, number in increments:
                row[column] = number

    def stored(self, *, full: bool) -> list[list[tuple[int, list[tuple[int, int]]]]]:
        """Return, per ring, the panes that changed since the last call, or all of them."""
        changed, self.changed = self.changed, set()
        return [
            [(pane, _sparse(panes[pane])) for pane in sorted(which) if pane in panes]
            for panes, which in (
                (panes, panes if full else [pane for ring, pane in changed if ring == position])
                for position, panes in enumerate(self.rings)
            )
        ]

    def slide(self, at: int) -> None:
        """Let every window move to *at*, and forget panes that no window can reach."""
        for total in self.totals.values():
            total.slide(at, self.rings[total.ring])
        minute = RINGS[1].resolution  # `expires_at` begins one: a scope that ends is looked at then
        if at // minute > self.pruned // minute:
            self.prune(at)

    def prune(self, at: int) -> None:
        """Forget the panes that have left even the longest window of their ring."""
        self.pruned = at
        for ring, panes in zip(RINGS, self.rings, strict=True):
            edge = ring.edge(at, ring.reach)
            for pane in [pane for pane in panes if pane < edge]:
                del panes[pane]

    def counts(self, window: int) -> array[int]:
        """Return what is inside *window*; the caller must not change it."""
        return self.totals[window].counts

    def counts_since(self, window: int, baseline: Baseline) -> array[int]:
        """Return what is inside *window* and was added after *baseline* was taken."""
        total = self.totals[window]
        if not baseline.cuts(total.ring, total.edge):
            return total.counts
        mark = baseline.marks[total.ring]
        edge = max(total.edge, mark.pane)
        counts = zero()
        for pane, row in self.rings[total.ring].items():
            if pane >= edge:
                for column in range(WIDTH):
                    counts[column] += row[column]
        for pane, increments in mark.held:
            if pane >= edge:
                for column, number in increments:
                    counts[column] -= number
        return counts

    def baseline(self, at: int) -> Baseline:
        """Return a mark such that `counts_since` it sees only what is added from now on."""
        marks = []
        for ring, panes in zip(RINGS, self.rings, strict=True):
            pane = at // ring.resolution
            later = [index for index in panes if index >= pane]
            held = tuple((index, tuple(_sparse(panes[index]))) for index in sorted(later))
            marks.append(Mark(pane, held))
        return Baseline(at, tuple(marks))

    def moves_at(self) -> int | None:
        """Return when (ms) some window next changes by time alone, or None if all are empty."""
        moments = [moment for total in self.totals.values() if (moment := total.moves_at())]
        return min(moments, default=None)

    def expires_at(self) -> int | None:
        """Return when (ms) the last pane of the longest ring is forgotten, or None without one."""
        ring, panes = RINGS[-1], self.rings[-1]
        if not panes:
            return None
        return (max(panes) + ring.reach // ring.resolution) * ring.resolution

    def is_empty(self) -> bool:
        """Return whether no pane is left in any ring."""
        return not any(self.rings)


@dataclass(frozen=True, slots=True)
class Mark:
    """A baseline in one ring: panes before ``pane`` no longer count, of later ones not ``held``."""

    pane: int
    held: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Baseline:
    """What there was when people resolved a breaker: that no longer counts against it.

    One mark per ring, so that the rule's window may change later.
    """

    at: int
    marks: tuple[Mark, ...]

    def cuts(self, ring: int, edge: int) -> bool:
        """Return whether a window whose oldest pane is *edge* still holds what must not count."""
        mark = self.marks[ring]
        return mark.pane > edge or any(pane >= edge for pane, _ in mark.held)


def _sparse(row: array[int]) -> list[tuple[int, int]]:
    """Return a row of counts without its zeros."""
    return [(column, number) for column, number in enumerate(row) if number]


def _between(panes: Mapping[int, array[int]], start: int, stop: int) -> list[int]:
    """Return the indexes in ``[start, stop)`` that exist, by the shorter of two ways."""
    if stop - start <= len(panes):
        return [pane for pane in range(start, stop) if pane in panes]
    return [pane for pane in panes if start <= pane < stop]


def _first(panes: Mapping[int, array[int]], edge: int) -> int | None:
    """Return the smallest index from *edge* on, or None."""
    for pane in range(edge, edge + 4):  # a busy scope answers here
        if pane in panes:
            return pane
    return min((pane for pane in panes if pane >= edge), default=None)
