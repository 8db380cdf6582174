"""When the weekly cycle is due: once in each ISO week, on the wall clock of one time zone.

    Mon  Tue  Wed  Thu  Fri  Sat  Sun │ Mon ...
                         ▲ 16:00      │
                         due          │ not due again before the next week's Friday

Pure: whoever owns a clock passes ``now``, and whoever owns a database the last week that is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from schemas.settings import Weekday

WEEK: Final = timedelta(days=7)

FARTHEST: Final = 12
"""Weeks that are caught up after an outage at most: for longer, minutes are not kept."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """At which hour of which day the cycle runs, as a clock on the wall of ``zone`` shows it."""

    zone: str = "UTC"
    weekday: Weekday = Weekday.FRIDAY
    hour: int = 16

    def moment(self, monday: date) -> datetime:
        """Return when (UTC) the cycle is due in the week that begins on *monday*.

        An hour that the clocks skip is the one that they show instead; of an hour that they
        show twice it is the first.
        """
        day = monday + timedelta(days=list(Weekday).index(self.weekday))
        return datetime.combine(day, time(self.hour), ZoneInfo(self.zone)).astimezone(UTC)


class DueWeek(NamedTuple):
    """An ISO week whose cycle is due: its name, like ``2026-W48``, and since when (UTC)."""

    name: str
    moment: datetime


def due_week(
    now: datetime, last: str | None, schedule: Schedule, *, since: datetime
) -> DueWeek | None:
    """Return the oldest week whose cycle is due at *now* and was not run, or None.

    *last* names the newest week that was run, *since* is when the installation began: weeks
    before either are nobody's. Names sort like the weeks, over the end of a year too.

    >>> friday = datetime(2026, 11, 27, 16, tzinfo=UTC)
    >>> due_week(friday, "2026-W47", Schedule(), since=friday - WEEK).name
    '2026-W48'
    >>> due_week(friday, "2026-W48", Schedule(), since=friday - WEEK) is None
    True
    """
    today = now.astimezone(ZoneInfo(schedule.zone)).date()
    this = today - timedelta(days=today.weekday())
    for back in range(FARTHEST, -1, -1):
        monday = this - back * WEEK
        name = week_name(monday)
        if last is not None and name <= last:
            continue
        moment = schedule.moment(monday)
        if since < moment <= now:
            return DueWeek(name, moment)
    return None


def week_name(day: date) -> str:
    """Return the name of the ISO week that holds *day*.

    >>> week_name(date(2027, 1, 1))
    '2026-W53'
    """
    year, week, _ = day.isocalendar()
    return f"{year:04}-W{week:02}"
