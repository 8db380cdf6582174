"""Windows against brute force: every event kept and counted afresh, whenever anybody asks."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rules.windows import RINGS, Baseline, Increments, Panes, bounds, ring_of
from schemas.durations import LONGEST_WINDOW, SHORTEST_WINDOW
from schemas.tallies import EARLINESS, LATENESS, PANE, WIDTH, Column

NOON: Final = 1_795_435_200_000
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
EDGES: Final = (
    SHORTEST_WINDOW, 15 * MINUTE, 15 * MINUTE + SECOND, DAY, DAY + SECOND, LONGEST_WINDOW,
)  # fmt: skip
WINDOWS: Final = st.sampled_from(EDGES) | st.integers(5, 900).map(lambda s: s * SECOND) | (
    st.integers(5, LONGEST_WINDOW // SECOND).map(lambda s: s * SECOND)
)  # fmt: skip
FAILED: Final = [(int(Column.FAILED), 1)]

SECONDS: Final = st.integers(-8, 2) | st.integers(-LATENESS // PANE, EARLINESS // PANE)
"""When an event may have happened, seen from the clock: often just now."""

Mark = tuple[Baseline, int]
"""A baseline, and how many events there were when it was taken."""


class Model:
    """All events ever, in the order in which they came."""

    def __init__(self) -> None:
        self.events: list[tuple[int, Increments]] = []

    def counts(self, window: int, at: int, *, first: int = 0, since: int = 0) -> list[int]:
        """Return what is inside at *at* of the events from *first* on, from moment *since* on."""
        size = next(r for r, reach in SIZES if window <= reach)
        row = [0] * WIDTH
        for second, increments in self.events[first:]:
            pane = second * PANE // size
            if pane > at // size - -(-window // size) and pane >= since // size:
                for column, number in increments:
                    row[column] += number
        return row


SIZES: Final = ((SECOND, 15 * MINUTE), (MINUTE, DAY), (HOUR, 7 * DAY))
"""The resolutions and how far each reaches, as the documents say."""


class Life(RuleBasedStateMachine):
    """A scope's panes through traffic, silence and changing rules."""

    @initialize(windows=st.sets(WINDOWS, max_size=4), at=st.integers(0, 10 * DAY // 100))
    def begin(self, windows: set[int], at: int) -> None:
        """Start at some moment with some windows."""
        self.panes, self.model, self.marks = Panes(), Model(), list[Mark]()
        self.at = NOON + at * 100
        self.panes.track(windows, self.at)

    @rule(
        seconds=st.lists(SECONDS, min_size=1, max_size=6)
        | SECONDS.map(lambda first: list(range(first, first + 6))),
        column=st.integers(0, WIDTH - 1),
        number=st.integers(1, 5),
    )
    def add(self, seconds: list[int], column: int, number: int) -> None:
        """Count a burst, out of order."""
        for second in seconds:
            pane, increments = self.at // PANE + second, [(column, number)]
            self.panes.add(pane, increments)
            self.model.events.append((pane, increments))

    @rule(
        steps=st.integers(1, 30)
        | st.integers(0, 15 * MINUTE // 100)
        | st.integers(0, 8 * DAY // 100)
    )
    def slide(self, steps: int) -> None:
        """Let time pass: a little, or hours of silence."""
        self.at += steps * 100
        self.panes.slide(self.at)

    @rule(windows=st.sets(WINDOWS, max_size=4))
    def track(self, windows: set[int]) -> None:
        """Change the rules, keeping some of the windows."""
        kept = set(sorted(self.panes.totals)[::2])
        self.panes.track(windows | kept, self.at)

    @rule()
    def mark(self) -> None:
        """Have people resolve a breaker."""
        self.marks.append((self.panes.baseline(self.at), len(self.model.events)))

    @rule()
    def prune(self) -> None:
        """Forget what no window can reach."""
        self.panes.prune(self.at)

    @rule()
    def restore(self) -> None:
        """Let another worker go on from what was stored."""
        stored = [{p: list(enumerate(row)) for p, row in r.items()} for r in self.panes.rings]
        windows, self.panes = set(self.panes.totals), Panes()
        for ring, rows in enumerate(stored):
            self.panes.put(ring, rows.items())
        self.panes.track(windows, self.at)

    @invariant()
    def counts_are_those_of_brute_force(self) -> None:
        """Every window holds exactly the events inside it."""
        for window in self.panes.totals:
            assert list(self.panes.counts(window)) == self.model.counts(window, self.at)

    @invariant()
    def baselines_let_only_later_events_count(self) -> None:
        """Since a mark count the events added after it that did not happen in a pane before."""
        for baseline, first in self.marks[-3:]:
            for window in self.panes.totals:
                wanted = self.model.counts(window, self.at, first=first, since=baseline.at)
                assert list(self.panes.counts_since(window, baseline)) == wanted

    @invariant()
    def nothing_changes_before_its_time(self) -> None:
        """Time alone changes no window before `moves_at`, and some window at it."""
        moves_at = self.panes.moves_at()
        before = self._all_counts(self.at)
        if moves_at is None:
            assert not any(map(any, before))
        else:
            assert self._all_counts(max(self.at, moves_at - 1)) == before
            assert self._all_counts(moves_at) != before

    def _all_counts(self, at: int) -> list[list[int]]:
        """Return the counts of all windows at *at* by brute force."""
        return [self.model.counts(window, at) for window in self.panes.totals]


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(window=WINDOWS, at=st.integers(NOON, NOON + DAY))
def test_an_event_counts_until_its_pane_leaves(window: int, at: int) -> None:
    """An event of now counts at once, until the moment that `moves_at` names, and not at it."""
    panes = Panes()
    panes.track([window], at)
    panes.add(at // PANE, FAILED)
    leaves = panes.moves_at()
    assert leaves is not None

    panes.slide(leaves - 1)
    assert panes.counts(window)[Column.FAILED] == 1
    panes.slide(leaves)
    assert panes.counts(window)[Column.FAILED] == 0


@given(window=WINDOWS, at=st.integers(NOON, NOON + DAY))
def test_a_window_is_as_long_as_it_says_to_one_pane(window: int, at: int) -> None:
    """An event leaves after the window's length, early by less than one pane, never late by one."""
    resolution = RINGS[ring_of(window)].resolution
    panes = Panes()
    panes.track([window], at)
    panes.add(at // PANE, FAILED)

    leaves = panes.moves_at()
    assert leaves is not None
    assert window - resolution < leaves - at // PANE * PANE < window + resolution


@given(window=WINDOWS, at=st.integers(NOON, NOON + DAY))
def test_reported_bounds_hold_what_is_counted(window: int, at: int) -> None:
    """The first second inside the reported bounds counts, the one before it does not."""
    start, end = bounds(window, at)
    assert end == at
    for second, counted in ((start // PANE, 1), (start // PANE - 1, 0)):
        panes = Panes()
        panes.track([window], at)
        panes.add(second, FAILED)
        assert panes.counts(window)[Column.FAILED] == counted


@pytest.mark.parametrize(
    ("window", "resolution"),
    [
        (SHORTEST_WINDOW, SECOND),
        (15 * MINUTE, SECOND),
        (15 * MINUTE + SECOND, MINUTE),
        (DAY, MINUTE),
        (DAY + SECOND, HOUR),
        (LONGEST_WINDOW, HOUR),
    ],
)
def test_a_window_uses_the_finest_panes_that_reach(window: int, resolution: int) -> None:
    """Up to 15 minutes a window moves by seconds, up to a day by minutes, then by hours."""
    assert RINGS[ring_of(window)].resolution == resolution
    start, _ = bounds(window, NOON + 17 * MINUTE + 300)
    assert start % resolution == 0


def test_no_window_is_longer_than_a_week() -> None:
    """A longer window is refused rather than cut short."""
    with pytest.raises(ValueError, match="longer than 604800000"):
        ring_of(LONGEST_WINDOW + 1)


def test_an_event_slightly_ahead_counts_at_once() -> None:
    """A window has no upper bound: an event 30 s ahead of T is in the count."""
    panes = Panes()
    panes.track([SHORTEST_WINDOW], NOON)
    panes.add((NOON + EARLINESS) // PANE, FAILED)
    assert panes.counts(SHORTEST_WINDOW)[Column.FAILED] == 1


def test_a_window_that_a_new_rule_brings_is_full_at_once() -> None:
    """What came before a window was followed is in it, as if it always had been."""
    panes = Panes()
    for second in range(600):
        panes.add(NOON // PANE - second, FAILED)
    panes.track([5 * MINUTE, HOUR], NOON)
    assert panes.counts(5 * MINUTE)[Column.FAILED] == 300
    assert panes.counts(HOUR)[Column.FAILED] == 600


def test_what_came_before_a_mark_does_not_count_though_it_is_early() -> None:
    """After a resolution an event that was counted ahead of its time stays excluded."""
    panes = Panes()
    panes.track([MINUTE], NOON)
    panes.add(NOON // PANE + 20, FAILED)
    baseline = panes.baseline(NOON)
    panes.add(NOON // PANE + 20, [(int(Column.SUCCEEDED), 2)])

    panes.slide(NOON + 30 * SECOND)
    counts = panes.counts_since(MINUTE, baseline)
    assert (counts[Column.FAILED], counts[Column.SUCCEEDED]) == (0, 2)


def test_a_mark_cuts_until_what_it_excludes_has_left() -> None:
    """Once the last excluded pane has left the window, the mark makes no difference."""
    panes = Panes()
    panes.track([MINUTE], NOON)
    panes.add(NOON // PANE + 20, FAILED)
    baseline = panes.baseline(NOON)

    edge = RINGS[0].edge
    assert baseline.cuts(0, edge(NOON + 79 * SECOND, MINUTE))
    assert not baseline.cuts(0, edge(NOON + 80 * SECOND, MINUTE))


@given(
    added=st.lists(st.integers(0, 10 * DAY // PANE), min_size=1, max_size=8),
    windows=st.sets(WINDOWS),
)
def test_a_scope_is_empty_when_it_expires_and_not_before(
    added: list[int], windows: set[int]
) -> None:
    """Pruned just before `expires_at` something is left, pruned at it nothing is."""
    panes = Panes()
    panes.track(windows, NOON)
    for second in added:
        panes.add(NOON // PANE + second, FAILED)
    expires = panes.expires_at()
    assert expires is not None

    panes.slide(expires - 100)
    panes.prune(expires - 100)
    assert not panes.is_empty()
    panes.slide(expires)
    panes.prune(expires)
    assert panes.is_empty()
    assert panes.expires_at() is None


def test_a_flush_is_told_which_panes_changed() -> None:
    """An event changes one pane of each ring, and only those are to be stored."""
    panes = Panes()
    panes.add(NOON // PANE, FAILED)
    assert panes.changed == {(ring, NOON // size) for ring, (size, _) in enumerate(SIZES)}
