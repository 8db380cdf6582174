"""What became of trips, read for statistics: few columns of many rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from governance.events import Finding
from governance.rule_quality import TripRecord
from governance.store.moments import read_moment
from governance.store.tables import circuit_breaker_events as events
from schemas.wire import iso


class TripRecordShelf:
    """Reads trips as records, and counts those that wait for an answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def between(
        self, start: datetime, end: datetime, *, rule: str | None = None
    ) -> list[TripRecord]:
        """Return the trips in ``[start, end)``, of *rule* alone if it is named, in any order."""
        table = events.c
        answered = func.coalesce(table.acknowledged_at, table.resolved_at)
        wanted = select(
            table.rule_name,
            table.timestamp,
            table.due_at,
            answered,
            table.resolved_at,
            table.finding,
        ).where(table.timestamp >= iso(start), table.timestamp < iso(end))
        if rule is not None:
            wanted = wanted.where(table.rule_name == rule)
        return [_record(tuple(row)) for row in self._connection.execute(wanted)]

    def count_overdue(self, now: datetime) -> int:
        """Return how many events nobody answered by when they were due."""
        wanted = (
            select(func.count())
            .select_from(events)
            .where(
                events.c.resolved == 0,
                events.c.acknowledged_at.is_(None),
                events.c.due_at < iso(now),
            )
        )
        return int(self._connection.execute(wanted).scalar_one())


def _record(row: Sequence[Any]) -> TripRecord:
    """Return a row as a record."""
    rule, at, due, answered, resolved, finding = row
    return TripRecord(
        rule=rule,
        at=read_moment(at),
        due_at=read_moment(due),
        answered_at=read_moment(answered) if answered else None,
        resolved_at=read_moment(resolved) if resolved else None,
        finding=Finding(finding) if finding else None,
    )
