"""Minutes of a quarter: one for all and one for each command type, none left out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, Connection, Text, insert, literal, select, values
from sqlalchemy.sql import Select

from bench.load import TYPES
from governance.store.tables import COUNTED, metrics_snapshots
from schemas.tallies import OVERALL, scope_of
from schemas.wire import iso

MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)

OF_A_TYPE: Final = {"proposed": 9, "approved": 9, "succeeded": 11}
"""What each command type does in a minute: eight commands a second in all."""

NOW_AND_THEN: Final = {
    "failed": 41, "timed_out": 97, "rejected": 13, "rolled_back": 59, "overridden": 71,
    "incident_low": 131, "incident_high": 2_111, "incident_critical": 4_999,
    "safety_gate_trigger": 203,
}  # fmt: skip
"""What happens once in so many minutes, to no command type in particular."""


def write_day(connection: Connection, day: datetime, *, upto: datetime) -> int:
    """Write the minutes of the 24 hours from *day*, in the order of time; return how many rows.

    First those of all, then from them those of each type, as whole shares.
    """
    last = min(day + DAY, upto)
    minutes = [day + count * MINUTE for count in range((last - day) // MINUTE)]
    connection.execute(insert(metrics_snapshots), [_overall(moment) for moment in minutes])
    put = insert(metrics_snapshots).from_select(
        ["timestamp", "scope", *COUNTED], _of_types(minutes[0], last)
    )
    connection.execute(put)
    return len(minutes) * (1 + len(TYPES))


def _overall(moment: datetime) -> dict[str, Any]:
    """Return the row of everything in one minute."""
    number = int(moment.timestamp()) // 60
    counts = {name: len(TYPES) * OF_A_TYPE.get(name, 0) for name in COUNTED}
    for name, pause in NOW_AND_THEN.items():
        counts[name] = int(number % pause == 0)
    return {"timestamp": iso(moment), "scope": OVERALL, **counts}


def _of_types(first: datetime, last: datetime) -> Select[Any]:
    """Return the query that makes rows of types from the rows of all in ``[first, last)``."""
    table = metrics_snapshots.c
    names = [(scope_of("commandType", name),) for name in TYPES]
    scopes = values(Column("name", Text), name="scopes").data(names).cte("scopes")
    shares = [literal(OF_A_TYPE.get(name, 0)).label(name) for name in COUNTED]
    return (
        select(table.timestamp, scopes.c.name, *shares)
        .select_from(metrics_snapshots.join(scopes, literal(1) == 1))
        .where(table.scope == OVERALL, table.timestamp >= iso(first), table.timestamp < iso(last))
        .order_by(table.timestamp, scopes.c.name)
    )
