"""The events that escalation raises: what they say, and the facts that they stand on. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from governance.deadlines import BusinessHours, due_at
from governance.events import Escalated, ExplainedEvent
from rules.trips import Escalated as Name
from rules.trips import Escalation, TripFacts
from schemas.actions import action_id
from schemas.durations import written
from schemas.events import Severity
from schemas.rules import Action, RuleSummary
from schemas.tallies import OVERALL
from schemas.wire import to_ms

RECENT: Final = timedelta(hours=1)
"""How far back medium trips of a command type add up to a pause."""

STORM: Final = timedelta(minutes=5)
"""How far back tripping scopes add up to a storm."""

AT_ONCE: Final = timedelta(seconds=5)
"""The shortest window there is, shown for what is counted at one moment."""


def raised_event(
    name: str, trip: ExplainedEvent, *, facts: TripFacts, hours: BusinessHours
) -> ExplainedEvent:
    """Return the event of the escalation *name* that *trip* raised.

    A pause concerns the trip's own scope, a revert concerns everything. The id is made from the
    moment of the trip, like a trip's own, so that applying the log again makes the same.
    """
    action = Name(name).action
    own = action is Action.PAUSE_COMMAND_TYPE
    severity = Severity.HIGH if own else Severity.CRITICAL
    rule, metrics = _stands_on(name, facts, severity)
    scope_key = trip.scope_key if own else OVERALL
    return ExplainedEvent(
        id=action_id(name, 1, scope_key, to_ms(trip.timestamp), action),
        timestamp=trip.timestamp,
        rule=rule,
        rule_version=1,
        scope=trip.scope if own else OVERALL,
        scope_key=scope_key,
        command_type=trip.command_type if own else None,
        action=action,
        severity=severity,
        metrics={**metrics},
        details=f"{name}: {rule.condition}, reached by {trip.rule.name} for {trip.scope}",
        due_at=due_at(severity, trip.timestamp, hours),
        recorded_at=trip.recorded_at,
        autonomy_epoch=trip.autonomy_epoch,
        caused_by=trip.id,
        evidence=None,
        escalation=None,
    )


def escalated(decision: Escalation, raised: list[str]) -> Escalated:
    """Return what the trip's own event says of *decision*; *raised* are ids of events."""
    return Escalated(
        effect=decision.effect, pause=decision.pause, raised=raised, fired=list(decision.fired)
    )


def reason(decision: Escalation, trip: ExplainedEvent) -> str:
    """Return in words why autonomy is lowered: the trip, and what it was raised to."""
    return "; ".join([f"{trip.rule.name} for {trip.scope}", *decision.raised])


def _stands_on(
    name: str, facts: TripFacts, severity: Severity
) -> tuple[RuleSummary, dict[str, int]]:
    """Return the escalation in the form of a rule, and the number that met it."""
    metric, number, limit, window = {
        Name.REPEATED_MEDIUM_TRIPS: (
            "mediumTrips",
            facts.medium_trips_of_type,
            facts.medium_limit,
            RECENT,
        ),
        Name.MANY_PAUSED_TYPES: ("pausedTypes", facts.paused_types, facts.paused_limit, AT_ONCE),
        Name.TRIP_STORM: ("scopesTripped", facts.scopes_tripped, facts.storm_limit, STORM),
    }[Name(name)]
    rule = RuleSummary(
        name=name,
        condition=f"{metric} >= {limit}",
        window=written(window // timedelta(milliseconds=1)),
        action=Name(name).action,
        alert_severity=severity,
    )
    return rule, {metric: number}
