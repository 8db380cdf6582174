"""The weekly cycle is due once in each ISO week, on the wall of any zone, whatever clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from governance.schedule import WEEK, DueWeek, Schedule, due_week, week_name
from schemas.settings import Weekday

ZONES = ("Europe/Zurich", "America/New_York", "Australia/Lord_Howe")
"""Clocks change on other days in each, and by half an hour in the last."""

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def follow(schedule: Schedule, start: datetime, *, days: int) -> list[DueWeek]:
    """Look every 19 minutes, as a service does that remembers what it ran."""
    found: list[DueWeek] = []
    for step in range(days * 24 * 60 // 19):
        now = start + timedelta(minutes=19 * step)
        last = found[-1].name if found else None
        due = due_week(now, last, schedule, since=start)
        if due is not None:
            found.append(due)
    return found


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("month", [3, 10])
def test_each_week_is_due_once_while_clocks_change(zone: str, month: int) -> None:
    """Over both changes of the clock, each ISO week comes exactly once, at 16:00 on the wall."""
    start = datetime(2026, month, 1, tzinfo=UTC)
    found = follow(Schedule(zone), start, days=42)

    names = [week.name for week in found]
    assert len(names) == len(set(names)) == 6
    for week in found:
        wall = week.moment.astimezone(ZoneInfo(zone))
        assert (wall.weekday(), wall.hour, wall.minute) == (4, 16, 0)
        assert week.name == week_name(wall.date())


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour", [0, 2])
def test_an_hour_that_is_skipped_or_doubled_is_due_once(zone: str, hour: int) -> None:
    """Even in the hours of a Sunday at which clocks change, no week is missed or doubled."""
    schedule = Schedule(zone, Weekday.SUNDAY, hour)
    for month in (3, 4, 10, 11):
        start = datetime(2026, month, 1, 12, tzinfo=UTC)
        names = [week.name for week in follow(schedule, start, days=28)]
        assert len(names) == len(set(names)) == 4


def test_nothing_is_due_before_the_hour() -> None:
    """One second before 16:00 is too early; 16:00 is not."""
    friday = datetime(2026, 11, 27, 16, tzinfo=UTC)
    early = due_week(friday - timedelta(seconds=1), "2026-W47", Schedule(), since=LONG_AGO)

    assert early is None
    assert due_week(friday, "2026-W47", Schedule(), since=LONG_AGO) == ("2026-W48", friday)


def test_an_outage_is_caught_up() -> None:
    """After three days away over the Friday, the week that was missed is due on Monday."""
    monday = datetime(2026, 11, 30, 9, tzinfo=UTC)
    due = due_week(monday, "2026-W47", Schedule(), since=LONG_AGO)

    assert due is not None
    assert due.name == "2026-W48"
    assert due_week(monday, "2026-W48", Schedule(), since=LONG_AGO) is None


def test_a_long_outage_is_caught_up_oldest_first() -> None:
    """After three weeks away, each week comes by itself, in its order."""
    now, last, caught = datetime(2026, 12, 14, tzinfo=UTC), "2026-W47", []
    while (due := due_week(now, last, Schedule(), since=LONG_AGO)) is not None:
        caught.append(due.name)
        last = due.name

    assert caught == ["2026-W48", "2026-W49", "2026-W50"]


def test_a_clock_that_is_set_back_repeats_nothing() -> None:
    """An hour forth and an hour back: the week that was run stays run."""
    friday = datetime(2026, 11, 27, 15, 30, tzinfo=UTC)
    ahead = due_week(friday + timedelta(hours=1), "2026-W47", Schedule(), since=LONG_AGO)

    assert ahead is not None
    for minutes in (0, 29, 31, 120):
        now = friday + timedelta(minutes=minutes)
        assert due_week(now, ahead.name, Schedule(), since=LONG_AGO) is None


def test_weeks_before_the_installation_are_nobodys() -> None:
    """A service that is installed on Monday has no report to make of last Friday."""
    monday = datetime(2026, 11, 23, 9, tzinfo=UTC)

    assert due_week(monday, None, Schedule(), since=monday) is None
    first = due_week(monday + WEEK, None, Schedule(), since=monday)
    assert first is not None
    assert first.name == "2026-W48"


def test_the_last_week_of_a_long_year_is_followed_by_the_first() -> None:
    """2026 has 53 weeks; the week of New Year's Day belongs to the old year, once."""
    found = follow(Schedule(), datetime(2026, 12, 21, tzinfo=UTC), days=28)

    assert [week.name for week in found] == ["2026-W52", "2026-W53", "2027-W01", "2027-W02"]
    assert week_name(date(2027, 1, 1)) == "2026-W53"
