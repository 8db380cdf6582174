"""durable-rules against the policy in plain Python."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rules import escalation_reference
from rules.escalation import EscalationEngine
from rules.trips import TripFacts
from schemas.events import Severity
from schemas.governance import Phase
from schemas.rules import Action

ENGINE = EscalationEngine()
COUNTS = st.integers(0, 12) | st.integers(0, 10**9)
LIMITS = st.integers(1, 12) | st.integers(1, 10**9)


@st.composite
def trips(draw: st.DrawFn) -> TripFacts:
    """Draw a trip, mostly with counts near their limits."""
    action = draw(st.sampled_from(Action))
    names = st.text(max_size=256)
    pauses = action is Action.PAUSE_COMMAND_TYPE
    return TripFacts(
        action=action,
        severity=draw(st.sampled_from(Severity)),
        command_type=draw(names if pauses else st.none() | names),
        medium_trips_of_type=draw(COUNTS),
        paused_types=draw(COUNTS),
        scopes_tripped=draw(COUNTS),
        phase=draw(st.sampled_from(Phase)),
        medium_limit=draw(LIMITS),
        paused_limit=draw(LIMITS),
        storm_limit=draw(LIMITS),
    )


@settings(max_examples=10_000, deadline=None)
@given(facts=trips())
def test_durable_rules_decides_what_the_reference_decides(facts: TripFacts) -> None:
    """Effect, pause, escalations and the names of the rules that fired are the same."""
    assert ENGINE.decide(facts) == escalation_reference.decide(facts)


@settings(max_examples=1_000, deadline=None)
@given(facts=trips())
def test_escalation_never_restricts_less_than_the_trip(facts: TripFacts) -> None:
    """What follows is at least the trip's own action, and a pause names its command type."""
    decision = ENGINE.decide(facts)

    order = [Action.ALERT_ONLY, Action.PAUSE_COMMAND_TYPE, Action.REVERT_TO_L3]
    assert order.index(decision.effect) >= order.index(facts.action)
    assert decision.pause in (None, facts.command_type)
    assert (decision.effect is Action.PAUSE_COMMAND_TYPE) <= (decision.pause is not None)
    assert decision.fired
