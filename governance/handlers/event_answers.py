"""How people answer breaker events, beside resolving them, and how good that shows rules to be."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from governance import alerts
from governance.audit import Act
from governance.deadlines import due_at
from governance.desk import Desk
from governance.events import Answered, ExplainedEvent
from governance.handlers.changes import publish_alert
from governance.handlers.events import shown
from governance.provenance.events import told_facts
from governance.rule_quality import RECORD, RuleQuality, quality
from governance.store import Unit
from schemas.wire import iso

AHEAD: Final = timedelta(minutes=1)
"""Log time may be a little ahead of this machine's."""


def acknowledge_event(desk: Desk, event_id: str, *, by: str) -> Answered:
    """Say that *by* looks after an event; the first to do so stands, and so does a resolution.

    Raises:
        NotFound: there is none; carries near matches.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        event = unit.events.explained(event_id)
        if event.answered_at is not None:
            return _answered(event, now, already=True)
        unit.events.acknowledge(event_id, by=by, at=now)
        after = unit.events.explained(event_id)
        unit.audit.append(
            Act.EVENT_ACKNOWLEDGED, event_id, actor=by, at=now, after={"acknowledged": True}
        )
        epoch = unit.autonomy.load().epoch
        publish_alert(unit, alerts.acknowledged(after, now, epoch=epoch), now)
    return _answered(after, now)


def reopen_event(desk: Desk, event_id: str, *, by: str, reason: str) -> Answered:
    """Let an event wait for people again; it blocks as any that is unresolved.

    If it was answered in time people have as long again; one that was late stays late.
    Autonomy stays as it is: a breaker takes it away, or people do. One that is unresolved
    stays as it is too.

    Raises:
        NotFound: there is none; carries near matches.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        event = unit.events.explained(event_id)
        if not event.resolved:
            return _answered(event, now, already=True)
        unit.events.reopen(event_id, at=now, due_at=_due_again(desk, event, now))
        after = unit.events.explained(event_id)
        unit.audit.append(
            Act.EVENT_REOPENED,
            event_id,
            actor=by,
            at=now,
            before=_resolution(event),
            after={
                "resolved": False,
                "reason": reason,
                "dueAt": iso(after.due_at),
                "event": told_facts(unit.records.rows("circuit_breaker_events", [event_id])[0]),
            },
        )
        epoch = unit.autonomy.load().epoch
        alert = alerts.reopened(after, now, by=by, reason=reason, epoch=epoch)
        publish_alert(unit, alert, now)
    return _answered(after, now)


def show_rule_quality(desk: Desk, name: str, *, since: datetime | None = None) -> RuleQuality:
    """Return how good the rule *name* was since *since*, or in the last 90 days.

    Raises:
        NotFound: there is no such rule; carries near matches.
        Unavailable: the database does not answer.
    """
    now = desk.clock()
    start = since or now - RECORD
    with desk.store.reading() as unit:
        return quality_in(unit, name, since=start, now=now)


def quality_in(unit: Unit, name: str, *, since: datetime, now: datetime) -> RuleQuality:
    """Return how good the rule *name* was since *since*, as *unit* has it.

    Raises:
        NotFound: there is no such rule; carries near matches.
    """
    unit.rules.require(name)
    trips = unit.trip_records.between(since, now + AHEAD, rule=name)
    return quality(name, trips, since=since, until=now)


def count_overdue(desk: Desk) -> int:
    """Return how many events nobody answered by when they were due."""
    with desk.store.reading() as unit:
        return unit.trip_records.count_overdue(desk.clock())


def _answered(event: ExplainedEvent, now: datetime, *, already: bool = False) -> Answered:
    """Return what came of it."""
    return Answered(id=event.id, already=already, event=shown(event).seen_at(now))


def _due_again(desk: Desk, event: ExplainedEvent, now: datetime) -> datetime:
    """Return by when a reopened event is answered: a missed moment cannot be had back."""
    in_time = event.answered_at is not None and event.answered_at <= event.due_at
    return due_at(event.severity, now, desk.hours) if in_time else event.due_at


def _resolution(event: ExplainedEvent) -> dict[str, object]:
    """Return what reopening takes back, for the audit log."""
    wire = event.to_wire()
    names = ("resolved", "resolvedAt", "resolvedBy", "finding", "notes", "cause", "incidentId")
    return {name: wire[name] for name in (*names, "acknowledgedAt", "acknowledgedBy")}
