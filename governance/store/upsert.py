"""Insert or replace, in the words of both databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    *,
    adding: Sequence[str] = (),
) -> None:
    """Insert *rows*; where the key is there, replace the rest, or add to the columns *adding*."""
    if not rows:
        return
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    wanted = make(table)
    keys = [column.name for column in table.primary_key]
    kept = {
        name: table.c[name] + wanted.excluded[name] if name in adding else wanted.excluded[name]
        for name in rows[0]
        if name not in keys
    }
    connection.execute(wanted.on_conflict_do_update(index_elements=keys, set_=kept), list(rows))
