"""The one catalogue of metrics: what may stand in a condition, and how each is computed.

A metric is a sum of columns of a window's counts, or the quotient of two such sums. Everything
that shows, exports or judges a metric takes it from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.actions import Reading
from schemas.events import Severity
from schemas.tallies import Column, SampleClass

PREFIX: Final = "commandType."
"""Before a metric's name it makes the rule per command type: ``commandType.failures``."""

SEVERITY_NAME: Final = "incident.severity"
"""Not a metric: compared with a severity it asks whether the window holds such an incident."""

ATTEMPTS: Final = (Column.SUCCEEDED, Column.FAILED, Column.TIMED_OUT)
FAILURES: Final = (Column.FAILED, Column.TIMED_OUT)


class Unit(StrEnum):
    """What a metric measures."""

    RATE = "rate"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the catalogue.

    ``denominator`` is None for counts. ``sample_classes`` are the kinds of bad events that
    people want to see when a rule on this metric trips.
    """

    name: str
    unit: Unit
    numerator: tuple[Column, ...]
    denominator: tuple[Column, ...] | None
    description: str
    sample_classes: tuple[SampleClass, ...] = ()

    def reading(self, counts: Sequence[int]) -> Reading:
        """Return the metric as *counts* (one number per `Column`) have it.

        A rate over nothing has the value None, not 0: what nobody runs is not healthy. A count
        stands on the events that it counts.
        """
        above, below = self._parts(counts)
        return Reading(
            metric=self.name,
            value=self.value(counts),
            numerator=above,
            denominator=below,
            samples=above if below is None else below,
        )

    def value(self, counts: Sequence[int]) -> float | None:
        """Return the value of the `reading` alone, which is quicker to have."""
        above, below = self._parts(counts)
        if below is None:
            return above
        return above / below if below else None

    def _parts(self, counts: Sequence[int]) -> tuple[int, int | None]:
        """Return the sums above and below the line; a count has nothing below it."""
        above = sum([counts[column] for column in self.numerator])
        if self.denominator is None:
            return above, None
        return above, sum([counts[column] for column in self.denominator])


def _rate(
    name: str,
    above: tuple[Column, ...],
    below: tuple[Column, ...],
    *,
    shows: tuple[SampleClass, ...] = (),
    says: str,
) -> Metric:
    """Return a rate: the share of *above* in *below*."""
    return Metric(name, Unit.RATE, above, below, says, shows)


def _count(name: str, *columns: Column, shows: tuple[SampleClass, ...] = (), says: str) -> Metric:
    """Return a count: the sum of *columns*."""
    return Metric(name, Unit.COUNT, columns, None, says, shows)


_FAILED: Final = (SampleClass.FAILURE,)
_INCIDENT: Final = (SampleClass.INCIDENT,)
_SAFETY: Final = (SampleClass.SAFETY,)

SEVERITY_COLUMN: Final = {
    Severity.CRITICAL: Column.INCIDENT_CRITICAL,
    Severity.HIGH: Column.INCIDENT_HIGH,
    Severity.MEDIUM: Column.INCIDENT_MEDIUM,
    Severity.LOW: Column.INCIDENT_LOW,
}
"""The column that counts the incidents of a severity."""

_ALL: Final = (
    _rate(
        "errorRate",
        FAILURES,
        ATTEMPTS,
        shows=_FAILED,
        says="Share of attempts that failed or timed out.",
    ),
    _rate(
        "successRate",
        (Column.SUCCEEDED,),
        ATTEMPTS,
        shows=_FAILED,
        says="Share of attempts that succeeded.",
    ),
    _rate(
        "rollbackRate",
        (Column.ROLLED_BACK,),
        (Column.SUCCEEDED,),
        shows=(SampleClass.ROLLBACK,),
        says="Roll-backs per success, at the time of the roll-back.",
    ),
    _rate(
        "approvalRate",
        (Column.APPROVED,),
        (Column.PROPOSED,),
        says="Approvals per proposed command.",
    ),
    _rate(
        "overrideRate",
        (Column.OVERRIDDEN,),
        ATTEMPTS,
        shows=(SampleClass.OVERRIDE,),
        says="Commands that people overrode, per attempt.",
    ),
    _count(
        "attempts",
        *ATTEMPTS,
        shows=_FAILED,
        says="Commands that ended: succeeded, failed or timed out.",
    ),
    _count("total", *ATTEMPTS, Column.REJECTED, shows=_FAILED, says="Attempts and rejections."),
    _count("proposed", Column.PROPOSED, says="Commands that automation asked for."),
    _count("approved", Column.APPROVED, says="Proposed commands that people approved."),
    _count("rejected", Column.REJECTED, says="Proposed commands that people rejected."),
    _count("succeeded", Column.SUCCEEDED, says="Commands that succeeded."),
    _count("failures", *FAILURES, shows=_FAILED, says="Commands that failed or timed out."),
    _count(
        "timedOut",
        Column.TIMED_OUT,
        shows=_FAILED,
        says="Commands that timed out; `failures` holds them too.",
    ),
    _count(
        "rolledBack",
        Column.ROLLED_BACK,
        shows=(SampleClass.ROLLBACK,),
        says="Commands that were rolled back.",
    ),
    _count(
        "overridden",
        Column.OVERRIDDEN,
        shows=(SampleClass.OVERRIDE,),
        says="Commands that people overrode.",
    ),
    _count(
        "incidents.total",
        *SEVERITY_COLUMN.values(),
        shows=_INCIDENT,
        says="Incidents of any severity.",
    ),
    _count(
        "incidents.critical", Column.INCIDENT_CRITICAL, shows=_INCIDENT, says="Critical incidents."
    ),
    _count("incidents.high", Column.INCIDENT_HIGH, shows=_INCIDENT, says="High incidents."),
    _count("incidents.medium", Column.INCIDENT_MEDIUM, shows=_INCIDENT, says="Medium incidents."),
    _count("incidents.low", Column.INCIDENT_LOW, shows=_INCIDENT, says="Low incidents."),
    _count(
        "incidents.fromAutonomousActions",
        Column.INCIDENT_AUTONOMOUS,
        shows=_INCIDENT,
        says="Incidents that an autonomous action caused.",
    ),
    _count(
        "incidents.criticalFromAutonomousActions",
        Column.INCIDENT_CRITICAL_AUTONOMOUS,
        shows=_INCIDENT,
        says="Critical incidents that an autonomous action caused.",
    ),
    _count(
        "constraintViolations",
        Column.CONSTRAINT_VIOLATION,
        shows=_SAFETY,
        says="Constraint violations that a safety system reported.",
    ),
    _count("emergencyAborts", Column.EMERGENCY_ABORT, shows=_SAFETY, says="Emergency aborts."),
    _count(
        "safetyGateTriggers",
        Column.SAFETY_GATE_TRIGGER,
        shows=_SAFETY,
        says="Commands that a safety gate stopped.",
    ),
)

METRICS: Final[dict[str, Metric]] = {metric.name: metric for metric in _ALL}
"""Every metric by name, in the order in which people read them."""

SEVERITY_METRIC: Final = {
    severity: METRICS[f"incidents.{severity}"] for severity in SEVERITY_COLUMN
}
"""The metric that counts the incidents of a severity."""
