"""What is kept for some time only: old rows, read whole and then forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from governance.store.tables import (
    circuit_breaker_events,
    metrics_snapshots,
    readiness_assessments,
)
from schemas.wire import iso


class Kept(StrEnum):
    """The tables whose old rows are forgotten; all others are kept for ever."""

    MINUTES = "metrics_snapshots"
    ASSESSMENTS = "readiness_assessments"
    RESOLVED_EVENTS = "circuit_breaker_events"


TABLES: Final[dict[Kept, Table]] = {
    Kept.MINUTES: metrics_snapshots,
    Kept.ASSESSMENTS: readiness_assessments,
    Kept.RESOLVED_EVENTS: circuit_breaker_events,
}


@dataclass(frozen=True, slots=True)
class OldRows:
    """Some of the oldest rows of a table: all that are not younger than ``last``."""

    kept: Kept
    last: str
    rows: list[dict[str, Any]]


class RetentionShelf:
    """Reads and forgets old rows; events that people have not resolved are never among them.

    Neither is the newest event: proposals are bound to it, and that it grew old is no news.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def count(self, kept: Kept, before: datetime) -> int:
        """Return how many rows are older than *before*."""
        wanted = select(func.count()).select_from(TABLES[kept]).where(*_old(kept, before))
        return int(self._connection.execute(wanted).scalar_one())

    def oldest(self, kept: Kept, before: datetime, *, limit: int) -> OldRows | None:
        """Return about *limit* of the oldest rows before *before*, or None if there are none.

        Rows of one moment stay together, so a few more may come.
        """
        moment = TABLES[kept].c.timestamp
        some = select(moment).where(*_old(kept, before)).order_by(moment).limit(limit).subquery()
        last = self._connection.execute(select(func.max(some.c.timestamp))).scalar()
        if last is None:
            return None
        wanted = select(TABLES[kept]).where(*_old(kept, before), moment <= last).order_by(moment)
        rows = self._connection.execute(wanted).mappings()
        return OldRows(kept, last, [dict(row) for row in rows])

    def forget(self, old: OldRows, before: datetime) -> int:
        """Delete the rows that *old* holds, and return how many they were."""
        table = TABLES[old.kept]
        gone = delete(table).where(*_old(old.kept, before), table.c.timestamp <= old.last)
        return int(self._connection.execute(gone).rowcount)


def _old(kept: Kept, before: datetime) -> list[ColumnElement[bool]]:
    """Return the conditions on rows that need not be kept any longer."""
    table = TABLES[kept].c
    conditions = [table.timestamp < iso(before)]
    if kept is Kept.RESOLVED_EVENTS:
        newest = select(func.max(circuit_breaker_events.c.seq)).scalar_subquery()
        conditions += [table.resolved == 1, table.seq != newest]
    return conditions
