"""The runbook's decision trees as data: the questions, the facts they are asked on, the answers.

    approve?  ready ─► approvals ─► no unresolved events ─► risk ─► validation ─► approve
    roll back?  critical incident · success · breakers · readiness · somebody asks
    adjust?     false positives · missed · too often · never

Every fact is a whole number with its limit beside it: rates and scores are in parts of ten
thousand, so that no comparison is one of floats. None means that nothing was counted, and
answers no question.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from schemas.errors import Refused

WHOLE: Final = 10_000
"""What 1.0 is in whole numbers."""

MOST: Final = 1_000_000_000_000
"""What no honest count exceeds."""


class Outcome(StrEnum):
    """What a tree comes to, in the runbook's words."""

    APPROVE = "approve"
    REJECT = "reject"
    WAIT = "wait"
    REQUEST_MITIGATION = "request_mitigation"
    EXTEND_PERIOD = "extend_period"

    ROLL_BACK_IMMEDIATELY = "roll_back_immediately"
    ROLL_BACK_WITH_APPROVAL = "roll_back_with_approval"
    CONSIDER_ROLLBACK = "consider_rollback"
    STAY = "stay"

    MORE_SENSITIVE = "make_more_sensitive"
    LESS_SENSITIVE = "make_less_sensitive"
    INCREASE_THRESHOLD = "increase_threshold"
    DECREASE_OR_REMOVE = "decrease_threshold_or_remove"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalFacts:
    """What “Should I approve this expansion proposal?” stands on.

    ``risk`` and ``risk_limit`` are 1 (low) to 3 (high); the validation period is in days.
    """

    score: int
    score_needed: int = 9_500
    approvals: int
    approvals_needed: int
    unresolved: int
    risk: int
    risk_limit: int
    validation_days: int
    validation_needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackFacts:
    """What “Should I roll back the current phase?” stands on."""

    critical_incidents: int
    success_rate: int | None
    success_needed: int = 9_900
    trips: int
    trips_limit: int = 3
    score: int | None
    score_needed: int = 8_000
    requested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentFacts:
    """What “Should I adjust this circuit breaker rule?” stands on.

    ``triggers`` is over the period that the rule is judged by, ``recent_triggers`` over the
    last week, and ``watched`` says whether it has been in force for that whole period.
    """

    triggers: int
    false_positive_rate: int | None
    false_positive_limit: int = 500
    missed: int
    recent_triggers: int
    recent_limit: int = 7
    watched: bool


Facts = ApprovalFacts | RollbackFacts | AdjustmentFacts


@dataclass(frozen=True, slots=True)
class Decided:
    """What a tree came to, and the names of the rules that fired, in order."""

    outcome: Outcome
    fired: tuple[str, ...]


READY: Final = "readiness score is high enough"
NOT_READY: Final = "readiness score is too low: reject"
APPROVED: Final = "all required approvals are there"
NOT_APPROVED: Final = "required approvals are missing: wait"
CLEAR: Final = "no breaker event is unresolved"
NOT_CLEAR: Final = "breaker events are unresolved: reject"
SAFE: Final = "risk level is acceptable"
NOT_SAFE: Final = "risk level is too high: request mitigation"
LONG: Final = "validation period is sufficient"
NOT_LONG: Final = "validation period is too short: extend it"

CRITICAL: Final = "critical incident: roll back immediately"
FAILING: Final = "success rate is too low: consider rollback"
TRIPPING: Final = "breakers trigger frequently: consider rollback"
UNREADY: Final = "readiness score is too low: consider rollback"
REQUESTED: Final = "stakeholders request it: roll back with approval"

NOISY: Final = "false positive rate is too high: make less sensitive"
MISSING: Final = "a real incident was missed: make more sensitive"
FREQUENT: Final = "triggers too frequently: increase the threshold"
SILENT: Final = "never triggers: decrease the threshold or remove"


def check(facts: Facts) -> None:
    """Check that every number is one that can have been counted.

    Raises:
        Refused: one is negative or beyond `MOST`.
    """
    for field in fields(facts):
        value = getattr(facts, field.name)
        if value is not None and not 0 <= value <= MOST:
            raise Refused(f"{field.name} is {value}, which nobody can have counted")
