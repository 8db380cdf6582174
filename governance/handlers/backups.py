"""Backups: made while the service writes, and not called one before they were verified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from governance import backups
from governance.audit import verify_chain
from governance.backups import Contents, Head, Manifest, Offset
from governance.desk import Desk
from governance.store import Unit
from governance.store.copies import sqlite_copy
from governance.store.postgres import dump
from governance.store.whole import file_of
from schemas.errors import Damaged, GovernanceError, Refused


def back_up(desk: Desk, file: Path | None = None) -> Manifest:
    """Write a verified backup to *file*, or below ``backups`` in the data folder.

    It is that of one moment, whatever is written meanwhile, and holds up nobody.

    Raises:
        Refused: there is a file of that name, or the copy is not sound; nothing was kept.
        Unavailable: the database or the disk does not take part, or `pg_dump` is missing.
    """
    source, now = file_of(desk.settings.sql_url), desk.clock()
    kind = "sqlite" if source else "postgresql"
    target = file or backups.default_file(desk.settings.data_dir / "backups", kind, now)
    backups.check_unused(target)
    with backups.workplace(target) as folder:
        plain, packed = folder / "plain", folder / "packed"
        copy = sqlite_copy(source, plain) if source else dump(desk.settings.sql_url, plain)
        with legible(), copy as unit:
            contents = sound_contents(unit)
        backups.compress(plain, packed)
        backups.check_packed(packed, plain)
        manifest = Manifest(
            **dict(contents),
            file=target.name,
            kind=kind,
            made_at=now,
            bytes=packed.stat().st_size,
            sha256=backups.sha256_of(packed),
        )
        backups.finish(packed, target, manifest)
    return manifest


@contextmanager
def legible() -> Iterator[None]:
    """Say in a sentence that a database cannot be read, in whatever way it fails.

    Raises:
        Refused: it is a ruin.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, GovernanceError | OSError) and not isinstance(error, Damaged):
            raise
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Refused(
            f"the database cannot be read: {said}", allowed_when="restore a sound backup of it"
        ) from error


def sound_contents(unit: Unit) -> Contents:
    """Return what a database holds, once it is known to be sound.

    Raises:
        Refused: its pages, its audit log or its state are damaged.
    """
    damage = unit.whole.damage()
    if damage:
        raise Refused(f"the database is damaged: {damage[0]}")
    chain = verify_chain(unit.audit.rows())
    if not chain.intact:
        raise Refused(f"the audit log is not intact at row {chain.broken_at}: {chain.problem}")
    if not unit.autonomy.is_there():
        raise Refused("it holds no state of this product")
    return Contents(
        revision=unit.whole.revision() or "",
        state=unit.autonomy.load().facts(),
        audit=Head(seq=chain.head_seq, hash=chain.head_hash),
        rules=sorted(one.key for one in unit.rules.newest_of_all().values() if one.rule),
        offsets=[
            Offset(topic=topic, partition=partition, next_offset=following)
            for topic, partition, following in unit.offsets.all()
        ],
        unpublished=unit.outbox.waiting()[0],
    )
