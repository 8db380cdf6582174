"""What rules and command types did over a while: for the decision trees, and for resuming."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Table, func, select

from governance.store.ladder_tables import metrics_days, metrics_hours
from governance.store.moments import read_moment
from governance.store.tables import (
    circuit_breaker_events,
    circuit_breaker_rule_versions,
    metrics_snapshots,
)
from schemas.rules import Action
from schemas.tallies import OTHER, OVERALL, dimension_of, scope_of, value_of
from schemas.wire import iso

LEAD: Final = timedelta(minutes=15)
"""How long before an incident a trip still counts as having seen it coming."""

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
MINUTE: Final = timedelta(minutes=1)

CHUNK: Final = 5_000
"""Moments in one query at most: databases limit how many values a query has."""

GRACE: Final = timedelta(minutes=5)
"""How long after an incident's minute a trip still counts as its answer."""


class RuleRecordShelf:
    """Counts what rules did, and finds who was there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def began(self, rule: str) -> datetime | None:
        """Return since when *rule* has been there, or None if it never was."""
        versions = circuit_breaker_rule_versions.c
        first = select(func.min(versions.changed_at)).where(versions.name == rule)
        found = self._connection.execute(first).scalar()
        return read_moment(found) if found else None

    def missed_incidents(self, since: datetime) -> int:
        """Return the minutes since *since* with a critical incident that no breaker answered.

        A breaker answers by lowering autonomy, a while before or just after.
        """
        table = circuit_breaker_events.c
        answers = select(table.timestamp).where(
            table.timestamp >= iso(since - LEAD), table.action != Action.ALERT_ONLY.value
        )
        trips = list(self._connection.execute(answers.order_by(table.timestamp)).scalars())
        return sum(not _is_answered(minute, trips) for minute in self._incidents(since))

    def _incidents(self, since: datetime) -> list[datetime]:
        """Return the minutes since *since* with a critical incident.

        Days and hours say where to look: few have one, and a quarter has millions of minutes.
        """
        day = metrics_days.c
        recent = select(day.timestamp).where(
            day.scope == OVERALL, day.timestamp >= iso(since - DAY), day.incident_critical > 0
        )
        days = [read_moment(found) for found in self._connection.execute(recent).scalars()]
        hours = self._critical(metrics_hours, _parts(days, HOUR, DAY // HOUR))
        minutes = self._critical(metrics_snapshots, _parts(hours, MINUTE, HOUR // MINUTE))
        return [minute for minute in minutes if minute >= since]

    def _critical(self, table: Table, moments: Sequence[str]) -> list[datetime]:
        """Return those of *moments* at which a row of *table* has a critical incident."""
        row, found = table.c, list[str]()
        for first in range(0, len(moments), CHUNK):
            wanted = select(row.timestamp).where(
                row.scope == OVERALL,
                row.timestamp.in_(moments[first : first + CHUNK]),
                row.incident_critical > 0,
            )
            found += self._connection.execute(wanted).scalars()
        return [read_moment(moment) for moment in found]

    def types_seen(self, since: datetime, *, rows: int) -> set[str]:
        """Return the command types among the newest *rows* counts since *since*."""
        minutes = metrics_snapshots.c
        newest = select(minutes.scope).where(minutes.timestamp >= iso(since))
        newest = newest.order_by(minutes.timestamp.desc(), minutes.scope.desc()).limit(rows)
        scopes = set(self._connection.execute(newest).scalars())
        return {value_of(one) for one in scopes if dimension_of(one) == "commandType"} - {OTHER}

    def never_seen(self, names: Iterable[str]) -> list[str]:
        """Return those of the command types *names* of which no day that is kept counted any."""
        scopes = {name: scope_of("commandType", name) for name in names}
        wanted = select(metrics_days.c.scope).where(metrics_days.c.scope.in_(scopes.values()))
        seen = set(self._connection.execute(wanted.distinct()).scalars())
        return [name for name, scope in scopes.items() if scope not in seen]


def _parts(beginnings: Iterable[datetime], length: timedelta, count: int) -> list[str]:
    """Return when the *count* parts of *length* begin into which each of *beginnings* is cut."""
    return [iso(begins + number * length) for begins in beginnings for number in range(count)]


def _is_answered(minute: datetime, trips: list[str]) -> bool:
    """Whether one of *trips* (moments as text, in order) answers an incident in *minute*."""
    first = bisect_left(trips, iso(minute - LEAD))
    return first < len(trips) and trips[first] <= iso(minute + GRACE)
