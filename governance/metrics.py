"""Rates and counts over a period, as the API, the reports and the readiness checks read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rules.metrics import METRICS
from schemas.tallies import Column
from schemas.wire import Moment, Wire, from_ms, to_ms

MINUTE: Final = 60_000
"""Milliseconds in the shortest period that is kept."""


class Period(Wire):
    """From ``start`` (inside) to ``end`` (outside), in whole minutes of event time."""

    start: Moment
    end: Moment


class CommandCounts(Wire):
    """Commands by outcome; ``failed`` includes time-outs, ``total`` is attempts plus rejected."""

    total: int
    proposed: int
    approved: int
    rejected: int
    succeeded: int
    failed: int
    timed_out: int
    rolled_back: int
    overridden: int


class Rates(Wire):
    """Rates 0..1; None while nothing was counted below the line."""

    success_rate: float | None
    approval_rate: float | None
    rollback_rate: float | None
    error_rate: float | None


class AutonomousCounts(Wire):
    """Attempts that nobody had approved; ``success_rate`` is None while there were none."""

    succeeded: int
    failed: int
    success_rate: float | None

    @property
    def attempts(self) -> int:
        """Return how many there were."""
        return self.succeeded + self.failed


class IncidentCounts(Wire):
    """Incidents, in all, the critical ones, and those that autonomous actions caused."""

    total: int
    critical: int
    from_autonomous_actions: int
    critical_from_autonomous_actions: int


class SafetyCounts(Wire):
    """How often a safety system stepped in."""

    constraint_violations: int
    emergency_aborts: int
    safety_gate_triggers: int


class PeriodMetrics(Wire):
    """``GET /api/metrics/latest`` and its kin."""

    period: Period
    commands: CommandCounts
    rates: Rates
    incidents: IncidentCounts
    safety: SafetyCounts
    autonomous: AutonomousCounts = AutonomousCounts(succeeded=0, failed=0, success_rate=None)


def whole_minutes(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return the period widened to whole minutes of event time.

    The minute that holds *start* counts as a whole, and so does the one that holds *end*.
    """
    return from_ms(to_ms(start) // MINUTE * MINUTE), from_ms(-(-to_ms(end) // MINUTE) * MINUTE)


def metrics_of(counts: Sequence[int], *, start: datetime, end: datetime) -> PeriodMetrics:
    """Return what *counts* (one number per `Column`) say about the period."""
    return PeriodMetrics(
        period=Period(start=start, end=end),
        commands=_commands(counts),
        rates=Rates(
            success_rate=_rate("successRate", counts),
            approval_rate=_rate("approvalRate", counts),
            rollback_rate=_rate("rollbackRate", counts),
            error_rate=_rate("errorRate", counts),
        ),
        incidents=_incidents(counts),
        autonomous=_autonomous(counts),
        safety=SafetyCounts(
            constraint_violations=counts[Column.CONSTRAINT_VIOLATION],
            emergency_aborts=counts[Column.EMERGENCY_ABORT],
            safety_gate_triggers=counts[Column.SAFETY_GATE_TRIGGER],
        ),
    )


def _rate(metric: str, counts: Sequence[int]) -> float | None:
    """Return a rate by the one definition that the rules use too."""
    return METRICS[metric].value(counts)


def _commands(counts: Sequence[int]) -> CommandCounts:
    """Return the commands by outcome."""
    failed = counts[Column.FAILED] + counts[Column.TIMED_OUT]
    succeeded, rejected = counts[Column.SUCCEEDED], counts[Column.REJECTED]
    return CommandCounts(
        total=succeeded + failed + rejected,
        proposed=counts[Column.PROPOSED],
        approved=counts[Column.APPROVED],
        rejected=rejected,
        succeeded=succeeded,
        failed=failed,
        timed_out=counts[Column.TIMED_OUT],
        rolled_back=counts[Column.ROLLED_BACK],
        overridden=counts[Column.OVERRIDDEN],
    )


def _autonomous(counts: Sequence[int]) -> AutonomousCounts:
    """Return the attempts that nobody had approved."""
    succeeded, failed = counts[Column.SUCCEEDED_AUTONOMOUS], counts[Column.FAILED_AUTONOMOUS]
    attempts = succeeded + failed
    return AutonomousCounts(
        succeeded=succeeded,
        failed=failed,
        success_rate=succeeded / attempts if attempts else None,
    )


def _incidents(counts: Sequence[int]) -> IncidentCounts:
    """Return the incidents."""
    return IncidentCounts(
        total=sum(counts[Column.INCIDENT_CRITICAL : Column.INCIDENT_LOW + 1]),
        critical=counts[Column.INCIDENT_CRITICAL],
        from_autonomous_actions=counts[Column.INCIDENT_AUTONOMOUS],
        critical_from_autonomous_actions=counts[Column.INCIDENT_CRITICAL_AUTONOMOUS],
    )
