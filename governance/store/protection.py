"""The command types that keep scopes of their own: every version that workers were told."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.engine import RowMapping

from governance.store.ladder_tables import metrics_days
from governance.store.tables import phase_history, protected_command_types
from schemas.governance import ProtectionRecord
from schemas.wire import iso

TYPED = "commandType="
"""What the scopes of command types begin with."""


class ProtectionShelf:
    """Keeps the versions, and finds which types have a history."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def newest(self) -> ProtectionRecord | None:
        """Return the newest version, or None before any."""
        table = protected_command_types.c
        wanted = select(protected_command_types).order_by(table.version.desc()).limit(1)
        row = self._connection.execute(wanted).mappings().first()
        return _record(row) if row is not None else None

    def all(self) -> list[ProtectionRecord]:
        """Return every version, the oldest first; there is at most one a day."""
        rows = self._connection.execute(
            select(protected_command_types).order_by(protected_command_types.c.version)
        )
        return [_record(row) for row in rows.mappings()]

    def add(self, record: ProtectionRecord) -> None:
        """Add a version."""
        self._connection.execute(
            insert(protected_command_types).values(
                version=record.version,
                effective_from=record.effective_from,
                command_types=json.dumps(record.command_types),
            )
        )

    def ever_allowed(self) -> set[str]:
        """Return the command types that were on the whitelist of any phase that was left."""
        held = self._connection.execute(select(phase_history.c.command_whitelist).distinct())
        return {name for text in held.scalars() for name in json.loads(text)}

    def seen_between(self, since: datetime, until: datetime, *, limit: int) -> list[str]:
        """Return command types counted on whole days in ``[since, until)``, the steadiest first.

        Those counted on the most days, and of these those that came first.
        """
        day = metrics_days.c
        steadiest = (func.count().desc(), func.min(day.timestamp), day.scope)
        wanted = (
            select(day.scope)
            .where(
                day.timestamp >= iso(since),
                day.timestamp < iso(until),
                day.scope.startswith(TYPED, autoescape=True),
            )
            .group_by(day.scope)
            .order_by(*steadiest)
            .limit(limit)
        )
        return [scope.removeprefix(TYPED) for scope in self._connection.execute(wanted).scalars()]


def _record(row: RowMapping) -> ProtectionRecord:
    """Return a stored version."""
    return ProtectionRecord(
        version=row["version"],
        effective_from=row["effective_from"],
        command_types=json.loads(row["command_types"]),
    )
