"""Validation: after a rise, what automation does decides whether the phase is kept.

What people approved one by one says nothing of it: neither their successes nor their failures.

running ──┬─► successful     the period is over, and everything was good enough
          ├─► failed         a critical incident that automation caused, or too many failures
          │                  among enough autonomous attempts
          └─► inconclusive   too few of those at the end, also after one extension:
                             people decide then, and nothing is proposed until they do
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from governance.metrics import PeriodMetrics
from schemas.events import Severity
from schemas.governance import Phase
from schemas.wire import Moment, Wire

SUCCESS_NEEDED: Final = 0.995
"""The runbook's success rate; one below it, on enough attempts, fails a validation."""

MINUTE: Final = timedelta(minutes=1)


class ValidationStatus(StrEnum):
    """How a validation stands."""

    RUNNING = "running"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class Criteria(Wire):
    """What a validation asks for; fixed when it begins."""

    success_rate: float = SUCCESS_NEEDED
    critical_incidents: int = 0
    samples: int


class Progress(Wire):
    """How far a validation has come; ``samples`` are autonomous attempts.

    ``forecast`` is how many there will be at the end.

    ``elapsed`` is the share of the period that has passed, 0..1.
    """

    at: Moment
    elapsed: float
    days_left: float
    samples: int
    forecast: int | None
    success_rate: float | None
    critical_incidents: int


class Validation(Wire):
    """One phase on trial. It blocks further rises until ``ended_at`` is set."""

    proposal_id: str
    phase: Phase
    previous_phase: Phase
    started_at: Moment
    ends_at: Moment
    status: ValidationStatus = ValidationStatus.RUNNING
    extended: bool = False
    criteria: Criteria
    progress: Progress | None = None
    ended_at: Moment | None = None
    reason: str | None = None

    @property
    def counted_from(self) -> datetime:
        """Return the first whole minute of the phase: what is counted is kept by minutes."""
        floor = self.started_at.replace(second=0, microsecond=0)
        return floor if floor == self.started_at else floor + MINUTE

    @property
    def severity(self) -> Severity:
        """Return how grave its failure is: a critical incident takes all autonomy."""
        found = self.progress.critical_incidents if self.progress else 0
        critical = found > self.criteria.critical_incidents
        return Severity.CRITICAL if critical else Severity.HIGH

    def ended(self, status: ValidationStatus, now: datetime, reason: str) -> Validation:
        """Return it ended at *now*."""
        return self.model_copy(update={"status": status, "ended_at": now, "reason": reason})


def judged(validation: Validation, metrics: PeriodMetrics, now: datetime) -> Validation:
    """Return *validation* as it stands at *now*, on what was counted since it began."""
    if validation.ended_at is not None:
        return validation
    seen = validation.model_copy(update={"progress": _progress(validation, metrics, now)})
    failure = _failure(seen)
    if failure is not None:
        return seen.ended(ValidationStatus.FAILED, now, failure)
    if now < seen.ends_at or seen.status is ValidationStatus.INCONCLUSIVE:
        return seen
    return _at_the_end(seen, now)


def _progress(validation: Validation, metrics: PeriodMetrics, now: datetime) -> Progress:
    """Return how far *validation* has come."""
    length = validation.ends_at - validation.started_at
    elapsed = min(1.0, max(0.0, (now - validation.started_at) / length))
    samples = metrics.autonomous.attempts
    return Progress(
        at=now,
        elapsed=round(elapsed, 4),
        days_left=round(max(timedelta(), validation.ends_at - now) / timedelta(days=1), 2),
        samples=samples,
        forecast=round(samples / elapsed) if elapsed else None,
        success_rate=metrics.autonomous.success_rate,
        critical_incidents=metrics.incidents.critical_from_autonomous_actions,
    )


def _failure(validation: Validation) -> str | None:
    """Return why it fails already, or None."""
    seen, wanted = validation.progress, validation.criteria
    if seen is None:
        return None
    if seen.critical_incidents > wanted.critical_incidents:
        return (
            f"{seen.critical_incidents} critical incident(s) from autonomous actions at "
            f"{validation.phase}"
        )
    if seen.samples < wanted.samples or seen.success_rate is None:
        return None
    if seen.success_rate < wanted.success_rate:
        needed = f"{wanted.success_rate:.1%}"
        return (
            f"{seen.success_rate:.3%} of {seen.samples} autonomous attempts succeeded, "
            f"below {needed}"
        )
    return None


def _at_the_end(validation: Validation, now: datetime) -> Validation:
    """Return what becomes of it when its period is over and nothing failed."""
    samples = validation.progress.samples if validation.progress else 0
    if samples >= validation.criteria.samples:
        reason = f"{samples} autonomous attempts met every criterion"
        return validation.ended(ValidationStatus.SUCCESSFUL, now, reason)
    too_few = f"{samples} of {validation.criteria.samples} autonomous attempts that it needs"
    if validation.extended:
        return validation.model_copy(
            update={"status": ValidationStatus.INCONCLUSIVE, "reason": too_few}
        )
    length = validation.ends_at - validation.started_at
    return validation.model_copy(
        update={
            "extended": True,
            "ends_at": validation.ends_at + length,
            "reason": f"extended once: {too_few}",
        }
    )
