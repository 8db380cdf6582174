"""Metrics over time: a point for each minute, hour or day, and one period beside another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from governance.metrics import PeriodMetrics, metrics_of
from governance.rollups import COARSEST_FIRST, Step, Stretch
from schemas.errors import BadRequest
from schemas.tallies import WIDTH, Counts
from schemas.wire import Wire, from_ms, iso_ms, to_ms

MOST: Final = 2_000
"""Points in one history at most."""

ENOUGH: Final = 200
"""Points that a history has at most if nobody asks for a step: as many as a chart shows well."""


class Changes(Wire):
    """How much larger a number is than in the period before; None where either is missing.

    Rates change in points of 0..1, the rest in whole numbers.
    """

    attempts: int
    failed: int
    success_rate: float | None
    approval_rate: float | None
    rollback_rate: float | None
    error_rate: float | None
    critical_incidents: int
    constraint_violations: int
    readiness_score: float | None


class Comparison(Wire):
    """One period beside the one before it, as long and without a gap."""

    current: PeriodMetrics
    previous: PeriodMetrics
    current_readiness: float | None
    previous_readiness: float | None
    change: Changes


def stretch_of(start: datetime, end: datetime, step: Step | None) -> Stretch:
    """Return the points from *start* to *end*, widened to whole ones.

    Without a *step* it is the finest that needs few points.

    Raises:
        BadRequest: that many points would be too many; says which step would do.
    """
    if step is None:
        step = finest(start, end, most=ENOUGH)
    found = _widened(start, end, step)
    if count(found) > MOST:
        better = finest(start, end, most=MOST)
        would = f"step={better}" if better.milliseconds > step.milliseconds else "a shorter period"
        raise BadRequest(
            f"{count(found)} points are more than {MOST}; {would} would do", field="step"
        )
    return found


def finest(start: datetime, end: datetime, *, most: int) -> Step:
    """Return the finest step with *most* points or fewer, or days if there is none."""
    fits = [step for step in COARSEST_FIRST if count(_widened(start, end, step)) <= most]
    return fits[-1] if fits else Step.DAY


def count(stretch: Stretch) -> int:
    """Return how many points *stretch* has."""
    return (stretch.last - stretch.first) // stretch.step.milliseconds


def history(stretch: Stretch, rows: Mapping[str, Counts]) -> list[PeriodMetrics]:
    """Return a point for each step of *stretch*; one without a row counts nothing."""
    empty: Sequence[int] = [0] * WIDTH
    length = stretch.step.milliseconds
    return [
        metrics_of(
            rows.get(iso_ms(first), empty), start=from_ms(first), end=from_ms(first + length)
        )
        for first in range(stretch.first, stretch.last, length)
    ]


def compared(
    current: PeriodMetrics,
    previous: PeriodMetrics,
    *,
    current_readiness: float | None,
    previous_readiness: float | None,
) -> Comparison:
    """Return *current* beside *previous*, with what changed."""
    new, old = current.rates, previous.rates
    return Comparison(
        current=current,
        previous=previous,
        current_readiness=current_readiness,
        previous_readiness=previous_readiness,
        change=Changes(
            attempts=_attempts(current) - _attempts(previous),
            failed=current.commands.failed - previous.commands.failed,
            success_rate=_difference(new.success_rate, old.success_rate),
            approval_rate=_difference(new.approval_rate, old.approval_rate),
            rollback_rate=_difference(new.rollback_rate, old.rollback_rate),
            error_rate=_difference(new.error_rate, old.error_rate),
            critical_incidents=current.incidents.critical - previous.incidents.critical,
            constraint_violations=current.safety.constraint_violations
            - previous.safety.constraint_violations,
            readiness_score=_difference(current_readiness, previous_readiness),
        ),
    )


def before(start: datetime, length: timedelta) -> tuple[datetime, datetime]:
    """Return the period of *length* that ends where another starts."""
    return start - length, start


def _widened(start: datetime, end: datetime, step: Step) -> Stretch:
    """Return the whole steps that hold ``[start, end)``."""
    length = step.milliseconds
    return Stretch(step, to_ms(start) // length * length, -(-to_ms(end) // length) * length)


def _attempts(metrics: PeriodMetrics) -> int:
    """Return how many commands were attempted."""
    return metrics.commands.succeeded + metrics.commands.failed


def _difference(new: float | None, old: float | None) -> float | None:
    """Return how much larger *new* is, or None where there is nothing to compare."""
    return None if new is None or old is None else new - old
