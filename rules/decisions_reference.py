"""The runbook's decision trees, said in plain Python: the measure for `rules.decisions`.

The engine that answers in production is durable-rules. These are the same trees without it; a
property test compares the two, and this is what to read to know them.
"""

from __future__ import annotations

from rules import questions as q
from rules.questions import AdjustmentFacts, ApprovalFacts, Decided, Outcome, RollbackFacts


def approval(facts: ApprovalFacts) -> Decided:
    """Return whether to approve a proposal: the first question that says no decides.

    Raises:
        Refused: the facts cannot have been counted.
    """
    q.check(facts)
    asked = (
        (facts.score >= facts.score_needed, q.READY, q.NOT_READY, Outcome.REJECT),
        (facts.approvals >= facts.approvals_needed, q.APPROVED, q.NOT_APPROVED, Outcome.WAIT),
        (facts.unresolved == 0, q.CLEAR, q.NOT_CLEAR, Outcome.REJECT),
        (facts.risk <= facts.risk_limit, q.SAFE, q.NOT_SAFE, Outcome.REQUEST_MITIGATION),
        (facts.validation_days >= facts.validation_needed, q.LONG, q.NOT_LONG,
         Outcome.EXTEND_PERIOD),
    )  # fmt: skip
    fired = tuple(yes if holds else no for holds, yes, no, _ in asked)
    stops = (outcome for holds, _, _, outcome in asked if not holds)
    return Decided(next(stops, Outcome.APPROVE), fired)


def rollback(facts: RollbackFacts) -> Decided:
    """Return whether to give up the present phase: the gravest yes decides.

    Raises:
        Refused: the facts cannot have been counted.
    """
    q.check(facts)
    fails = facts.success_rate is not None and facts.success_rate < facts.success_needed
    unready = facts.score is not None and facts.score < facts.score_needed
    asked = (
        (facts.critical_incidents > 0, q.CRITICAL),
        (fails, q.FAILING),
        (facts.trips >= facts.trips_limit, q.TRIPPING),
        (unready, q.UNREADY),
        (facts.requested, q.REQUESTED),
    )
    fired = tuple(name for holds, name in asked if holds)
    gravest = (
        (q.CRITICAL in fired, Outcome.ROLL_BACK_IMMEDIATELY),
        (q.REQUESTED in fired, Outcome.ROLL_BACK_WITH_APPROVAL),
        (bool(fired), Outcome.CONSIDER_ROLLBACK),
    )
    return Decided(next((outcome for holds, outcome in gravest if holds), Outcome.STAY), fired)


def adjustment(facts: AdjustmentFacts) -> Decided:
    """Return whether to change a rule; one that missed an incident is never made duller.

    Raises:
        Refused: the facts cannot have been counted.
    """
    q.check(facts)
    rate = facts.false_positive_rate
    asked = (
        (rate is not None and rate > facts.false_positive_limit, q.NOISY, Outcome.LESS_SENSITIVE),
        (facts.missed > 0, q.MISSING, Outcome.MORE_SENSITIVE),
        (facts.recent_triggers > facts.recent_limit, q.FREQUENT, Outcome.INCREASE_THRESHOLD),
        (facts.triggers == 0 and facts.watched, q.SILENT, Outcome.DECREASE_OR_REMOVE),
    )
    fired = tuple(name for holds, name, _ in asked if holds)
    advised = [outcome for holds, _, outcome in asked if holds]
    if Outcome.MORE_SENSITIVE in advised:
        return Decided(Outcome.MORE_SENSITIVE, fired)
    return Decided(advised[0] if advised else Outcome.KEEP, fired)
