"""durable-rules against the runbook's decision trees in plain Python."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rules import decisions_reference as reference
from rules.decisions import INFERENCES, DecisionTrees
from rules.host import MAX_RULES
from rules.questions import AdjustmentFacts, ApprovalFacts, Outcome, RollbackFacts

TREES = DecisionTrees()
NEAR = st.integers(0, 6) | st.integers(0, 10**12)
SHARES = st.integers(0, 10_000)

APPROVALS = st.builds(
    ApprovalFacts,
    score=SHARES,
    score_needed=SHARES | st.just(9_500),
    approvals=NEAR,
    approvals_needed=NEAR,
    unresolved=NEAR,
    risk=st.integers(1, 3),
    risk_limit=st.integers(1, 3),
    validation_days=NEAR,
    validation_needed=NEAR,
)
ROLLBACKS = st.builds(
    RollbackFacts,
    critical_incidents=NEAR,
    success_rate=st.none() | SHARES | st.integers(9_890, 9_910),
    trips=NEAR,
    score=st.none() | SHARES | st.integers(7_990, 8_010),
    requested=st.booleans(),
)
ADJUSTMENTS = st.builds(
    AdjustmentFacts,
    triggers=NEAR,
    false_positive_rate=st.none() | SHARES | st.integers(490, 510),
    missed=NEAR,
    recent_triggers=st.integers(0, 12) | NEAR,
    watched=st.booleans(),
)


@settings(max_examples=1_500, deadline=None)
@given(facts=APPROVALS)
def test_a_proposal_is_decided_as_the_reference_decides(facts: ApprovalFacts) -> None:
    """Outcome and reasons are the same, and approval needs five times yes."""
    decided = TREES.approval(facts)

    assert decided == reference.approval(facts)
    assert len(decided.fired) == 5
    assert (decided.outcome is Outcome.APPROVE) == all(":" not in name for name in decided.fired)


@settings(max_examples=1_500, deadline=None)
@given(facts=ROLLBACKS)
def test_a_rollback_is_decided_as_the_reference_decides(facts: RollbackFacts) -> None:
    """Outcome and reasons are the same, and a critical incident always decides."""
    decided = TREES.rollback(facts)

    assert decided == reference.rollback(facts)
    assert (decided.outcome is Outcome.ROLL_BACK_IMMEDIATELY) == (facts.critical_incidents > 0)


@settings(max_examples=1_500, deadline=None)
@given(facts=ADJUSTMENTS)
def test_a_rule_is_judged_as_the_reference_judges(facts: AdjustmentFacts) -> None:
    """Outcome and reasons are the same, and a rule that missed is never made duller."""
    decided = TREES.adjustment(facts)

    assert decided == reference.adjustment(facts)
    assert (decided.outcome is Outcome.MORE_SENSITIVE) == (facts.missed > 0)


def test_the_trees_fit_into_one_ruleset() -> None:
    """All rules have names of their own, and few enough for durable-rules."""
    assert len({inference.name for inference in INFERENCES}) == len(INFERENCES) <= MAX_RULES
