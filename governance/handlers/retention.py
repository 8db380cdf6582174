"""Retention: what is old enough is archived and forgotten; the rest is kept for ever.

Kept for ever are the audit log, events that wait for people, hours and days of metrics, reports,
proposals, rules and phases.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from governance.archive import Archive
from governance.audit import Act
from governance.desk import Desk
from governance.handlers.metrics import sum_up_minutes
from governance.rollups import midnight
from governance.store import Unit
from governance.store.retention import Kept
from schemas.errors import Unavailable
from schemas.wire import Moment, Wire, iso

AT_ONCE: Final = 10_000
"""Rows in one transaction, for a part of a second, for which other writers wait."""


class Pruned(Wire):
    """What was forgotten, by table, and where it is archived; None where nothing was old."""

    before: Moment
    rows: dict[str, int]
    archive: str | None = None


def prune(desk: Desk, *, by: str, days: int | None = None) -> Pruned:
    """Archive and delete what is older than *days* (those of the settings), by whole UTC days.

    Rows are on disk in the archive before they are deleted; killed in between, they are in both.

    Raises:
        Unavailable: the database is busy or away, or the archive cannot be written; what was
            not archived was not deleted.
    """
    now = desk.clock()
    before = _before(desk, now, days)
    sum_up_minutes(desk)
    archive = Archive(desk.settings.data_dir / "archive", now)
    gone: Counter[str] = Counter({kept.value: 0 for kept in Kept})
    for kept in Kept:
        while count := _prune_some(desk, kept, before, archive=archive, by=by):
            gone[kept] += count
    return Pruned(before=before, rows=gone, archive=str(archive.path) if archive.rows else None)


def preview_prune(desk: Desk, *, days: int | None = None) -> Pruned:
    """Return what `prune` would forget now, and change nothing."""
    before = _before(desk, desk.clock(), days)
    with desk.store.reading() as unit:
        return Pruned(
            before=before,
            rows={kept.value: unit.retention.count(kept, before) for kept in Kept},
        )


def _before(desk: Desk, now: datetime, days: int | None) -> datetime:
    """Return the midnight before which rows are old."""
    kept = desk.settings.retention_days if days is None else days
    return midnight(now - timedelta(days=kept))


def _prune_some(desk: Desk, kept: Kept, before: datetime, *, archive: Archive, by: str) -> int:
    """Archive and delete some of the oldest rows, in one transaction; return how many.

    Raises:
        Unavailable: rows came in by SQL meanwhile, which the archive lacks; nothing was deleted.
    """
    with desk.store.reading() as unit:
        if not unit.retention.count(kept, before):
            return 0
    with desk.store.writing() as unit:
        old = unit.retention.oldest(kept, before, limit=AT_ONCE)
        if old is None:
            return 0
        count = archive.add(kept.value, old.rows)
        if unit.retention.forget(old, before) != count:
            raise Unavailable("database", f"{kept.value} changed while it was archived")
        _write_down(unit, kept, count, file=archive.path, before=before, by=by, now=desk.clock())
    return count


def _write_down(
    unit: Unit, kept: Kept, count: int, *, file: Path, before: datetime, by: str, now: datetime
) -> None:
    """Leave an audit row that says what was forgotten, and where it is."""
    unit.audit.append(
        Act.DATABASE_PRUNED,
        kept.value,
        actor=by,
        at=now,
        after={"rows": count, "before": iso(before), "archive": file.name},
    )
