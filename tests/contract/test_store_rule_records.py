"""What rules missed, found among the minutes of a quarter, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta

from governance import handlers
from governance.desk import Desk
from schemas.tallies import OVERALL, WIDTH, Column
from schemas.wire import to_ms
from tests.desks import NOON, alert, revert

MINUTE = timedelta(minutes=1)
SINCE = NOON - timedelta(days=90)


def incident(desk: Desk, at: datetime, *, scope: str = OVERALL) -> None:
    """Count a critical incident in the minute of *at*."""
    row = [0] * WIDTH
    row[Column.INCIDENT_CRITICAL] = 1
    with desk.store.writing() as unit:
        unit.minutes.add({(to_ms(at) // 60_000, scope): row})


def missed(desk: Desk) -> int:
    """Return what is answered."""
    with desk.store.reading() as unit:
        return unit.rule_records.missed_incidents(SINCE)


def test_an_incident_that_a_breaker_answered_was_not_missed(desk: Desk) -> None:
    """It lowered autonomy a while before, or just after; an alert alone lowers nothing."""
    handlers.apply_action(desk, revert())
    handlers.apply_action(desk, alert(decided_at=NOON + timedelta(days=2)))
    for minutes in (-6, -5, 0, 15, 16):
        incident(desk, NOON + minutes * MINUTE)
    incident(desk, NOON + timedelta(days=2))

    assert missed(desk) == 3


def test_every_minute_with_an_incident_counts_once(desk: Desk) -> None:
    """On the edges of hours and days, from the first minute of the period on."""
    midnight = NOON.replace(hour=0)
    for at in (midnight - MINUTE, midnight, midnight, NOON - MINUTE, NOON, SINCE, SINCE - MINUTE):
        incident(desk, at)
    incident(desk, NOON, scope="commandType=SET_POWER")

    assert missed(desk) == 5
