"""Counts by minute of event time and scope, which serve every window over hours and days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from governance.store.tables import COUNTED, metrics_snapshots
from governance.store.upsert import upsert
from schemas.tallies import OVERALL, Counts
from schemas.wire import iso, iso_ms

MINUTE = 60_000
"""Milliseconds in a row's period."""


class MinuteShelf:
    """Adds to the minutes and sums them up."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, counts: Mapping[tuple[int, str], Sequence[int]]) -> None:
        """Add increments, by (minute since 1970, scope); a late one lands in its own minute."""
        rows = [
            {
                "timestamp": iso_ms(minute * MINUTE),
                "scope": scope,
                **dict(zip(COUNTED, row, strict=True)),
            }
            for (minute, scope), row in sorted(counts.items())
        ]
        upsert(self._connection, metrics_snapshots, rows, adding=COUNTED)

    def total(self, start: datetime, end: datetime, *, scope: str = OVERALL) -> Counts:
        """Return the sum of the minutes that begin in ``[start, end)``."""
        table = metrics_snapshots.c
        wanted = select(*(func.coalesce(func.sum(table[name]), 0) for name in COUNTED)).where(
            table.scope == scope, table.timestamp >= iso(start), table.timestamp < iso(end)
        )
        return [int(number) for number in self._connection.execute(wanted).one()]
