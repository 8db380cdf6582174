"""Rules are judged by what people found, and people by when they answered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from governance.events import Finding
from governance.rule_quality import TripRecord, qualities, quality, response_times, wilson
from tests.desks import NOON

SINCE = NOON - timedelta(days=90)


def record(
    finding: Finding | None = None, *, answered: int | None = None, resolved: int | None = None
) -> TripRecord:
    """Return a trip at noon, due in 15 minutes, answered and resolved after so many minutes."""
    return TripRecord(
        rule="High Error Rate",
        at=NOON,
        due_at=NOON + timedelta(minutes=15),
        answered_at=None if answered is None else NOON + timedelta(minutes=answered),
        resolved_at=None if resolved is None else NOON + timedelta(minutes=resolved),
        finding=finding,
    )


def test_drills_and_what_was_expected_are_left_out() -> None:
    """They are triggers, and no rate, mean or interval stands on them."""
    trips = [
        record(Finding.FALSE_POSITIVE, answered=2, resolved=10),
        record(Finding.TRUE_POSITIVE, answered=4, resolved=20),
        *[record(Finding.DRILL, answered=500, resolved=900)] * 4,
        *[record(Finding.BENIGN_EXPECTED, answered=500, resolved=900)] * 4,
    ]
    found = quality("High Error Rate", trips, since=SINCE, until=NOON)

    assert (found.triggers, found.excluded, found.counted) == (10, 8, 2)
    assert (found.false_positive_rate, found.precision) == (0.5, 0.5)
    assert (found.mean_time_to_acknowledge, found.mean_time_to_resolve) == (180, 900)


def test_a_trip_without_a_verdict_counts_and_is_told() -> None:
    """It is a trigger for the runbook's rate, and no evidence for precision."""
    trips = [record(Finding.FALSE_POSITIVE, answered=1, resolved=1), record(resolved=2), record()]
    found = quality("High Error Rate", trips, since=SINCE, until=NOON)

    assert (found.unclassified, found.unresolved) == (1, 1)
    assert found.false_positive_rate == pytest.approx(1 / 3)
    assert found.precision == 0.0


def test_a_rule_that_never_tripped_has_no_rates() -> None:
    """Nothing is divided by nothing: null, not 0."""
    (found,) = qualities(["Quiet"], [], since=SINCE, until=NOON)

    assert (found.rule, found.triggers) == ("Quiet", 0)
    assert (found.false_positive_rate, found.false_positive_interval) == (None, None)
    assert (found.precision, found.precision_interval) == (None, None)
    assert (found.mean_time_to_acknowledge, found.mean_time_to_resolve) == (None, None)


def test_a_deleted_rule_keeps_its_record() -> None:
    """Trips of a rule that nobody lists any more are still shown."""
    names = [one.rule for one in qualities(["Quiet"], [record()], since=SINCE, until=NOON)]

    assert names == ["High Error Rate", "Quiet"]


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 10, 0.0, 0.278), (1, 10, 0.018, 0.404), (5, 10, 0.237, 0.763), (10, 10, 0.722, 1.0)],
)
def test_the_interval_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    """The published values, to three digits; never outside 0..1."""
    found = wilson(hits, of)

    assert found is not None
    assert (round(found.low, 3), round(found.high, 3)) == (low, high)


def test_answers_are_in_time_late_waiting_or_overdue() -> None:
    """What is not due yet counts neither for nor against people."""
    trips = [record(answered=15), record(answered=16), record()]
    before = response_times(trips, NOON + timedelta(minutes=15))
    after = response_times(trips, NOON + timedelta(minutes=16))

    assert (before.in_time, before.late, before.waiting, before.overdue) == (1, 1, 1, 0)
    assert before.adherence == 0.5
    assert (after.waiting, after.overdue) == (0, 1)
    assert after.adherence == pytest.approx(1 / 3)


def test_a_quiet_week_has_no_adherence() -> None:
    """Nobody was asked, so nobody answered in time."""
    assert response_times([], NOON).adherence is None
