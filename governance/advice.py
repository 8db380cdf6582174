"""Advice: what an assessment recommends, and what to do next, in the runbook's words.

The first recommendation is the one to follow; the order is that of how much is at stake.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from governance.checklist import Kind, Source
from governance.measured import Facts
from governance.readiness import (
    Assessment,
    Band,
    CheckedItem,
    NextAction,
    Priority,
    Recommendation,
    Recommended,
)
from schemas.governance import LADDER, Phase

ROLLBACK_SUCCESS: Final = 0.99
"""The success rate below which the runbook considers a rollback."""

ROLLBACK_PERCENT: Final = 80
"""The readiness, in percent, below which it does."""

RENEW: Final = timedelta(days=14)
"""How long before an attestation expires its renewal becomes something to do."""


def advised(assessment: Assessment, facts: Facts) -> Assessment:
    """Return *assessment* with its recommendations and its next actions."""
    return assessment.model_copy(
        update={
            "recommendations": recommendations(assessment, facts),
            "next_actions": next_actions(assessment, facts),
        }
    )


def recommendations(assessment: Assessment, facts: Facts) -> list[Recommendation]:
    """Return what to decide, the weightiest first; there is always one."""
    found = [*_rollback(assessment, facts), *_investigate(assessment, facts)]
    if found:
        return found
    if assessment.overall.ready and facts.phase is not LADDER[-1]:
        return [_expand(assessment, facts.phase)]
    return [_maintain(assessment)]


def next_actions(assessment: Assessment, facts: Facts) -> list[NextAction]:
    """Return what to do: first what blocks, then what adds most, then what runs out soon."""
    missing = [item for item in assessment.items if not item.status]
    missing.sort(key=lambda item: (not item.required, -item.weight))
    found = [NextAction(description=_how(item), owner=_owner(item)) for item in missing]
    if facts.cooldown_until is not None:
        cooling = "Wait for the end of the cooldown, or have all approvers lift it early"
        found.insert(0, NextAction(description=cooling, due_date=facts.cooldown_until))
    if facts.unresolved:
        waiting = f"Investigate and resolve {facts.unresolved} circuit breaker event(s)"
        found.insert(0, NextAction(description=waiting))
    return [*found, *_renewals(assessment)]


def _rollback(assessment: Assessment, facts: Facts) -> Iterator[Recommendation]:
    """Yield the reasons of the runbook to give a phase up; L3 is the floor."""
    if facts.phase is Phase.L3:
        return
    critical = facts.recent.incidents.critical_from_autonomous_actions
    if critical:
        why = f"{critical} critical incident(s) from autonomous actions within a month"
        yield _down(Priority.HIGH, why, facts.phase)
    rate = facts.recent.rates.success_rate
    if rate is not None and rate < ROLLBACK_SUCCESS:
        yield _down(Priority.MEDIUM, f"the success rate is {rate:.2%}, below 99%", facts.phase)
    if _percent_below(assessment, ROLLBACK_PERCENT):
        why = f"readiness is {assessment.overall.shown_score}, below {ROLLBACK_PERCENT}%"
        yield _down(Priority.MEDIUM, why, facts.phase)


def _investigate(assessment: Assessment, facts: Facts) -> Iterator[Recommendation]:
    """Yield what to look into before anything else is decided."""
    if facts.unresolved:
        yield Recommendation(
            type=Recommended.INVESTIGATE,
            priority=Priority.HIGH,
            rationale=f"{facts.unresolved} circuit breaker event(s) are unresolved",
            actions=["Find the root cause of each event", "Resolve it with what was found"],
        )
    if assessment.overall.band is Band.INVESTIGATE:
        blocked = assessment.overall.shown_blockers or "nothing that is required"
        yield Recommendation(
            type=Recommended.INVESTIGATE,
            priority=Priority.MEDIUM,
            rationale=f"readiness is {assessment.overall.shown_score}; missing: {blocked}",
            actions=["Address the blockers", "See /api/readiness/diff for what moved the score"],
        )


def _expand(assessment: Assessment, phase: Phase) -> Recommendation:
    """Return the advice to go one phase up."""
    target = LADDER[phase.rank + 1]
    return Recommendation(
        type=Recommended.EXPAND_SCOPE,
        priority=Priority.HIGH,
        rationale=f"readiness is {assessment.overall.shown_score} and nothing blocks {target}",
        actions=["Run the governance cycle", f"Review its proposal for {target}"],
    )


def _maintain(assessment: Assessment) -> Recommendation:
    """Return the advice to stay."""
    blocked = assessment.overall.shown_blockers
    why = f"; missing: {blocked}" if blocked else ""
    return Recommendation(
        type=Recommended.MAINTAIN,
        priority=Priority.MEDIUM if blocked else Priority.LOW,
        rationale=f"readiness is {assessment.overall.shown_score}{why}",
        actions=["Stay at the present phase and watch the trends"],
    )


def _down(priority: Priority, why: str, phase: Phase) -> Recommendation:
    """Return the advice to give up *phase*."""
    return Recommendation(
        type=Recommended.ROLLBACK,
        priority=priority,
        rationale=why,
        actions=[
            "Ask /api/governance/rollback with dryRun what would change",
            f"Roll back to {LADDER[phase.rank - 1]} or below",
        ],
    )


def _how(item: CheckedItem) -> str:
    """Return what meets an item."""
    if item.kind is Kind.AUTOMATIC:
        return f"Reach “{item.name}”: {item.details}"
    return f"Attest “{item.name}” with its evidence: {item.details}"


def _renewals(assessment: Assessment) -> list[NextAction]:
    """Return the attestations that run out soon, the first to do so first."""
    soon = [
        (item.expires_at, item)
        for item in assessment.items
        if item.status and item.expires_at and item.expires_at - assessment.timestamp <= RENEW
    ]
    return [
        NextAction(description=f"Renew “{item.name}”", owner=_owner(item), due_date=ends)
        for ends, item in sorted(soon, key=lambda pair: pair[0])
    ]


def _owner(item: CheckedItem) -> str | None:
    """Return the person who attested an item last; a variable of the environment is nobody."""
    return item.attested_by if item.source is Source.PERSON else None


def _percent_below(assessment: Assessment, percent: int) -> bool:
    """Whether less than *percent* of the points are earned."""
    return assessment.overall.points * 100 < assessment.overall.max_points * percent
