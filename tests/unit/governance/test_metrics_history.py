"""Histories: which step, how many points, and what changed between two periods."""

from __future__ import annotations

from datetime import timedelta

import pytest

from governance.metrics_history import MOST, compared, count, history, stretch_of
from governance.rollups import Step
from schemas.errors import BadRequest
from schemas.tallies import WIDTH, Column
from schemas.wire import iso, iso_ms
from tests.desks import NOON
from tests.unit.governance.assessing import HEALTHY, counted


@pytest.mark.parametrize(
    ("length", "step"),
    [
        (timedelta(minutes=1), Step.MINUTE),
        (timedelta(hours=3), Step.MINUTE),
        (timedelta(hours=4), Step.HOUR),
        (timedelta(days=7), Step.HOUR),
        (timedelta(days=30), Step.DAY),
    ],
)
def test_the_finest_step_that_a_chart_shows_is_taken(length: timedelta, step: Step) -> None:
    """Nobody has to know which step fits."""
    assert stretch_of(NOON - length, NOON, None).step is step


def test_too_many_points_are_refused_with_what_would_do() -> None:
    """90 days of minutes are 129,600 points; hours are too many too."""
    with pytest.raises(BadRequest, match="step=day"):
        stretch_of(NOON - timedelta(days=90), NOON, Step.MINUTE)
    with pytest.raises(BadRequest, match="a shorter period"):
        stretch_of(NOON - timedelta(days=3_650), NOON, None)


def test_two_thousand_points_are_given() -> None:
    """The limit itself is allowed."""
    assert count(stretch_of(NOON - timedelta(minutes=MOST), NOON, Step.MINUTE)) == MOST


def test_a_period_is_widened_to_whole_points() -> None:
    """Half an hour in the middle of an hour is that hour."""
    half = timedelta(minutes=30)
    (point,) = history(stretch_of(NOON - half - timedelta(minutes=15), NOON - half, Step.HOUR), {})
    assert (point.period.start, point.period.end) == (NOON - timedelta(hours=1), NOON)


def test_a_point_without_a_row_counts_nothing() -> None:
    """The series has no holes, and a rate over nothing stays null."""
    row = [0] * WIDTH
    row[Column.SUCCEEDED] = 4
    stretch = stretch_of(NOON - timedelta(hours=2), NOON, Step.HOUR)
    empty, full = history(stretch, {iso(NOON - timedelta(hours=1)): row})

    assert (empty.commands.total, empty.rates.success_rate) == (0, None)
    assert (full.commands.total, full.rates.success_rate) == (4, 1.0)
    assert iso(full.period.start) == iso_ms(stretch.first + stretch.step.milliseconds)


def test_what_changed_is_said_in_points() -> None:
    """A success rate of 0.9 after 0.999 fell by 0.099; what was not measured did not change."""
    bad = counted(succeeded=90, failed=10)
    change = compared(bad, HEALTHY, current_readiness=0.9, previous_readiness=None).change

    assert change.success_rate == pytest.approx(-0.099)
    assert (change.attempts, change.failed) == (-900, 9)
    assert (change.approval_rate, change.readiness_score) == (None, None)
