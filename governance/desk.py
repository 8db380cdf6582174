"""What a handler works with, handed over whole: the database, the settings, the clock, the rules.

There is nothing global: two desks over two databases can live in one process, and tests make
one with a clock of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from governance.clock import Clock, wall_clock
from governance.deadlines import BusinessHours
from governance.rulebook import in_force_from
from governance.store import Store
from rules.trips import Escalation, TripFacts
from schemas.settings import Settings

Decide = Callable[[TripFacts], Escalation]
"""What follows from a trip: the escalation rules, or the plain Python that they are held to."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One state service's database, settings, clock and escalation rules."""

    store: Store
    settings: Settings
    decide: Decide
    clock: Clock = wall_clock

    @property
    def hours(self) -> BusinessHours:
        """Return when people work, for deadlines in business days."""
        return BusinessHours(self.settings.business_timezone, self.settings.business_end)

    def in_force_from(self, now: datetime, after: int = 0) -> int:
        """Return from when (ms of log time) a change made *now* is in force on every worker."""
        return in_force_from(now, lead=self.settings.control_lead_milliseconds, after=after)
