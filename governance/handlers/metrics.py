"""Metrics over time: the history, one month beside another, and hours and days kept whole."""

from __future__ import annotations

from datetime import datetime, timedelta

from governance.desk import Desk
from governance.metrics import PeriodMetrics, whole_minutes
from governance.metrics_history import Comparison, before, compared, history, stretch_of
from governance.rollups import Step
from schemas.tallies import OVERALL


def show_metrics_history(
    desk: Desk, start: datetime, end: datetime, *, step: Step | None = None, scope: str = OVERALL
) -> list[PeriodMetrics]:
    """Return a point for each *step* of the period, oldest first; empty ones too.

    It shows what the database holds, which is a few seconds behind the stream.

    Raises:
        BadRequest: that would be too many points; says which step would do.
        Unavailable: the database does not answer.
    """
    stretch = stretch_of(start, end, step)
    with desk.store.reading() as unit:
        rows = unit.minutes.rows(stretch, scope=scope)
    return history(stretch, rows)


def compare_metrics(desk: Desk, end: datetime, length: timedelta) -> Comparison:
    """Return the period of *length* that ends with *end*'s minute, beside the one before it.

    Both are made of whole minutes, and none counts in both. Readiness is that of the last
    assessment in each.

    Raises:
        Unavailable: the database does not answer.
    """
    _, end = whole_minutes(end, end)
    start = end - length
    current, previous = desk.measure(start, end), desk.measure(*before(start, length))
    with desk.store.reading() as unit:
        newer, older = unit.readiness.latest(until=end), unit.readiness.latest(until=start)
    return compared(
        current,
        previous,
        current_readiness=newer.overall.score if newer else None,
        previous_readiness=older.overall.score if older else None,
    )


def sum_up_minutes(desk: Desk) -> bool:
    """Make hours and days of minutes that came in by SQL or from an older version.

    Returns whether there were any; what the stream counts is summed up as it is written. Each
    day is a transaction of its own, so that nobody waits for long.

    Raises:
        Unavailable: the database is busy or away.
    """
    with desk.store.reading() as unit:
        days = unit.minutes.days_to_sum_up()
    for day in days:
        with desk.store.writing() as unit:
            unit.minutes.sum_up(day)
    return bool(days)
