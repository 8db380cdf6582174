"""The runbook's decision trees as people see them: each question with its number. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from governance.rule_quality import RuleQuality
from rules import questions as q
from rules.questions import WHOLE, AdjustmentFacts, ApprovalFacts, Decided, Outcome, RollbackFacts
from schemas.wire import Moment, Wire


class Answer(StrEnum):
    """What a question was answered; unknown where nothing was counted."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Question(Wire):
    """One question of the runbook, its answer, and the numbers that answer it.

    ``value`` is None where nothing was counted; ``leads_to`` is what the answer speaks for.
    """

    number: int
    question: str
    answer: Answer
    value: float | int | None
    limit: float | int
    leads_to: str


class DecisionAnswer(Wire):
    """What a tree comes to now; ``fired`` names the rules that decided, in order."""

    tree: str
    subject: str
    at: Moment
    outcome: Outcome
    questions: list[Question]
    fired: list[str]


def approval_answer(
    facts: ApprovalFacts, decided: Decided, *, subject: str, at: Moment
) -> DecisionAnswer:
    """Return “Should I approve this expansion proposal?” with its five answers."""
    asked = (
        ("Is readiness score ≥ 95%?", q.READY, facts.score / WHOLE, facts.score_needed / WHOLE,
         ("continue", Outcome.REJECT)),
        ("Are all required approvals obtained?", q.APPROVED, facts.approvals,
         facts.approvals_needed, ("continue", Outcome.WAIT)),
        ("Are there unresolved circuit breaker events?", q.NOT_CLEAR, facts.unresolved, 0,
         (Outcome.REJECT, "continue")),
        ("Is risk level acceptable?", q.SAFE, facts.risk, facts.risk_limit,
         ("continue", Outcome.REQUEST_MITIGATION)),
        ("Is validation period sufficient?", q.LONG, facts.validation_days,
         facts.validation_needed, (Outcome.APPROVE, Outcome.EXTEND_PERIOD)),
    )  # fmt: skip
    questions = [
        _question(number, text, name in decided.fired, value=value, limit=limit, ways=ways)
        for number, (text, name, value, limit, ways) in enumerate(asked, 1)
    ]
    return _answer("approve", decided, questions, subject=subject, at=at)


def rollback_answer(
    facts: RollbackFacts, decided: Decided, *, subject: str, at: Moment
) -> DecisionAnswer:
    """Return “Should I rollback the current phase?” with its five answers."""
    consider = Outcome.CONSIDER_ROLLBACK
    asked = (
        ("Is there a critical incident?", q.CRITICAL, facts.critical_incidents, 0,
         Outcome.ROLL_BACK_IMMEDIATELY),
        ("Is success rate < 99%?", q.FAILING, _share(facts.success_rate),
         facts.success_needed / WHOLE, consider),
        ("Are circuit breakers triggering frequently?", q.TRIPPING, facts.trips,
         facts.trips_limit, consider),
        ("Is readiness score < 80%?", q.UNREADY, _share(facts.score),
         facts.score_needed / WHOLE, consider),
        ("Did stakeholder request rollback?", q.REQUESTED, int(facts.requested), 1,
         Outcome.ROLL_BACK_WITH_APPROVAL),
    )  # fmt: skip
    questions = [
        _question(number, text, name in decided.fired, value=value, limit=limit, ways=(way, ""))
        for number, (text, name, value, limit, way) in enumerate(asked, 1)
    ]
    return _answer("rollback", decided, questions, subject=subject, at=at)


def adjustment_answer(
    facts: AdjustmentFacts, decided: Decided, quality: RuleQuality, *, at: Moment
) -> DecisionAnswer:
    """Return “Should I adjust a circuit breaker rule?” with its four answers.

    The rate that is shown is that of *quality*, to the last digit, as the reports show it.
    """
    asked = (
        ("Is false positive rate > 5%?", q.NOISY, quality.false_positive_rate,
         facts.false_positive_limit / WHOLE, Outcome.LESS_SENSITIVE),
        ("Did we miss a real incident?", q.MISSING, facts.missed, 0, Outcome.MORE_SENSITIVE),
        ("Is rule triggering too frequently?", q.FREQUENT, facts.recent_triggers,
         facts.recent_limit, Outcome.INCREASE_THRESHOLD),
        ("Is rule never triggering?", q.SILENT, facts.triggers if facts.watched else None, 0,
         Outcome.DECREASE_OR_REMOVE),
    )  # fmt: skip
    questions = [
        _question(number, text, name in decided.fired, value=value, limit=limit, ways=(way, ""))
        for number, (text, name, value, limit, way) in enumerate(asked, 1)
    ]
    return _answer("adjust", decided, questions, subject=quality.rule, at=at)


def _question(
    number: int,
    text: str,
    holds: bool,
    *,
    value: float | int | None,
    limit: float | int,
    ways: tuple[str, str],
) -> Question:
    """Return one answered question; *ways* are where yes and no lead."""
    answer = Answer.UNKNOWN if value is None else Answer.YES if holds else Answer.NO
    way = ways[0] if holds else ways[1]
    return Question(
        number=number,
        question=text,
        answer=answer,
        value=value,
        limit=limit,
        leads_to=str(way or "continue"),
    )


def _answer(
    tree: str, decided: Decided, questions: Sequence[Question], *, subject: str, at: Moment
) -> DecisionAnswer:
    """Return a tree with its answers."""
    return DecisionAnswer(
        tree=tree,
        subject=subject,
        at=at,
        outcome=decided.outcome,
        questions=list(questions),
        fired=list(decided.fired),
    )


def _share(whole: int | None) -> float | None:
    """Return parts of ten thousand as a share, or None for None."""
    return None if whole is None else whole / WHOLE
