"""Offsets by append time: a range never leaves out a record that it should cover."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from rules.windows import RINGS
from schemas.tallies import STEP, Cut
from streams.trail import Trail
from tests.unit.streams.facts import DAY, HOUR, MINUTE, NOON, SECOND

PAUSES: Final = st.sampled_from((0, 1, 99, 100, 950, SECOND, 7 * SECOND, MINUTE, HOUR, 30 * HOUR))
"""Between two records: a burst, a beat, a silence of hours."""

CLOCKS: Final = st.lists(PAUSES, min_size=1, max_size=60).map(
    lambda pauses: [NOON + sum(pauses[: n + 1]) for n in range(len(pauses))]
)
"""The append time of each record, by offset."""


def cuts_in(clocks: list[int]) -> list[Cut]:
    """Return the cuts that a tally makes of records at *clocks*."""
    steps = [clock // STEP * STEP for clock in clocks]
    return [
        Cut(before, after, offset, [])
        for offset, (before, after) in enumerate(pairwise(steps), start=1)
        if after > before
    ]


def passed(clocks: list[int], trail: Trail | None = None) -> Trail:
    """Return a trail that has passed all cuts of records at *clocks*."""
    trail = trail or Trail(0)
    for cut in cuts_in(clocks):
        trail.pass_cut(cut)
    return trail


@given(clocks=CLOCKS, before=st.integers(-2 * DAY, 40 * DAY), ring=st.integers(0, 2))
def test_every_record_of_a_moment_or_later_is_covered(
    clocks: list[int], before: int, ring: int
) -> None:
    """No record appended at the moment or later lies before the offset that is returned."""
    moment = clocks[-1] - before
    since = passed(clocks).since(ring, moment)
    assert all(clock < moment for clock in clocks[:since])


@given(clocks=CLOCKS)
def test_a_range_ends_at_the_first_record_that_is_not_judged(clocks: list[int]) -> None:
    """The upper bound is the offset that the last applied cut names."""
    cuts = cuts_in(clocks)
    assert passed(clocks).offset == (cuts[-1].offset if cuts else 0)


def test_a_range_is_tight_to_one_pane() -> None:
    """With a record a second, the range begins with the second that was asked for."""
    clocks = [NOON + number * SECOND for number in range(600)]
    assert passed(clocks).since(0, NOON + 300 * SECOND + 999) == 300


def test_nothing_known_means_from_the_beginning() -> None:
    """Before its first cut, and for moments before it, a trail covers everything."""
    assert Trail(0).since(0, NOON) == 0
    assert passed([NOON, NOON + SECOND]).since(0, NOON - DAY) == 0


def test_a_trail_stays_small_and_still_covers_its_windows() -> None:
    """In half a day of one cut a second at most twice a window's seconds are kept."""
    trail = Trail(0)
    for number in range(12 * 3_600):
        frm = NOON + number * SECOND
        trail.pass_cut(Cut(frm, frm + SECOND, number + 1, []))
    for ring, marks in zip(RINGS, trail.marks, strict=True):
        assert len(marks) <= 2 * ring.reach // ring.resolution
    now = NOON + 12 * HOUR
    assert trail.since(0, now - RINGS[0].reach - 31 * SECOND) >= 12 * 3_600 - 900 - 32


@given(clocks=CLOCKS, flushes=st.sets(st.integers(0, 59)), full=st.sets(st.integers(0, 59)))
def test_joined_changes_are_the_trail(clocks: list[int], flushes: set[int], full: set[int]) -> None:
    """Who joins what each flush stored answers the same, from any full record on."""
    lived, joined = Trail(3), Trail(3)
    for number, cut in enumerate(cuts_in(clocks)):
        lived.pass_cut(cut)
        if number in flushes:
            if number in full:
                joined = Trail(3)
            joined.join(lived.changes(full=number in full))
            assert (joined.marks, joined.offset) == (lived.marks, lived.offset)


def test_the_first_changes_of_a_trail_hold_all_of_it() -> None:
    """A trail that was never stored is stored whole, so that no full record need precede it."""
    trail = passed([NOON, NOON + HOUR])
    assert trail.changes(full=False).full
    assert not trail.changes(full=False).full
