"""What judges decided becomes events and lowered autonomy: each action once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from governance import alerts
from governance.audit import Act
from governance.autonomy import Autonomy
from governance.breakers import full_effect, own_effect, within_reach
from governance.deadlines import due_at
from governance.desk import Desk
from governance.escalations import RECENT, STORM, escalated, raised_event, reason
from governance.events import ExplainedEvent, sentence
from governance.handlers.changes import Cause, change_autonomy, publish_alert
from governance.handlers.sql_changes import present_autonomy
from governance.provenance.events import told_facts
from governance.store import Unit
from rules.trips import MOST, Escalation, TripFacts
from schemas.actions import BreakerAction
from schemas.events import Severity
from schemas.rules import Action
from schemas.tallies import OTHER

BEYOND: Final = (
    f"{OTHER} stands for the command types beyond GOVERNANCE_SCOPE_LIMIT, which cannot be paused "
    "by name: everything goes back to L3 instead"
)
"""What an event says whose pause nobody could obey."""

JUDGE: Final = "judge"
"""The actor of what a trip does by itself."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a topic was read: everything before ``next_offset``."""

    topic: str
    partition: int
    next_offset: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a batch: actions applied now, and those that had been before."""

    new: int
    repeated: int


def apply_actions(
    desk: Desk, actions: Sequence[BreakerAction], *, position: Position | None = None
) -> Applied:
    """Apply *actions* in their order and remember *position*, in one transaction.

    An action whose id is known changes nothing, so any part of the log may come again.

    Raises:
        Unavailable: the database is busy or away; nothing was applied.
    """
    now = desk.clock()
    with desk.store.writing(lowers=True) as unit:
        new = sum(_apply(desk, unit, action, now) for action in actions)
        if position is not None:
            unit.offsets.save(position.topic, position.partition, position.next_offset)
    return Applied(new=new, repeated=len(actions) - new)


def apply_action(desk: Desk, action: BreakerAction) -> bool:
    """Apply one action; return whether it was new.

    Raises:
        Unavailable: the database is busy or away; nothing was applied.
    """
    return apply_actions(desk, [action]).new == 1


def _apply(desk: Desk, unit: Unit, action: BreakerAction, now: datetime) -> bool:
    """Apply *action* unless it is known: its event, what follows from it, and their effect."""
    if unit.events.is_known(action.id):
        return False
    before = present_autonomy(desk, unit, now)
    facts = _facts(desk, unit, action, state=before, now=now)
    wanted = desk.decide(facts)
    decision = within_reach(wanted)
    after = full_effect(decision, state=before, now=now)
    trip = _event_of(desk, action, epoch=after.epoch, now=now)
    if decision is not wanted:
        trip = trip.model_copy(update={"details": f"{trip.details}; {BEYOND}"})
    raised = [raised_event(name, trip, facts=facts, hours=desk.hours) for name in decision.raised]
    fresh, ids = _standing(unit, raised)
    trip = trip.model_copy(update={"escalation": escalated(decision, ids)})
    _record(unit, trip, act=Act.TRIP_APPLIED, now=now)
    for event in fresh:
        _record(unit, event, act=Act.ESCALATION_RAISED, now=now)
    if after is not before:
        cause = _cause(decision, trip)
        change_autonomy(desk, unit, before=before, after=after, cause=cause, now=now)
    return True


def _standing(unit: Unit, raised: list[ExplainedEvent]) -> tuple[list[ExplainedEvent], list[str]]:
    """Return the events of *raised* that are new, and the ids that stand for all of them.

    While people have not resolved an escalation, another of its kind on the same scope is the
    same one: a storm of a hundred trips is one event to resolve, not ninety.
    """
    fresh, ids = [], []
    for event in raised:
        known = unit.events.unresolved_id(event.rule.name, event.scope_key)
        if known is None and not unit.events.is_known(event.id):
            fresh.append(event)
        ids.append(known or event.id)
    return fresh, ids


def _record(unit: Unit, event: ExplainedEvent, *, act: Act, now: datetime) -> None:
    """Write an event with its audit row and its alert."""
    after = told_facts(unit.events.add(event))
    unit.audit.append(act, event.id, actor=JUDGE, at=now, after=after)
    publish_alert(unit, alerts.tripped(event), now)


def _cause(decision: Escalation, trip: ExplainedEvent) -> Cause:
    """Return why autonomy is lowered, for the audit log and the alerts."""
    reverts = decision.effect is Action.REVERT_TO_L3
    act = Act.PHASE_REVERTED if reverts else Act.TYPE_PAUSED
    return Cause(
        act,
        actor=JUDGE,
        subject=trip.id,
        because=reason(decision, trip),
        id=trip.id,
        severity=Severity.CRITICAL if reverts else trip.severity,
    )


def _facts(
    desk: Desk, unit: Unit, action: BreakerAction, *, state: Autonomy, now: datetime
) -> TripFacts:
    """Return the trip and what happened around it, counted in log time."""
    at, kind = action.decided_at, action.command_type
    is_medium = action.severity is Severity.MEDIUM and kind is not None
    medium = 0
    if is_medium and kind is not None:
        medium = 1 + unit.events.trips_of_type(kind, Severity.MEDIUM, after=at - RECENT, upto=at)
    scopes = unit.events.scopes_tripped(after=at - STORM, upto=at) | {action.scope_key}
    lowered = own_effect(action.action, kind, state=state, now=now)
    return TripFacts(
        action=action.action,
        severity=action.severity,
        command_type=kind,
        medium_trips_of_type=medium,
        paused_types=len(lowered.paused_command_types),
        scopes_tripped=len(scopes),
        phase=state.phase,
        medium_limit=desk.settings.escalate_medium_trips or MOST,
        paused_limit=desk.settings.escalate_paused_types or MOST,
        storm_limit=desk.settings.escalate_storm_scopes or MOST,
    )


def _event_of(desk: Desk, action: BreakerAction, *, epoch: int, now: datetime) -> ExplainedEvent:
    """Return the event that records *action*; people answer from the moment of the trip."""
    return ExplainedEvent(
        id=action.id,
        timestamp=action.decided_at,
        rule=action.rule,
        rule_version=action.rule_version,
        scope=action.scope,
        scope_key=action.scope_key,
        command_type=action.command_type,
        action=action.action,
        severity=action.severity,
        metrics=action.metrics,
        details=sentence(action),
        due_at=due_at(action.severity, action.decided_at, desk.hours),
        recorded_at=now,
        autonomy_epoch=epoch,
        evidence=action.evidence,
        escalation=None,
        judge_epoch=action.epoch,
    )
