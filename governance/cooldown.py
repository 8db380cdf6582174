"""Cooldown: after a demotion nobody proposes a rise for a while, longer each time it repeats.

critical 30 days, anything else 7, doubled for each other demotion in the 90 days before
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from schemas.events import Severity
from schemas.wire import Moment, Wire

REPEAT: Final = timedelta(days=90)
"""How far back another demotion makes this one a repeat."""

LONGEST: Final = timedelta(days=365)
"""No cooldown is longer: doubling seven times would otherwise last for years."""


class Cooldown(Wire):
    """From when, until when and why no rise is proposed, unless people lift it early."""

    started_at: Moment
    until: Moment
    severity: Severity
    cause: str
    lifted_at: Moment | None = None
    lifted_by: str | None = None

    def is_over(self, now: datetime) -> bool:
        """Whether a rise may be proposed again at *now*."""
        return self.lifted_at is not None or now >= self.until


def cooldown_after(
    severity: Severity, earlier: Sequence[datetime], *, first: timedelta, cause: str, now: datetime
) -> Cooldown:
    """Return the cooldown of a demotion at *now*.

    *first* is its length when it is no repeat; *earlier* are the starts of those before it.
    """
    repeats = sum(now - REPEAT < start <= now for start in earlier)
    length = min(first * 2 ** min(repeats, 16), LONGEST)
    return Cooldown(started_at=now, until=now + length, severity=severity, cause=cause)
