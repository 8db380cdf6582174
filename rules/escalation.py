"""What follows from a trip: durable-rules decides, over trips and not over samples.

A trip has an action of its own. More follows when several medium trips of one command type come
within an hour, when many command types are paused, and when many scopes trip at once; the most
restrictive action wins. The names of the rules that fired are the reason that people are shown.

    facts ──► own action, escalations ──► effects ──► the most restrictive wins
              (what follows, and why)                 (and whether it changes the phase)

`rules.escalation_reference` says the same in plain Python, and a property test compares them.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from rules.host import Host, Inference, Is, IsNot, Reaches, Test
from rules.trips import Escalated, Escalation, TripFacts
from schemas.events import Severity
from schemas.governance import Phase
from schemas.rules import Action

__all__ = ["Escalated", "Escalation", "EscalationEngine", "TripFacts"]

OWN: Final = {
    Action.REVERT_TO_L3: "own action revert",
    Action.PAUSE_COMMAND_TYPE: "own action pause",
    Action.ALERT_ONLY: "own action alert",
}
WINS: Final = {
    "revert wins": Action.REVERT_TO_L3,
    "pause wins": Action.PAUSE_COMMAND_TYPE,
    "alert wins": Action.ALERT_ONLY,
}
_REVERTING: Final = frozenset(
    {OWN[Action.REVERT_TO_L3], Escalated.MANY_PAUSED_TYPES, Escalated.TRIP_STORM}
)
_PAUSING: Final = frozenset({OWN[Action.PAUSE_COMMAND_TYPE], Escalated.REPEATED_MEDIUM_TRIPS})


class EscalationEngine:
    """Decides what follows from a trip; keeps nothing from one decision to the next."""

    def __init__(self) -> None:
        """Take the engine of this process; the first one made registers the rules.

        Raises:
            Unavailable: durable-rules cannot be imported; says why.
        """
        self._host = _host()

    def decide(self, facts: TripFacts) -> Escalation:
        """Return what follows from a trip: the most restrictive action, and why.

        Raises:
            Refused: the facts contradict each other.
            Unavailable: durable-rules failed; nothing was decided, and asking again is safe.
        """
        facts.check()
        followed = self._host.fired(_trip(facts))
        pauses = not _PAUSING.isdisjoint(followed)
        reverts = not _REVERTING.isdisjoint(followed)
        won = self._host.fired(
            {
                "kind": "effects",
                "revert": int(reverts),
                "pause": int(pauses),
                "phase": str(facts.phase),
            }
        )
        return Escalation(
            effect=next(WINS[name] for name in won if name in WINS),
            pause=facts.command_type if pauses else None,
            raised=tuple(name for name in followed if name in set(Escalated)),
            fired=followed + won,
        )


@cache
def _host() -> Host:
    """Return the one host of this process: registering again would leak what it replaces."""
    return Host("escalation", INFERENCES)


def _trip(facts: TripFacts) -> dict[str, str | int]:
    """Return the trip as a fact; the command type's name is a stranger's, and stays outside.

    Thresholds are data too, so that changing a setting changes no rule.
    """
    return {
        "kind": "trip",
        "action": str(facts.action),
        "severity": str(facts.severity),
        "typed": int(facts.command_type is not None),
        "mediumTrips": facts.medium_trips_of_type,
        "mediumLimit": facts.medium_limit,
        "pausedTypes": facts.paused_types,
        "pausedLimit": facts.paused_limit,
        "scopesTripped": facts.scopes_tripped,
        "stormLimit": facts.storm_limit,
    }


def _own(action: Action) -> Inference:
    """Return the inference that a trip's own action follows from it."""
    return Inference(OWN[action], "trip", (Is("action", str(action)),))


def _escalated(escalated: Escalated, *tests: Test) -> Inference:
    """Return the inference that more follows; not if that is the trip's own action anyhow."""
    return Inference(str(escalated), "trip", (IsNot("action", str(escalated.action)), *tests))


INFERENCES: Final = (
    *map(_own, OWN),
    _escalated(
        Escalated.REPEATED_MEDIUM_TRIPS,
        Is("severity", str(Severity.MEDIUM)),
        Is("typed", 1),
        Reaches("mediumTrips", "mediumLimit"),
    ),
    _escalated(Escalated.MANY_PAUSED_TYPES, Reaches("pausedTypes", "pausedLimit")),
    _escalated(Escalated.TRIP_STORM, Reaches("scopesTripped", "stormLimit")),
    Inference("revert wins", "effects", (Is("revert", 1),)),
    Inference("pause wins", "effects", (Is("revert", 0), Is("pause", 1))),
    Inference("alert wins", "effects", (Is("revert", 0), Is("pause", 0))),
    Inference("already at L3", "effects", (Is("revert", 1), Is("phase", str(Phase.L3)))),
)
"""The whole policy; the order is the order in which they fire."""
