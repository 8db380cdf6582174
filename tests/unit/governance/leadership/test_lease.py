"""Who may take the lease over, and when: pure decisions over what a standby saw."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.leadership.lease import (
    COUNTED,
    EXPIRY,
    LOOKED_EVERY,
    RENEWED_EVERY,
    SETTLED,
    Holder,
    Lease,
    ProcessState,
    Sighting,
    may_take,
    must_end,
)

HOLDER = Holder(
    instance="a",
    host="one",
    pid=1,
    started=1,
    place="",
    address="http://one:4007",
    since=datetime(2026, 11, 23, 12, tzinfo=UTC),
)
HELD = Lease(fencing=3, beat=7, holder=HOLDER)


def watched(seconds: float, *, blocked: bool = False) -> Sighting:
    """Return what a standby has seen of a row that stood still for *seconds*."""
    seen = Sighting(HELD, 0.0)
    at = 0.0
    while at < seconds:
        at += LOOKED_EVERY
        seen = seen.next(HELD, at)
        seen = seen.blocked() if blocked else seen
    return seen


@pytest.mark.parametrize("process", [ProcessState.RUNNING, ProcessState.UNKNOWN])
def test_a_lease_that_stands_still_is_over_within_ten_seconds(process: ProcessState) -> None:
    """Not before its time, and soon enough for a promise of ten seconds."""
    assert not may_take(watched(EXPIRY - LOOKED_EVERY), process)
    assert may_take(watched(EXPIRY), process)
    assert EXPIRY + 2 * LOOKED_EVERY < 10
    assert EXPIRY > 3 * RENEWED_EVERY, "two renewals may come late"


def test_a_free_lease_and_a_dead_holder_are_not_waited_for() -> None:
    """A clean stop, and a process that this machine knows to be gone, cost no time."""
    assert may_take(Sighting(Lease(fencing=3), 0.0), ProcessState.UNKNOWN)
    assert may_take(Sighting(HELD, 0.0), ProcessState.GONE)
    assert not may_take(Sighting(HELD, 0.0), ProcessState.STOPPED)


def test_nobody_is_replaced_for_not_renewing_what_nobody_could_write() -> None:
    """However long a lock lasts, the holder has three seconds after it to renew."""
    seen = watched(60, blocked=True)
    assert not may_take(seen, ProcessState.RUNNING)
    for _ in range(int(SETTLED / LOOKED_EVERY) - 1):
        seen = seen.next(HELD, seen.at + LOOKED_EVERY)
        assert not may_take(seen, ProcessState.RUNNING)
    assert may_take(seen.next(HELD, seen.at + LOOKED_EVERY), ProcessState.RUNNING)


def test_only_a_stopped_holder_that_blocks_everybody_is_ended() -> None:
    """One that runs, or that nobody waits for, is left alone."""
    assert must_end(watched(EXPIRY, blocked=True), ProcessState.STOPPED)
    assert not must_end(watched(EXPIRY, blocked=True), ProcessState.RUNNING)
    assert not must_end(watched(EXPIRY, blocked=True), ProcessState.UNKNOWN)
    assert not must_end(watched(EXPIRY), ProcessState.STOPPED)
    assert not must_end(watched(1, blocked=True), ProcessState.STOPPED)


@given(st.lists(st.floats(-3_600, 3_600), min_size=1, max_size=50))
def test_one_look_counts_for_two_seconds_at_most(steps: list[float]) -> None:
    """A standby that was stopped, or whose clock jumped, has not seen the time that passed."""
    seen = Sighting(HELD, 0.0)
    for count, step in enumerate(steps, 1):
        seen = seen.next(HELD, seen.at + step)
        assert 0 <= seen.still <= count * COUNTED


@given(st.lists(st.booleans(), max_size=100))
def test_a_row_that_moves_is_never_taken(blocks: list[bool]) -> None:
    """As long as it is renewed every two seconds, no look says otherwise."""
    seen, beat = Sighting(HELD, 0.0), 0
    for count, is_blocked in enumerate(blocks, 1):
        beat += count % 4 == 0
        lease = Lease(HELD.fencing, beat, HOLDER)
        seen = seen.next(lease, count * LOOKED_EVERY)
        seen = seen.blocked() if is_blocked else seen
        assert not may_take(seen, ProcessState.RUNNING)


def test_a_lease_is_held_by_its_instance_under_its_number() -> None:
    """The same number in another's hand, or another number in ours, is not ours."""
    assert HELD.is_held_by("a", 3)
    assert not HELD.is_held_by("a", 2)
    assert not HELD.is_held_by("b", 3)
    assert not Lease(3).is_held_by("a", 3)
