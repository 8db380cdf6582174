"""The database looked over: what a person wants to know before they trust it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Final

from governance import backups
from governance.desk import Desk
from governance.handlers.audit import verify_audit
from governance.store import Unit
from governance.store.moments import read_moment
from governance.store.whole import newest_revision
from schemas.errors import GovernanceError
from schemas.wire import Wire

BACKLOG: Final = timedelta(minutes=15)
"""How long what Kafka is to be told may wait before it is worth a look."""

BACKUP_AGE: Final = timedelta(days=2)
"""Backups are daily: an older one is worth a look."""


class Finding(StrEnum):
    """How one part is: sound, worth a look, or not to be trusted."""

    SOUND = "sound"
    LOOK = "look"
    BROKEN = "broken"


class PartCheck(Wire):
    """One part of the database, and what was found."""

    part: str
    finding: Finding
    detail: str


class DatabaseCheck(Wire):
    """All parts; ``sound`` unless one is broken."""

    sound: bool
    parts: list[PartCheck]


def check_database(desk: Desk) -> DatabaseCheck:
    """Look over the whole database, and change nothing; reads every page and every audit row.

    Raises:
        Unavailable: it does not answer at all.
    """
    looks: dict[str, Callable[[Unit, Desk], tuple[Finding, str]]] = {
        "pages and keys": _damage,
        "revision": _revision,
        "state": _state,
        "audit log": _audit,
        "outbox": _outbox,
        "size": _size,
        "last backup": _last_backup,
    }
    parts = [_look(desk, part, look) for part, look in looks.items()]
    return DatabaseCheck(sound=all(one.finding != Finding.BROKEN for one in parts), parts=parts)


def _look(desk: Desk, part: str, look: Callable[[Unit, Desk], tuple[Finding, str]]) -> PartCheck:
    """Look at one part; one that cannot even be looked at is broken."""
    try:
        with desk.store.reading() as unit:
            finding, detail = look(unit, desk)
    except GovernanceError:
        raise
    except Exception as error:  # noqa: BLE001 - a ruin may fail in any way, and that is an answer
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        finding, detail = Finding.BROKEN, f"cannot be read: {said}"
    return PartCheck(part=part, finding=finding, detail=detail)


def _damage(unit: Unit, _: Desk) -> tuple[Finding, str]:
    """Look at every page, index and foreign key."""
    found = unit.whole.damage()
    if not found:
        return Finding.SOUND, "intact"
    return Finding.BROKEN, "; ".join(found[:3])


def _revision(unit: Unit, _: Desk) -> tuple[Finding, str]:
    """Compare the tables' revision with the one that this version works on."""
    found, wanted = unit.whole.revision(), newest_revision()
    if found == wanted:
        return Finding.SOUND, found
    if unit.whole.is_newer():
        why = unit.whole.refusal()
        goes_on = f"{found}, of a newer version; this one works on it as on {wanted}"
        return (Finding.LOOK, goes_on) if why is None else (Finding.BROKEN, why)
    return Finding.LOOK, f"{found}; the next start of the service brings it to {wanted}"


def _state(unit: Unit, _: Desk) -> tuple[Finding, str]:
    """Read the state."""
    if not unit.autonomy.is_there():
        return Finding.BROKEN, "there is none"
    state = unit.autonomy.load()
    paused = "everything" if state.all_paused else len(state.paused_command_types)
    said = f"{state.phase}, {paused} paused, epoch {state.epoch}"
    if unit.autonomy.stored().is_ours:
        return Finding.SOUND, said
    return Finding.LOOK, f"{said}; changed by SQL, which the service has not taken over yet"


def _audit(unit: Unit, desk: Desk) -> tuple[Finding, str]:
    """Verify the chain, and that it tells the state."""
    report = verify_audit(desk)
    if report.intact:
        return Finding.SOUND, f"{report.rows} rows, head {report.head_seq}:{report.head_hash}"
    waits = report.broken_at is None and not unit.autonomy.stored().is_ours
    where = f"row {report.broken_at}: " if report.broken_at else ""
    return Finding.LOOK if waits else Finding.BROKEN, f"{where}{report.problem}"


def _outbox(unit: Unit, desk: Desk) -> tuple[Finding, str]:
    """Count what Kafka is still to be told, and what it does not take."""
    if refused := unit.outbox.refused(1):
        return Finding.BROKEN, f"{unit.outbox.count_refused()} refused: {refused[0].why}"
    count, oldest = unit.outbox.waiting()
    if not count or oldest is None:
        return Finding.SOUND, "nothing waits"
    late = read_moment(oldest) < desk.clock() - BACKLOG
    return Finding.LOOK if late else Finding.SOUND, f"{count} records wait since {oldest}"


def _size(unit: Unit, _: Desk) -> tuple[Finding, str]:
    """Say how large it is."""
    return Finding.SOUND, f"{unit.whole.size() / 1_000_000:,.1f} MB"


def _last_backup(_: Unit, desk: Desk) -> tuple[Finding, str]:
    """Say how old the last backup is that we made in our own folder."""
    folder = desk.settings.data_dir / "backups"
    last = backups.newest_manifest(folder)
    if last is None:
        return Finding.LOOK, f"none in {folder}"
    age = desk.clock() - last.made_at
    said = f"{last.file}, {age.days} days and {age.seconds // 3600} hours old"
    return Finding.LOOK if age > BACKUP_AGE else Finding.SOUND, said
