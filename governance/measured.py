"""What the service measures for the readiness checklist, as functions of facts and a moment.

Silence is never health: a rate over nothing, or no incident where nothing was attempted, does
not meet an item.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from governance.audit import ChainReport
from governance.checklist import Measured
from governance.metrics import PeriodMetrics
from schemas.governance import Phase
from schemas.wire import iso

MONTH: Final = timedelta(days=30)
"""A month of the checklist, and how far back rates look."""

LONG_ENOUGH: Final = 6 * MONTH
"""How long a phase must have been held, and how far back critical incidents count at most."""

SCRAPED_WITHIN: Final = timedelta(minutes=5)
"""How long ago Prometheus may have asked last: several times its usual interval."""

SUCCESS_ABOVE: Final = 0.995
APPROVAL_ABOVE: Final = 0.8
ROLLBACK_BELOW: Final = 0.02


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at the moment of an assessment.

    ``recent`` is of the last month; ``phase_long`` of `incident_period`. ``rules`` counts the
    rules in force and ``lowering_rules`` those of them that take autonomy away.
    ``cooldown_until`` is when the cooldown that runs now ends, None while none does.
    """

    phase: Phase
    phase_start: datetime
    recent: PeriodMetrics
    phase_long: PeriodMetrics
    rules: int
    lowering_rules: int
    scraped_at: datetime | None
    chain: ChainReport
    unresolved: int
    cooldown_until: datetime | None = None


class Status(NamedTuple):
    """Whether an item is met, and the numbers that say so."""

    met: bool
    details: str


def incident_period(phase_start: datetime, now: datetime) -> tuple[datetime, datetime]:
    """Return the period in which no autonomous action may have caused a critical incident.

    The whole phase, so that an incident counts as long as the record that autonomy stands on;
    a month at least, so that losing a phase does not wipe the record; and six months at most,
    so that a record can be mended.
    """
    return max(now - LONG_ENOUGH, min(phase_start, now - MONTH)), now


def measure(check: Measured, facts: Facts, now: datetime) -> Status:
    """Return whether what *check* measures is good enough."""
    return _MEASURES[check](facts, now)


def _months_at_phase(facts: Facts, now: datetime) -> Status:
    """Six months of thirty days since the phase began."""
    held = now - facts.phase_start
    return Status(held >= LONG_ENOUGH, f"{held.days} of {LONG_ENOUGH.days} days at {facts.phase}")


def _success_rate(facts: Facts, now: datetime) -> Status:
    """The share of attempts that succeeded in the last month."""
    del now
    rate = facts.recent.rates.success_rate
    return _rated(rate, met=rate is not None and rate > SUCCESS_ABOVE, of=_attempts(facts.recent))


def _approval_rate(facts: Facts, now: datetime) -> Status:
    """The share of proposed commands that people approved in the last month."""
    del now
    rate, proposed = facts.recent.rates.approval_rate, facts.recent.commands.proposed
    met = rate is not None and rate > APPROVAL_ABOVE
    return _rated(rate, met=met, of=f"{proposed} proposed commands")


def _rollback_rate(facts: Facts, now: datetime) -> Status:
    """The share of successes that were rolled back in the last month."""
    del now
    rate, succeeded = facts.recent.rates.rollback_rate, facts.recent.commands.succeeded
    met = rate is not None and rate < ROLLBACK_BELOW
    return _rated(rate, met=met, of=f"{succeeded} successes")


def _critical_incidents(facts: Facts, now: datetime) -> Status:
    """No critical incident that an autonomous action caused, while something was attempted."""
    del now
    found = facts.phase_long.incidents.critical_from_autonomous_actions
    since = iso(facts.phase_long.period.start)[:10]
    counts = facts.phase_long.commands
    watched = counts.succeeded + counts.failed > 0
    said = f"{found} from autonomous actions in {_attempts(facts.phase_long)} since {since}"
    return Status(found == 0 and watched, said)


def _breakers(facts: Facts, now: datetime) -> Status:
    """At least one rule in force takes autonomy away when it trips."""
    del now
    said = f"{facts.rules} rules in force, {facts.lowering_rules} of them lower autonomy"
    return Status(facts.lowering_rules > 0, said)


def _monitoring(facts: Facts, now: datetime) -> Status:
    """Prometheus asked within the last minutes."""
    if facts.scraped_at is None:
        return Status(False, "/metrics was not scraped since this service started")
    ago = now - facts.scraped_at
    return Status(ago <= SCRAPED_WITHIN, f"/metrics was scraped {ago.total_seconds():.0f} s ago")


def _audit_chain(facts: Facts, now: datetime) -> Status:
    """Every row of the audit log is as it was written."""
    del now
    chain = facts.chain
    if chain.intact:
        return Status(True, f"the chain of {chain.rows} audit rows verifies")
    return Status(False, f"row {chain.broken_at}: {chain.problem}")


def _rated(rate: float | None, *, met: bool, of: str) -> Status:
    """Return a rate as an item's status."""
    said = "nothing was counted" if rate is None else f"{rate:.3%} of {of}"
    return Status(met, f"{said} in the last {MONTH.days} days")


def _attempts(metrics: PeriodMetrics) -> str:
    """Return how many attempts a status stands on."""
    return f"{metrics.commands.succeeded + metrics.commands.failed} attempts"


_MEASURES: Final[dict[Measured, Callable[[Facts, datetime], Status]]] = {
    Measured.MONTHS_AT_PHASE: _months_at_phase,
    Measured.SUCCESS_RATE: _success_rate,
    Measured.APPROVAL_RATE: _approval_rate,
    Measured.ROLLBACK_RATE: _rollback_rate,
    Measured.CRITICAL_INCIDENTS: _critical_incidents,
    Measured.BREAKERS: _breakers,
    Measured.MONITORING: _monitoring,
    Measured.AUDIT_CHAIN: _audit_chain,
}
