"""The runbook's decision trees, decided by durable-rules, with the rules that fired as reasons.

    facts ──► one rule for each answer ──► which questions said what ──► the outcome
              (shown to people)                                         (decided the same way)

`rules.decisions_reference` says the same in plain Python, and a property test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from rules import questions as q
from rules.host import Host, Inference, Is, Reaches
from rules.questions import AdjustmentFacts, ApprovalFacts, Decided, Facts, Outcome, RollbackFacts

APPROVAL: Final = (q.READY, q.APPROVED, q.CLEAR, q.SAFE, q.LONG)
ROLLBACK: Final = (q.CRITICAL, q.FAILING, q.TRIPPING, q.UNREADY, q.REQUESTED)
ADJUSTMENT: Final = (q.NOISY, q.MISSING, q.FREQUENT, q.SILENT)
_FIELDS: Final = ("first", "second", "third", "fourth", "fifth")
"""What the answers to a tree's questions are called when the outcome is decided on them."""


class DecisionTrees:
    """Answers the three trees; keeps nothing from one question to the next."""

    def __init__(self) -> None:
        """Take the engine of this process; the first one made registers the rules.

        Raises:
            Unavailable: durable-rules cannot be imported; says why.
        """
        self._host = _host()

    def approval(self, facts: ApprovalFacts) -> Decided:
        """Return whether to approve a proposal: the first question that says no decides.

        Raises:
            Refused: the facts cannot have been counted.
            Unavailable: durable-rules failed; asking again is safe.
        """
        return self._decided(facts, _approval(facts), "approvalAnswers", APPROVAL)

    def rollback(self, facts: RollbackFacts) -> Decided:
        """Return whether to give up the present phase: the gravest yes decides.

        Raises:
            Refused: the facts cannot have been counted.
            Unavailable: durable-rules failed; asking again is safe.
        """
        return self._decided(facts, _rollback(facts), "rollbackAnswers", ROLLBACK)

    def adjustment(self, facts: AdjustmentFacts) -> Decided:
        """Return whether to change a rule; one that missed an incident is never made duller.

        Raises:
            Refused: the facts cannot have been counted.
            Unavailable: durable-rules failed; asking again is safe.
        """
        return self._decided(facts, _adjustment(facts), "adjustmentAnswers", ADJUSTMENT)

    def _decided(
        self, facts: Facts, asked: Mapping[str, str | int], kind: str, questions: tuple[str, ...]
    ) -> Decided:
        """Ask the questions, and then what their answers come to."""
        q.check(facts)
        fired = self._host.fired(asked)
        answers = {
            field: int(name in fired) for field, name in zip(_FIELDS, questions, strict=False)
        }
        (outcome,) = self._host.fired({"kind": kind, **answers})
        return Decided(_OUTCOMES[outcome], fired)


@cache
def _host() -> Host:
    """Return the one host of this process: registering again would leak what it replaces."""
    return Host("decisions", INFERENCES)


def _approval(facts: ApprovalFacts) -> dict[str, str | int]:
    """Return a proposal as a fact; ``…Fails`` is the highest number that is not enough."""
    return {
        "kind": "approval",
        "score": facts.score,
        "scoreNeeded": facts.score_needed,
        "scoreFails": facts.score_needed - 1,
        "approvals": facts.approvals,
        "approvalsNeeded": facts.approvals_needed,
        "approvalsFail": facts.approvals_needed - 1,
        "unresolved": facts.unresolved,
        "one": 1,
        "risk": facts.risk,
        "riskLimit": facts.risk_limit,
        "riskFails": facts.risk_limit + 1,
        "days": facts.validation_days,
        "daysNeeded": facts.validation_needed,
        "daysFail": facts.validation_needed - 1,
    }


def _rollback(facts: RollbackFacts) -> dict[str, str | int]:
    """Return the present phase as a fact."""
    return {
        "kind": "rollback",
        "critical": facts.critical_incidents,
        "one": 1,
        "successKnown": int(facts.success_rate is not None),
        "success": facts.success_rate or 0,
        "successFails": facts.success_needed - 1,
        "trips": facts.trips,
        "tripsLimit": facts.trips_limit,
        "scoreKnown": int(facts.score is not None),
        "score": facts.score or 0,
        "scoreFails": facts.score_needed - 1,
        "requested": int(facts.requested),
    }


def _adjustment(facts: AdjustmentFacts) -> dict[str, str | int]:
    """Return a rule's record as a fact."""
    return {
        "kind": "adjustment",
        "rateKnown": int(facts.false_positive_rate is not None),
        "rate": facts.false_positive_rate or 0,
        "rateFails": facts.false_positive_limit + 1,
        "missed": facts.missed,
        "one": 1,
        "recent": facts.recent_triggers,
        "recentFails": facts.recent_limit + 1,
        "triggers": facts.triggers,
        "watched": int(facts.watched),
    }


def _stops(number: int, outcome: Outcome) -> Inference:
    """Return the inference that question *number* (from 0) is the first that says no."""
    before = tuple(Is(field, 1) for field in _FIELDS[:number])
    return Inference(
        f"approval {number}: {outcome}", "approvalAnswers", (*before, Is(_FIELDS[number], 0))
    )


_APPROVAL_STOPS: Final = (
    Outcome.REJECT,
    Outcome.WAIT,
    Outcome.REJECT,
    Outcome.REQUEST_MITIGATION,
    Outcome.EXTEND_PERIOD,
)

QUESTIONS: Final = (
    Inference(q.READY, "approval", (Reaches("score", "scoreNeeded"),)),
    Inference(q.NOT_READY, "approval", (Reaches("scoreFails", "score"),)),
    Inference(q.APPROVED, "approval", (Reaches("approvals", "approvalsNeeded"),)),
    Inference(q.NOT_APPROVED, "approval", (Reaches("approvalsFail", "approvals"),)),
    Inference(q.CLEAR, "approval", (Is("unresolved", 0),)),
    Inference(q.NOT_CLEAR, "approval", (Reaches("unresolved", "one"),)),
    Inference(q.SAFE, "approval", (Reaches("riskLimit", "risk"),)),
    Inference(q.NOT_SAFE, "approval", (Reaches("risk", "riskFails"),)),
    Inference(q.LONG, "approval", (Reaches("days", "daysNeeded"),)),
    Inference(q.NOT_LONG, "approval", (Reaches("daysFail", "days"),)),
    Inference(q.CRITICAL, "rollback", (Reaches("critical", "one"),)),
    Inference(q.FAILING, "rollback", (Is("successKnown", 1), Reaches("successFails", "success"))),
    Inference(q.TRIPPING, "rollback", (Reaches("trips", "tripsLimit"),)),
    Inference(q.UNREADY, "rollback", (Is("scoreKnown", 1), Reaches("scoreFails", "score"))),
    Inference(q.REQUESTED, "rollback", (Is("requested", 1),)),
    Inference(q.NOISY, "adjustment", (Is("rateKnown", 1), Reaches("rate", "rateFails"))),
    Inference(q.MISSING, "adjustment", (Reaches("missed", "one"),)),
    Inference(q.FREQUENT, "adjustment", (Reaches("recent", "recentFails"),)),
    Inference(q.SILENT, "adjustment", (Is("triggers", 0), Is("watched", 1))),
)
"""One rule for each answer that people are shown."""

_DECIDING: Final[dict[Inference, Outcome]] = {
    **{_stops(number, outcome): outcome for number, outcome in enumerate(_APPROVAL_STOPS)},
    Inference(
        "approval passes", "approvalAnswers", tuple(Is(field, 1) for field in _FIELDS)
    ): Outcome.APPROVE,
    Inference(
        "incident decides", "rollbackAnswers", (Is("first", 1),)
    ): Outcome.ROLL_BACK_IMMEDIATELY,
    Inference(
        "request decides", "rollbackAnswers", (Is("first", 0), Is("fifth", 1))
    ): Outcome.ROLL_BACK_WITH_APPROVAL,
    **{
        Inference(
            f"doubt {number} decides",
            "rollbackAnswers",
            (
                Is("first", 0),
                Is("fifth", 0),
                *(Is(field, 0) for field in _FIELDS[1:number]),
                Is(_FIELDS[number], 1),
            ),
        ): Outcome.CONSIDER_ROLLBACK
        for number in (1, 2, 3)
    },
    Inference(
        "nothing speaks for a rollback", "rollbackAnswers", tuple(Is(field, 0) for field in _FIELDS)
    ): Outcome.STAY,
    Inference("a miss decides", "adjustmentAnswers", (Is("second", 1),)): Outcome.MORE_SENSITIVE,
    Inference(
        "noise decides", "adjustmentAnswers", (Is("second", 0), Is("first", 1))
    ): Outcome.LESS_SENSITIVE,
    Inference(
        "frequency decides",
        "adjustmentAnswers",
        (Is("second", 0), Is("first", 0), Is("third", 1)),
    ): Outcome.INCREASE_THRESHOLD,
    Inference(
        "silence decides",
        "adjustmentAnswers",
        (Is("second", 0), Is("first", 0), Is("third", 0), Is("fourth", 1)),
    ): Outcome.DECREASE_OR_REMOVE,
    Inference(
        "nothing speaks for a change",
        "adjustmentAnswers",
        tuple(Is(field, 0) for field in _FIELDS[:4]),
    ): Outcome.KEEP,
}
"""Exactly one of a tree's fires on its answers: they exclude each other."""

INFERENCES: Final = (*QUESTIONS, *_DECIDING)
"""All three trees; the order is the order in which they fire."""

_OUTCOMES: Final = {inference.name: outcome for inference, outcome in _DECIDING.items()}
