"""The tables as a migration left them, and rows for them that could be real."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Engine, MetaData, Table
from sqlalchemy.types import TypeEngine

from schemas.wire import iso
from tests.desks import NOON

OWN = {"alembic_version", "schema_revisions"}
"""The tables of the migrations themselves, which say where they are."""
ONE_ROW = {"governance_state", "service_lease"}
"""The tables that have one row and no second."""
DOCUMENTS = {
    "command_types",
    "command_whitelist",
    "paused_command_types",
    "resumed_command_types",
    "roles",
    "scopes",
}
"""Columns that hold a JSON list; other documents are objects."""
OBJECTS = {
    "assessment",
    "criteria",
    "escalation",
    "evidence",
    "metrics",
    "progress",
    "proposal",
    "report",
    "rule",
    "sealed",
}


def tables(engine: Engine) -> dict[str, Table]:
    """Return the tables as they are now, but for those of the migrations."""
    found = MetaData()
    found.reflect(engine)
    return {name: table for name, table in found.tables.items() if name not in OWN}


def value(table: str, column: str, kind: TypeEngine[Any], number: int) -> Any:
    """Return what row *number* holds in a column: always the same, and what it could hold."""
    if kind.python_type is int:
        return 1 if table in ONE_ROW and column == "id" else number
    if kind.python_type is float:
        return number / 4
    if column in DOCUMENTS:
        return json.dumps([f"{table} {number}"])
    if column in OBJECTS:
        return json.dumps({"of": f"{table} {number}"})
    if column in ("timestamp", "until") or column.endswith(("_at", "_date", "_start", "_end")):
        return iso(NOON.replace(minute=number))
    return f"{table}.{column} {number} é"
