"""Counts by minute, hour and day of event time and scope, which serve every longer window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, Table, bindparam, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from governance.rollups import Step, Stretch, stretches
from governance.store.ladder_tables import metrics_days, metrics_hours
from governance.store.moments import read_moment
from governance.store.tables import COUNTED, metrics_snapshots
from governance.store.upsert import upsert
from schemas.tallies import OVERALL, WIDTH, Counts
from schemas.wire import iso_ms, to_ms

MINUTE = 60_000
"""Milliseconds in a row's period."""

TABLES: Final[dict[Step, Table]] = {
    Step.MINUTE: metrics_snapshots,
    Step.HOUR: metrics_hours,
    Step.DAY: metrics_days,
}

BEGINNINGS: Final = (
    (Step.HOUR, Step.MINUTE, 13, ":00:00.000Z"),
    (Step.DAY, Step.HOUR, 10, "T00:00:00.000Z"),
)
"""What is summed up into what, and how the moment of the one makes that of the other."""

WRITTEN: Final = "2___-__-__T__:__:00.000Z"
"""How a minute is written; a row with another moment is nobody's minute."""


class MinuteShelf:
    """Adds to the minutes, hours and days, and sums them up."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, counts: Mapping[tuple[int, str], Sequence[int]]) -> None:
        """Add increments, by (minute since 1970, scope); a late one lands in its own minute.

        Its hour and its day grow with it.
        """
        for step, table in TABLES.items():
            rows = [
                {
                    "timestamp": iso_ms(beginning),
                    "scope": scope,
                    **dict(zip(COUNTED, row, strict=True)),
                }
                for (beginning, scope), row in sorted(_by(step, counts).items())
            ]
            upsert(self._connection, table, rows, adding=COUNTED)

    def total(self, start: datetime, end: datetime, *, scope: str = OVERALL) -> Counts:
        """Return the sum of the minutes that begin in ``[start, end)``.

        Whole hours and days are read as such, so that a quarter is a hundred rows.
        """
        found = [self._sum(stretch, scope) for stretch in stretches(start, end)]
        return [sum(column) for column in zip(*found, strict=True)] or [0] * WIDTH

    def rows(self, stretch: Stretch, *, scope: str = OVERALL) -> dict[str, Counts]:
        """Return the rows of *stretch* by their moments; those that count nothing are left out."""
        found = self._connection.execute(_ROWS[stretch.step], _edges(stretch, scope))
        return {row[0]: list(row[1:]) for row in found}

    def days_to_sum_up(self) -> list[int]:
        """Return the days (ms since 1970) to `sum_up`, newest first, or none.

        There are some where minutes are older than the hours: they came in by SQL or from a
        version that kept no hours. The oldest day is the last, so that stopping half-way is seen.
        """
        minute, hour, day = (
            self._connection.execute(select(func.min(table.c.timestamp))).scalar()
            for table in TABLES.values()
        )
        if minute is None or (hour and day and hour <= minute and day <= minute):
            return []
        moment = metrics_snapshots.c.timestamp
        ours = select(func.min(moment), func.max(moment)).where(moment.like(WRITTEN))
        oldest, newest = self._connection.execute(ours).one()
        if oldest is None or (hour and day and hour <= oldest and day <= oldest):
            return []
        return _days(oldest, newest)

    def sum_up(self, day: int) -> None:
        """Make hours of the minutes of *day*, and the day of its hours, where they hold less.

        Safe to repeat: `add` keeps them equal, this is for minutes that it never saw.
        """
        for coarse, fine, length, rest in BEGINNINGS:
            source = TABLES[fine].c
            beginning = func.substr(source.timestamp, 1, length) + literal(rest)
            sums = (func.sum(source[name]) for name in COUNTED)
            wanted = select(beginning, source.scope, *sums).where(
                source.timestamp >= iso_ms(day),
                source.timestamp < iso_ms(day + Step.DAY.milliseconds),
            )
            self._raise_to(TABLES[coarse], wanted.group_by(beginning, source.scope))

    def _sum(self, stretch: Stretch, scope: str) -> Counts:
        """Return the sum of the rows of *stretch*."""
        row: Row[Any] = self._connection.execute(_SUMS[stretch.step], _edges(stretch, scope)).one()
        return [int(number) for number in row]

    def _raise_to(self, table: Table, wanted: Any) -> None:
        """Insert what *wanted* selects; a row that is there is raised to it, never lowered."""
        is_postgres = self._connection.dialect.name == "postgresql"
        put = (postgresql.insert if is_postgres else sqlite.insert)(table)
        put = put.from_select(["timestamp", "scope", *COUNTED], wanted)
        greatest = func.greatest if is_postgres else func.max
        kept = {name: greatest(table.c[name], put.excluded[name]) for name in COUNTED}
        self._connection.execute(
            put.on_conflict_do_update(index_elements=["timestamp", "scope"], set_=kept)
        )


def _by(
    step: Step, counts: Mapping[tuple[int, str], Sequence[int]]
) -> dict[tuple[int, str], Sequence[int]]:
    """Return *counts* by (ms since 1970 of the beginning of its *step*, scope)."""
    found: dict[tuple[int, str], Sequence[int]] = {}
    for (minute, scope), row in counts.items():
        key = (minute * MINUTE // step.milliseconds * step.milliseconds, scope)
        before = found.get(key)
        found[key] = [a + b for a, b in zip(before, row, strict=True)] if before else row
    return found


def _days(oldest: str, newest: str) -> list[int]:
    """Return the beginnings of the days from *newest* to *oldest*, in ms since 1970.

    None where a moment by SQL names a day that does not exist: it must not stop a start.
    """
    length = Step.DAY.milliseconds
    try:
        first, last = (to_ms(read_moment(text)) // length * length for text in (oldest, newest))
    except ValueError:
        return []
    return list(range(last, first - 1, -length))


def _within(table: Table) -> tuple[Any, ...]:
    """Return the conditions on the rows that `_edges` name."""
    return (
        table.c.scope == bindparam("of"),
        table.c.timestamp >= bindparam("first"),
        table.c.timestamp < bindparam("last"),
    )


def _edges(stretch: Stretch, scope: str) -> dict[str, str]:
    """Return the scope and the moments between which the rows of *stretch* begin."""
    return {"of": scope, "first": iso_ms(stretch.first), "last": iso_ms(stretch.last)}


def _sums(table: Table) -> Select[Any]:
    """Return the query for the sums of all columns."""
    sums = (func.coalesce(func.sum(table.c[name]), 0) for name in COUNTED)
    return select(*sums).where(*_within(table))


def _each(table: Table) -> Select[Any]:
    """Return the query for the rows one by one."""
    columns = (table.c[name] for name in COUNTED)
    return select(table.c.timestamp, *columns).where(*_within(table))


_SUMS: Final = {step: _sums(table) for step, table in TABLES.items()}
_ROWS: Final = {step: _each(table) for step, table in TABLES.items()}
"""Made once: so many columns take longer to write down than to read."""
