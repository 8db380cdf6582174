"""What a handler works with, handed over whole: the database, the settings, the clock, the rules.

There is nothing global: two desks over two databases can live in one process, and tests make
one with a clock of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from governance.clock import Clock, wall_clock
from governance.deadlines import BusinessHours
from governance.metrics import PeriodMetrics, metrics_of, whole_minutes
from governance.provenance import LedgerWatch
from governance.rulebook import in_force_from
from governance.rules.judged import RulesInUse
from governance.sightings import ChainWatch, Scrapes
from governance.store import Store
from rules.trips import Escalation, TripFacts
from schemas.settings import Settings

Decide = Callable[[TripFacts], Escalation]
"""What follows from a trip: the escalation rules, or the plain Python that they are held to."""

Measure = Callable[[datetime, datetime], PeriodMetrics]
"""Returns what executors did from a moment to a later one; the service's own is up to date."""


Blindness = Callable[[], str | None]
"""Returns why nobody sees the stream now, or None when the judges are near enough."""


def _unset(start: datetime, end: datetime) -> PeriodMetrics:
    """Stand for `Desk.measure_stored`, which needs the desk."""
    raise NotImplementedError


Judges = Callable[[], Sequence[RulesInUse]]
"""Returns by which rules each judge judges, as far as it says so."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One state service's database, settings, clock, escalation rules and measurements.

    Without a *measure* of its own a desk reads what the database holds, which is a few seconds
    behind the stream. Only a desk that follows the judges can tell whether they are *blind*.
    """

    store: Store
    settings: Settings
    decide: Decide
    clock: Clock = wall_clock
    measure: Measure = _unset
    blindness: Blindness = lambda: None
    judges: Judges = tuple
    scrapes: Scrapes = field(default_factory=Scrapes)
    chain: ChainWatch = field(default_factory=ChainWatch)
    ledger: LedgerWatch = field(default_factory=LedgerWatch)

    def __post_init__(self) -> None:
        """Measure by the database unless told otherwise."""
        if self.measure is _unset:
            object.__setattr__(self, "measure", self.measure_stored)

    def measure_stored(self, start: datetime, end: datetime) -> PeriodMetrics:
        """Return what the database says was done from *start* to *end*, by whole minutes.

        Raises:
            Unavailable: the database does not answer.
        """
        first, last = whole_minutes(start, end)
        with self.store.reading() as unit:
            counts = unit.minutes.total(first, last)
        return metrics_of(counts, start=first, end=last)

    @property
    def hours(self) -> BusinessHours:
        """Return when people work, for deadlines in business days."""
        return BusinessHours(self.settings.business_timezone, self.settings.business_end)

    def in_force_from(self, now: datetime, after: int = 0) -> int:
        """Return from when (ms of log time) a change made *now* is in force on every worker."""
        return in_force_from(now, lead=self.settings.control_lead_milliseconds, after=after)
