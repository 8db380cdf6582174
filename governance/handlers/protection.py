"""Workers are told which command types keep a scope of their own."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from governance.audit import Act
from governance.desk import Desk
from governance.handlers.changes import publish
from governance.handlers.lowering import SYSTEM
from governance.ladder import known_command_types
from governance.protection import MOST, protected_types
from governance.store import Unit
from schemas.governance import ProtectionRecord
from schemas.topics import STATE

LATELY: Final = timedelta(days=30)
"""How far back a day counts that the present phase, lost and begun anew, does not remember."""


def protect_types(desk: Desk) -> bool:
    """Tell workers which command types are protected, if those changed; return whether they did.

    They are those that some phase allows, that are allowed now or ever were, and those that ran
    on a day before today, in this phase or lately, the ones that ran on most days first. Writes
    only if something is to be written.

    Raises:
        Unavailable: the database is busy or away.
    """
    with desk.store.reading() as unit:
        wanted, last = _wanted(desk, unit), unit.protection.newest()
    if last is not None and last.command_types == wanted:
        return False
    now = desk.clock()
    with desk.store.writing() as unit:
        last = unit.protection.newest()
        since = desk.in_force_from(now, last.effective_from if last else 0)
        record = ProtectionRecord(
            version=max(since, last.version + 1 if last else 1),
            effective_from=since,
            command_types=wanted,
        )
        unit.protection.add(record)
        unit.audit.append(
            Act.PROTECTION_CHANGED, "command types", actor=SYSTEM, at=now, after=record.to_wire()
        )
        publish(unit, STATE.name, record.key, record, now=now)
    return True


def _wanted(desk: Desk, unit: Unit) -> list[str]:
    """Return which command types are to be protected today."""
    state = unit.autonomy.load()
    allowed = known_command_types(desk.settings.phase_whitelists)
    allowed |= {*state.command_whitelist, *unit.protection.ever_allowed()}
    today = desk.clock().replace(hour=0, minute=0, second=0, microsecond=0)
    since = min(state.phase_start_date, today - LATELY)
    seen = unit.protection.seen_between(since, today, limit=MOST)
    return protected_types(allowed, seen)
