"""Breaker events: read, and resolved once."""

from __future__ import annotations

from datetime import datetime

from governance import alerts
from governance.audit import Act
from governance.desk import Desk
from governance.events import BreakerEvent, ExplainedEvent, Finding, Resolution
from governance.handlers.changes import publish, publish_alert
from governance.handlers.record_repairs import settle_records
from governance.handlers.records import check_records
from governance.store import Unit
from governance.store.events import EventCount
from schemas.governance import ResolutionRecord
from schemas.topics import STATE


def list_events(desk: Desk, *, limit: int = 20, offset: int = 0) -> list[BreakerEvent]:
    """Return the newest *limit* events behind the newest *offset*, newest first."""
    with desk.store.reading() as unit:
        found = unit.events.newest(limit=limit, offset=offset)
    return _seen(desk, found)


def list_unresolved_events(desk: Desk) -> list[BreakerEvent]:
    """Return all events that people have still to resolve, newest first."""
    with desk.store.reading() as unit:
        found = unit.events.unresolved()
    return _seen(desk, found)


def explain_event(desk: Desk, event_id: str) -> ExplainedEvent:
    """Return one event with its evidence, its escalation and its relatives.

    Raises:
        NotFound: there is none; carries near matches.
    """
    with desk.store.reading() as unit:
        return unit.events.explained(event_id).seen_at(desk.clock())


def count_all_events(desk: Desk) -> int:
    """Return how many events there are."""
    with desk.store.reading() as unit:
        return unit.events.count()


def count_events(desk: Desk) -> list[EventCount]:
    """Return the events counted by rule, action, severity and whether they are resolved."""
    with desk.store.reading() as unit:
        return unit.events.counts()


def resolve_event(
    desk: Desk,
    event_id: str,
    *,
    by: str,
    finding: Finding | None = None,
    notes: str | None = None,
    cause: str | None = None,
    incident_id: str | None = None,
) -> Resolution:
    """Resolve an event: its breaker starts afresh on every judge, and autonomy stays as it is.

    The first to resolve wins; whoever comes later gets what the first one wrote. Resolving
    raises nothing: a paused command type is resumed, and a phase promoted, by acts of their own.

    Raises:
        NotFound: there is none; carries near matches.
        Unavailable: the database is busy or away.
    """
    settle_records(desk)
    now = desk.clock()
    with desk.store.writing() as unit:
        check_records(desk, unit)
        event = unit.events.explained(event_id)
        if event.resolved:
            return Resolution(id=event_id, already=True, event=shown(event))
        unit.events.resolve(
            event_id,
            by=by,
            at=now,
            finding=finding,
            notes=notes,
            cause=cause,
            incident_id=incident_id,
        )
        after = unit.events.explained(event_id)
        _tell(desk, unit, after, now)
    return Resolution(id=event_id, already=False, event=shown(after))


def _seen(desk: Desk, events: list[BreakerEvent]) -> list[BreakerEvent]:
    """Return *events* as they are shown now."""
    now = desk.clock()
    return [event.seen_at(now) for event in events]


def shown(event: ExplainedEvent) -> BreakerEvent:
    """Return an event as lists show it."""
    return BreakerEvent.model_validate(event.model_dump(include=set(BreakerEvent.model_fields)))


def _tell(desk: Desk, unit: Unit, event: ExplainedEvent, now: datetime) -> None:
    """Write down that *event* was resolved, and tell judges and subscribers.

    An escalation has no breaker of its own on any judge, and what was reopened had its breaker
    closed when it was resolved before.
    """
    unit.audit.append(
        Act.EVENT_RESOLVED,
        event.id,
        actor=event.resolved_by or "",
        at=now,
        before={"resolved": False},
        after={
            "resolved": True,
            "finding": event.finding,
            "notes": event.notes,
            "cause": event.cause,
            "incidentId": event.incident_id,
        },
    )
    if event.caused_by is None and event.reopened_at is None:
        record = ResolutionRecord(
            action_id=event.id,
            rule=event.rule.name,
            scope_key=event.scope_key,
            effective_from=desk.in_force_from(now),
            resolved_at=now,
        )
        publish(unit, STATE.name, f"resolution/{event.id}", record, now=now)
    epoch = unit.autonomy.load().epoch
    publish_alert(unit, alerts.resolved(event, now, epoch=epoch), now)
