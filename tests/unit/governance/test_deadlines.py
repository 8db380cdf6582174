"""By when people answer: minutes on the wall, business days on the office's calendar."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.deadlines import BusinessHours, due_at
from schemas.events import Severity
from tests.desks import NOON

ZURICH = BusinessHours("Europe/Zurich", 17)
NEW_YORK = BusinessHours("America/New_York", 17)


@pytest.mark.parametrize(
    ("severity", "length"),
    [
        (Severity.CRITICAL, timedelta(minutes=5)),
        (Severity.HIGH, timedelta(minutes=15)),
        (Severity.MEDIUM, timedelta(hours=1)),
    ],
)
def test_urgent_events_are_due_at_any_hour(severity: Severity, length: timedelta) -> None:
    """The runbook's response times run day and night, weekends too."""
    sunday = NOON - timedelta(days=1)
    assert due_at(severity, sunday, ZURICH) == sunday + length


@pytest.mark.parametrize(
    ("tripped", "due"),
    [
        ("2026-11-19T03:00", "2026-11-20T17:00"),  # Thursday night: Friday
        ("2026-11-20T10:00", "2026-11-23T17:00"),  # Friday: Monday
        ("2026-11-21T10:00", "2026-11-23T17:00"),  # Saturday: Monday
        ("2026-11-22T23:59", "2026-11-23T17:00"),  # Sunday: Monday
        ("2026-11-23T00:00", "2026-11-24T17:00"),  # Monday: Tuesday
    ],
)
def test_low_events_are_due_at_the_end_of_the_next_business_day(tripped: str, due: str) -> None:
    """Weekends are no business days, and the day of the trip is not the next one."""
    zone = ZoneInfo("Europe/Zurich")
    moment = datetime.fromisoformat(tripped).replace(tzinfo=zone)
    wanted = datetime.fromisoformat(due).replace(tzinfo=zone)
    assert due_at(Severity.LOW, moment, ZURICH) == wanted


@pytest.mark.parametrize(
    ("hours", "friday", "due"),
    [
        # Zurich leaves summer time on Sunday 25 October 2026: five in the evening is an hour later.
        (ZURICH, datetime(2026, 10, 23, 12, tzinfo=UTC), datetime(2026, 10, 26, 16, tzinfo=UTC)),
        (ZURICH, datetime(2026, 3, 27, 12, tzinfo=UTC), datetime(2026, 3, 30, 15, tzinfo=UTC)),
        (NEW_YORK, datetime(2026, 10, 30, 12, tzinfo=UTC), datetime(2026, 11, 2, 22, tzinfo=UTC)),
        (NEW_YORK, datetime(2026, 3, 6, 12, tzinfo=UTC), datetime(2026, 3, 9, 21, tzinfo=UTC)),
    ],
)
def test_the_end_of_the_day_follows_the_wall_when_the_clocks_change(
    hours: BusinessHours, friday: datetime, due: datetime
) -> None:
    """Five in the evening is five in the evening, in summer and in winter."""
    assert due_at(Severity.LOW, friday, hours) == due


def test_a_day_may_end_at_midnight() -> None:
    """The hour 24 is the midnight that ends the day."""
    friday = datetime(2026, 11, 20, 12, tzinfo=UTC)
    wanted = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
    assert due_at(Severity.LOW, friday, BusinessHours("UTC", 24)) == wanted


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    st.sampled_from(["UTC", "Europe/Zurich", "America/New_York", "Asia/Kathmandu"]),
    st.integers(1, 24),
)
def test_a_low_event_is_due_within_four_days_and_never_on_a_weekend(
    tripped: datetime, zone: str, end: int
) -> None:
    """Whenever it trips, its deadline lies ahead, on a working day of the office."""
    due = due_at(Severity.LOW, tripped, BusinessHours(zone, end))
    assert timedelta(0) < due - tripped <= timedelta(days=4, hours=2)
    assert (due - timedelta(hours=1)).astimezone(ZoneInfo(zone)).weekday() < 5
