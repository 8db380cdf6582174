"""What follows from a trip, said in plain Python: the measure for `rules.escalation`.

The engine that decides in production is durable-rules. This is the same policy without it; a
property test compares the two, and it is what to read to know the policy.
"""

from __future__ import annotations

from rules.trips import Escalated, Escalation, TripFacts
from schemas.events import Severity
from schemas.governance import Phase
from schemas.rules import Action

_RANK = {Action.ALERT_ONLY: 0, Action.PAUSE_COMMAND_TYPE: 1, Action.REVERT_TO_L3: 2}


def decide(facts: TripFacts) -> Escalation:
    """Return what follows from a trip: the most restrictive action, and why.

    Raises:
        Refused: the facts contradict each other.
    """
    facts.check()
    raised = _raised(facts)
    effects = [facts.action, *(escalated.action for escalated in raised)]
    effect = max(effects, key=_RANK.__getitem__)
    pauses = Action.PAUSE_COMMAND_TYPE in effects
    return Escalation(
        effect=effect,
        pause=facts.command_type if pauses else None,
        raised=tuple(str(escalated) for escalated in raised),
        fired=_fired(facts, raised, effect),
    )


def _raised(facts: TripFacts) -> list[Escalated]:
    """Return the escalations that add an action beyond the trip's own."""
    raised = []
    is_medium = facts.severity is Severity.MEDIUM and facts.command_type is not None
    if is_medium and facts.medium_trips_of_type >= facts.medium_limit:
        raised.append(Escalated.REPEATED_MEDIUM_TRIPS)
    if facts.paused_types >= facts.paused_limit:
        raised.append(Escalated.MANY_PAUSED_TYPES)
    if facts.scopes_tripped >= facts.storm_limit:
        raised.append(Escalated.TRIP_STORM)
    return [escalated for escalated in raised if escalated.action is not facts.action]


def _fired(facts: TripFacts, raised: list[Escalated], effect: Action) -> tuple[str, ...]:
    """Return the rules of the engine that decide the same, in the order in which they fire."""
    kind = {
        Action.REVERT_TO_L3: "revert",
        Action.PAUSE_COMMAND_TYPE: "pause",
        Action.ALERT_ONLY: "alert",
    }
    chain = [f"own action {kind[facts.action]}", *map(str, raised), f"{kind[effect]} wins"]
    if effect is Action.REVERT_TO_L3 and facts.phase is Phase.L3:
        chain.append("already at L3")
    return tuple(chain)
