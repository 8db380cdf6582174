"""Counts by minute, hour and day: kept side by side, so that long periods are read in few rows.

    ├─ minutes ─┼─ hours ─┼───────── days ─────────┼─ hours ─┼─ minutes ─┤
   start     next hour  midnight               midnight   last hour      end

Every increment is added to all three in one transaction, so they agree whatever comes late and
whatever is restarted; the minutes are given up first, and their hours and days stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from schemas.wire import to_ms


class Step(StrEnum):
    """How long one row, or one point of a history, is; days are those of UTC."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def milliseconds(self) -> int:
        """Return the length."""
        return _MILLISECONDS[self]


_MILLISECONDS: Final = {Step.MINUTE: 60_000, Step.HOUR: 3_600_000, Step.DAY: 86_400_000}

COARSEST_FIRST: Final = (Step.DAY, Step.HOUR, Step.MINUTE)


class Stretch(NamedTuple):
    """Rows of one length that begin in ``[first, last)``, in ms since 1970."""

    step: Step
    first: int
    last: int


def stretches(start: datetime, end: datetime) -> list[Stretch]:
    """Return where to read the minutes that begin in ``[start, end)``, in the fewest rows.

    >>> from schemas.wire import from_ms
    >>> a_day, an_hour, a_minute = (step.milliseconds for step in COARSEST_FIRST)
    >>> start = from_ms(a_day - an_hour - 2 * a_minute)
    >>> end = from_ms(2 * a_day + an_hour + a_minute)
    >>> [f"{s.step} {(s.last - s.first) // s.step.milliseconds}" for s in stretches(start, end)]
    ['minute 2', 'hour 1', 'day 1', 'hour 1', 'minute 1']
    """
    first, last = (_up(to_ms(moment), Step.MINUTE) for moment in (start, end))
    return _cover(first, last, COARSEST_FIRST)


def midnight(moment: datetime) -> datetime:
    """Return the beginning of the UTC day of *moment*.

    >>> midnight(datetime.fromisoformat("2026-11-23T01:30:00+02:00")).isoformat()
    '2026-11-22T00:00:00+00:00'
    """
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _cover(first: int, last: int, steps: Sequence[Step]) -> list[Stretch]:
    """Return stretches of *steps*, the longest first, that cover ``[first, last)``."""
    if first >= last or not steps:
        return []
    step, *finer = steps
    inner, outer = _up(first, step), last // step.milliseconds * step.milliseconds
    if inner >= outer:
        return _cover(first, last, finer)
    return [
        *_cover(first, inner, finer),
        Stretch(step, inner, outer),
        *_cover(outer, last, finer),
    ]


def _up(moment: int, step: Step) -> int:
    """Return the first beginning of a row at or after *moment*."""
    return -(-moment // step.milliseconds) * step.milliseconds
