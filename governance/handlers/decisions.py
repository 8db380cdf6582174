"""The runbook's decision trees, answered on what is stored and measured now. Nothing changes."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Final

from governance.approvals import facts_of
from governance.decisions import (
    DecisionAnswer,
    adjustment_answer,
    approval_answer,
    rollback_answer,
)
from governance.desk import Desk
from governance.handlers.approvals import standing_of
from governance.handlers.event_answers import quality_in
from governance.handlers.readiness import assessed_now
from governance.rule_quality import RECORD
from rules.decisions import DecisionTrees
from rules.questions import WHOLE, AdjustmentFacts, RollbackFacts

LATELY: Final = timedelta(days=1)
"""How far back the question for a rollback looks: what went wrong overnight is in it."""

WEEK: Final = timedelta(days=7)
"""How far back a rule's triggers are too frequent, as the runbook watches a changed rule."""


def decide_approval(desk: Desk, proposal_id: str) -> DecisionAnswer:
    """Answer “Should I approve this expansion proposal?” on readiness as it is now.

    Raises:
        NotFound: there is no such proposal; carries near matches.
        Unavailable: the database or the rule engine does not answer.
    """
    with desk.store.reading() as unit:
        unit.proposals.require(proposal_id)
    assessment = assessed_now(desk)
    now = desk.clock()
    with desk.store.reading() as unit:
        proposal, state = unit.proposals.require(proposal_id), unit.autonomy.load()
        standing = standing_of(desk, unit, proposal, assessment, state=state, now=now)
    overall = assessment.overall
    facts = facts_of(proposal, standing, points=overall.points, most=overall.max_points)
    return approval_answer(facts, _trees().approval(facts), subject=proposal.id, at=now)


def decide_rollback(desk: Desk, *, requested: bool = False) -> DecisionAnswer:
    """Answer “Should I rollback the current phase?” on the last day; *requested* is the fifth.

    Raises:
        Unavailable: the database or the rule engine does not answer.
    """
    now = desk.clock()
    metrics = desk.measure(now - LATELY, now)
    overall = assessed_now(desk).overall
    with desk.store.reading() as unit:
        phase = unit.autonomy.load().phase
        trips = unit.events.count_between(now - LATELY, now + LATELY)
    attempts = metrics.commands.succeeded + metrics.commands.failed
    facts = RollbackFacts(
        critical_incidents=metrics.incidents.critical,
        success_rate=metrics.commands.succeeded * WHOLE // attempts if attempts else None,
        trips=trips,
        score=overall.points * WHOLE // overall.max_points if overall.max_points else None,
        requested=requested,
    )
    return rollback_answer(facts, _trees().rollback(facts), subject=phase, at=now)


def decide_adjustment(desk: Desk, name: str) -> DecisionAnswer:
    """Answer “Should I adjust a circuit breaker rule?” on the rule's last ninety days.

    Raises:
        NotFound: there is no such rule; carries near matches.
        Unavailable: the database or the rule engine does not answer.
    """
    now = desk.clock()
    with desk.store.reading() as unit:
        found = quality_in(unit, name, since=now - RECORD, now=now)
        recent = quality_in(unit, name, since=now - WEEK, now=now)
        began = unit.rule_records.began(name)
        missed = unit.rule_records.missed_incidents(now - RECORD)
    # Rounded up, since the question is whether it is more than the limit.
    share = -(-found.false_positives * WHOLE // found.counted) if found.counted else None
    facts = AdjustmentFacts(
        triggers=found.triggers,
        false_positive_rate=share,
        missed=missed,
        recent_triggers=recent.triggers,
        watched=began is not None and now - began >= RECORD,
    )
    return adjustment_answer(facts, _trees().adjustment(facts), found, at=now)


@cache
def _trees() -> DecisionTrees:
    """Return the trees of this process."""
    return DecisionTrees()
