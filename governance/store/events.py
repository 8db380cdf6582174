"""Breaker events: inserted once, resolved once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, func, insert, or_, select, update
from sqlalchemy.engine import RowMapping

from governance.events import BreakerEvent, Escalated, ExplainedEvent, Finding
from governance.store.moments import read_moment
from governance.store.tables import circuit_breaker_events as events
from schemas.actions import Evidence
from schemas.errors import NotFound
from schemas.events import Severity
from schemas.rules import Action, RuleSummary
from schemas.wire import iso

PLAIN: Final = (
    "id",
    "rule_version",
    "scope",
    "scope_key",
    "command_type",
    "action",
    "severity",
    "details",
    "caused_by",
    "autonomy_epoch",
    "resolved_by",
    "finding",
    "notes",
    "cause",
    "incident_id",
    "acknowledged_by",
)
"""Columns that an event shows as they are."""

MOMENTS: Final = (
    *("timestamp", "due_at", "recorded_at"),
    *("acknowledged_at", "resolved_at", "reopened_at"),
)

LISTED: Final = tuple(events.c[name] for name in (*PLAIN, *MOMENTS, "rule", "metrics", "resolved"))
"""What lists read: not the evidence, which is most of a row."""


@dataclass(frozen=True, slots=True)
class EventCount:
    """How many events one rule made of one kind, and when it last did."""

    rule_name: str
    action: Action
    severity: Severity
    resolved: bool
    count: int
    latest: datetime


class EventShelf:
    """Loads and saves breaker events; the order is that in which they were applied."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def is_known(self, event_id: str) -> bool:
        """Whether the trip with this id was applied before."""
        found = self._connection.execute(select(events.c.seq).where(events.c.id == event_id))
        return found.first() is not None

    def add(self, event: ExplainedEvent) -> dict[str, Any]:
        """Insert a new event; return its columns, but for those that people's answers write."""
        row = _row(event)
        self._connection.execute(insert(events), row)
        return row

    def explained(self, event_id: str) -> ExplainedEvent:
        """Return one event with all it stands on, and the ids of those it is linked with.

        Raises:
            NotFound: there is none; carries near matches among the newest.
        """
        found = self._connection.execute(select(events).where(events.c.id == event_id))
        row = found.mappings().first()
        if row is None:
            newest = select(events.c.id).order_by(events.c.seq.desc()).limit(1_000)
            raise NotFound("event", event_id, list(self._connection.execute(newest).scalars()))
        cause = row["caused_by"] or event_id
        linked = select(events.c.id).where(
            (events.c.caused_by == cause) | (events.c.id == cause), events.c.id != event_id
        )
        related = list(self._connection.execute(linked.order_by(events.c.seq)).scalars())
        return _explained(row, related)

    def newest(self, *, limit: int, offset: int = 0) -> list[BreakerEvent]:
        """Return the newest *limit* events behind the newest *offset* ones, newest first."""
        wanted = select(*LISTED).order_by(events.c.seq.desc()).limit(limit).offset(offset)
        return self._listed(wanted)

    def unresolved(self) -> list[BreakerEvent]:
        """Return all events that people have still to resolve, newest first."""
        wanted = select(*LISTED).where(events.c.resolved == 0).order_by(events.c.seq.desc())
        return self._listed(wanted)

    def unresolved_ids(self) -> list[str]:
        """Return the ids of all events that people have still to resolve, oldest first."""
        wanted = select(events.c.id).where(events.c.resolved == 0).order_by(events.c.seq)
        return list(self._connection.execute(wanted).scalars())

    def newest_id(self) -> str | None:
        """Return the id of the newest event, or None before any."""
        wanted = select(events.c.id).order_by(events.c.seq.desc()).limit(1)
        found: str | None = self._connection.execute(wanted).scalar()
        return found

    def newest_between(self, start: datetime, end: datetime, *, limit: int) -> list[BreakerEvent]:
        """Return the newest *limit* events that tripped in ``[start, end)``, newest first."""
        wanted = select(*LISTED).where(*_tripped(start, end))
        return self._listed(wanted.order_by(events.c.timestamp.desc()).limit(limit))

    def count_between(self, start: datetime, end: datetime) -> int:
        """Return how many events tripped in ``[start, end)``."""
        wanted = select(func.count()).select_from(events).where(*_tripped(start, end))
        return int(self._connection.execute(wanted).scalar_one())

    def count(self) -> int:
        """Return how many events there are."""
        return int(self._connection.execute(select(func.count()).select_from(events)).scalar_one())

    def count_unresolved(self) -> int:
        """Return how many events people have still to resolve."""
        wanted = select(func.count()).select_from(events).where(events.c.resolved == 0)
        return int(self._connection.execute(wanted).scalar_one())

    def counts(self) -> list[EventCount]:
        """Return the events counted by rule, action, severity and whether they are resolved."""
        kinds = (events.c.rule_name, events.c.action, events.c.severity, events.c.resolved)
        wanted = select(*kinds, func.count(), func.max(events.c.timestamp)).group_by(*kinds)
        return [
            EventCount(
                rule_name=row[0],
                action=Action(row[1]),
                severity=Severity(row[2]),
                resolved=row[3] == 1,
                count=row[4],
                latest=read_moment(row[5]),
            )
            for row in self._connection.execute(wanted)
        ]

    def trips_of_type(
        self, command_type: str, severity: Severity, *, after: datetime, upto: datetime
    ) -> int:
        """Return how often *command_type* tripped at *severity* in ``(after, upto]`` of the log.

        Events that the escalation itself raised are no trips.
        """
        wanted = (
            select(func.count())
            .select_from(events)
            .where(
                events.c.command_type == command_type,
                events.c.severity == severity.value,
                _is_trip(),
                events.c.timestamp > iso(after),
                events.c.timestamp <= iso(upto),
            )
        )
        return int(self._connection.execute(wanted).scalar_one())

    def scopes_tripped(self, *, after: datetime, upto: datetime) -> set[str]:
        """Return the keys of the scopes on which breakers tripped in ``(after, upto]``."""
        wanted = (
            select(events.c.scope_key)
            .distinct()
            .where(
                _is_trip(),
                events.c.timestamp > iso(after),
                events.c.timestamp <= iso(upto),
            )
        )
        return set(self._connection.execute(wanted).scalars())

    def unresolved_id(self, rule_name: str, scope_key: str) -> str | None:
        """Return the id of the unresolved event of a rule on a scope, or None."""
        wanted = select(events.c.id).where(
            events.c.rule_name == rule_name,
            events.c.scope_key == scope_key,
            events.c.resolved == 0,
        )
        found: str | None = self._connection.execute(wanted.limit(1)).scalar()
        return found

    def unresolved_pauses(self, command_type: str) -> list[str]:
        """Return the ids of the unresolved events whose breakers hold *command_type*."""
        wanted = select(events.c.id).where(
            events.c.command_type == command_type,
            events.c.action == Action.PAUSE_COMMAND_TYPE.value,
            events.c.resolved == 0,
        )
        return list(self._connection.execute(wanted.order_by(events.c.seq)).scalars())

    def resolutions(self) -> list[tuple[str, str, str, datetime]]:
        """Return the trips whose breakers people closed: id, rule, scope key, and since when.

        Also those that were reopened since, which leaves their breaker closed.
        """
        moment = func.coalesce(events.c.reopened_at, events.c.resolved_at)
        wanted = select(events.c.id, events.c.rule_name, events.c.scope_key, moment).where(
            events.c.caused_by.is_(None),
            or_(
                and_(events.c.resolved == 1, events.c.resolved_by.is_not(None)),
                events.c.reopened_at.is_not(None),
            ),
        )
        found = self._connection.execute(wanted.order_by(events.c.seq))
        return [(*row[:3], read_moment(row[3])) for row in found if row[3]]

    def held_types(self) -> set[str]:
        """Return the command types that breakers of unresolved events hold."""
        wanted = (
            select(events.c.command_type)
            .distinct()
            .where(
                events.c.command_type.is_not(None),
                events.c.action == Action.PAUSE_COMMAND_TYPE.value,
                events.c.resolved == 0,
            )
        )
        return set(self._connection.execute(wanted).scalars())

    def resolve(
        self,
        event_id: str,
        *,
        by: str,
        at: datetime,
        finding: Finding | None,
        notes: str | None,
        cause: str | None = None,
        incident_id: str | None = None,
    ) -> None:
        """Mark one event resolved."""
        self._connection.execute(
            update(events)
            .where(events.c.id == event_id)
            .values(
                resolved=1,
                resolved_at=iso(at),
                resolved_by=by,
                finding=finding.value if finding else None,
                notes=notes,
                cause=cause,
                incident_id=incident_id,
            )
        )

    def acknowledge(self, event_id: str, *, by: str, at: datetime) -> None:
        """Mark one event acknowledged."""
        self._connection.execute(
            update(events)
            .where(events.c.id == event_id)
            .values(acknowledged_at=iso(at), acknowledged_by=by)
        )

    def reopen(self, event_id: str, *, at: datetime, due_at: datetime) -> None:
        """Mark one event unresolved again; notes and cause stay until people say anew."""
        self._connection.execute(
            update(events)
            .where(events.c.id == event_id)
            .values(
                resolved=0,
                resolved_at=None,
                resolved_by=None,
                finding=None,
                acknowledged_at=None,
                acknowledged_by=None,
                reopened_at=iso(at),
                due_at=iso(due_at),
            )
        )

    def _listed(self, wanted: Select[Any]) -> list[BreakerEvent]:
        """Return the events that a query finds."""
        return [_event(row) for row in self._connection.execute(wanted).mappings()]


def _tripped(start: datetime, end: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on events that tripped in ``[start, end)``."""
    return events.c.timestamp >= iso(start), events.c.timestamp < iso(end)


def _is_trip() -> ColumnElement[bool]:
    """Return the condition on events that no escalation raised.

    Nearly all are trips, and ``IS NULL`` would make SQLite walk through the index of causes
    instead of the few minutes that are asked for.
    """
    return func.coalesce(events.c.caused_by, "") == ""


def _row(event: ExplainedEvent) -> dict[str, Any]:
    """Return an event as columns."""
    return {
        "id": event.id,
        "timestamp": iso(event.timestamp),
        "rule_name": event.rule.name,
        "rule": event.rule.model_dump_json(by_alias=True),
        "rule_version": event.rule_version,
        "scope": event.scope,
        "scope_key": event.scope_key,
        "command_type": event.command_type,
        "action": event.action.value,
        "severity": event.severity.value,
        "metrics": json.dumps(event.metrics, ensure_ascii=False),
        "evidence": event.evidence.model_dump_json(by_alias=True) if event.evidence else None,
        "escalation": event.escalation.model_dump_json(by_alias=True) if event.escalation else None,
        "details": event.details,
        "caused_by": event.caused_by,
        "due_at": iso(event.due_at),
        "recorded_at": iso(event.recorded_at),
        "autonomy_epoch": event.autonomy_epoch,
        "judge_epoch": event.judge_epoch,
    }


def _fields(row: RowMapping) -> dict[str, Any]:
    """Return the fields that every view of an event has."""
    return {
        **{name: row[name] for name in PLAIN},
        **{name: read_moment(row[name]) if row[name] else None for name in MOMENTS},
        "rule": _rule(row["rule"]),
        "metrics": json.loads(row["metrics"]),
        "resolved": row["resolved"] == 1,
    }


@lru_cache(maxsize=1_000)
def _rule(text: str) -> RuleSummary:
    """Return the rule of an event; thousands of events share a few."""
    return RuleSummary.model_validate_json(text)


def _event(row: RowMapping) -> BreakerEvent:
    """Return an event as lists show it."""
    return BreakerEvent.model_validate(_fields(row))


def _explained(row: RowMapping, related: Iterable[str]) -> ExplainedEvent:
    """Return an event with all it stands on."""
    evidence, escalation = row["evidence"], row["escalation"]
    return ExplainedEvent.model_validate(
        {
            **_fields(row),
            "evidence": Evidence.model_validate_json(evidence) if evidence else None,
            "escalation": Escalated.model_validate_json(escalation) if escalation else None,
            "judge_epoch": row["judge_epoch"],
            "related": list(related),
        }
    )
