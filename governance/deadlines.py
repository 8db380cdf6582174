"""By when people answer a breaker event: the runbook's response times as moments.

    critical 5 min · high 15 min · medium 1 h · low by the end of the next business day

The first three run on the wall, day and night. The last runs on the office's calendar and in
its zone: Friday's and the weekend's events are due on Monday evening, whatever the clocks do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.events import Severity

RESPONSE: Final[dict[Severity, timedelta]] = {
    Severity.CRITICAL: timedelta(minutes=5),
    Severity.HIGH: timedelta(minutes=15),
    Severity.MEDIUM: timedelta(hours=1),
}
"""The runbook's response times; low is counted in business days instead."""

SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """When people work: ``end`` is the hour at which a business day ends, 24 being midnight."""

    zone: str = "UTC"
    end: int = 17


def due_at(severity: Severity, at: datetime, hours: BusinessHours) -> datetime:
    """Return the moment (UTC) by which an event of *severity* that tripped *at* is answered.

    >>> friday = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    >>> due_at(Severity.LOW, friday, BusinessHours()).isoformat()
    '2026-11-23T17:00:00+00:00'
    """
    if severity in RESPONSE:
        return (at + RESPONSE[severity]).astimezone(UTC)
    zone = ZoneInfo(hours.zone)
    day = at.astimezone(zone).date() + timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    # The wall's own arithmetic: midnight and an hour of that day, not a number of hours later.
    day += timedelta(days=hours.end // 24)
    return datetime.combine(day, time(hours.end % 24), zone).astimezone(UTC)
