"""Copies of a whole database while others write to it, and putting one in another's place.

SQLite copies itself, page by page in one snapshot; PostgreSQL's own `pg_dump` and `pg_restore`
do it for a server. What a copy holds is read from that same snapshot.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from governance.archive import sync_folder
from governance.store.store import Store
from governance.store.unit import Unit
from schemas.addresses import sqlite_url
from schemas.errors import Refused, Unavailable

PATIENCE: Final = 5.0
"""Seconds that somebody else's lock is waited for."""

MAGIC: Final = b"SQLite format 3\0"
"""How every file of SQLite begins."""

BESIDE: Final = ("-wal", "-shm", "-journal", ".checkpoint")
"""What SQLite, and we, keep beside a file while it is open, or after a crash."""


@contextmanager
def sqlite_copy(source: Path, target: Path) -> Iterator[Unit]:
    """Copy the file *source* to *target* in one snapshot, and give a view of the copy.

    Writers go on meanwhile. At the end *target* is one file, with nothing beside it.

    Raises:
        Unavailable: the database does not let itself be copied now.
    """
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as original,
            closing(sqlite3.connect(target)) as copy,
        ):
            original.backup(copy)
    except sqlite3.Error as error:
        raise Unavailable("database", f"{source}: {error}") from error
    with opened(sqlite_url(target)) as store, store.reading() as unit:
        yield unit
    close_off(target)


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """Give a store over the database at *url*, and close it."""
    store = Store(url)
    try:
        yield store
    finally:
        store.close()


def close_off(file: Path) -> None:
    """See all of *file* in itself and on disk, with nothing beside it.

    Raises:
        Refused: another process has it open.
    """
    try:
        with closing(sqlite3.connect(file, timeout=PATIENCE, isolation_level=None)) as alone:
            # Only who is alone may leave WAL mode; all that stood beside the file is then in it.
            alone.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        raise Refused(
            f"{file} is open in another process",
            allowed_when="stop the service, and close every sqlite3 on it",
        ) from error
    with file.open("rb") as written:
        os.fsync(written.fileno())


def check_alone(file: Path) -> None:
    """See that nobody has *file* open, if it is there and a database at all.

    Raises:
        Refused: another process has.
    """
    if is_sqlite(file):
        # Too ruined to be opened: then nobody else has opened it either.
        with suppress(sqlite3.DatabaseError):
            close_off(file)


def is_sqlite(file: Path) -> bool:
    """Whether *file* is there and begins like a database; SQLite itself may tidy up a ruin."""
    try:
        with file.open("rb") as opened_file:
            return opened_file.read(len(MAGIC)) == MAGIC
    except FileNotFoundError:
        return False


def put_in_place(new: Path, place: Path, aside: Path) -> None:
    """Put the file *new* in *place*; what is there becomes *aside*, with all that is beside it.

    Killed anywhere, *place* is the one or the other.

    Raises:
        Refused: another process has the present file open.
    """
    check_alone(place)
    if place.exists():
        _give_to_owner(new, place.stat())
        _keep(place, aside)
    for ending in BESIDE:
        stray = Path(f"{place}{ending}")
        if stray.exists():
            stray.replace(f"{aside}{ending}")
    new.replace(place)
    sync_folder(place.parent)


def _give_to_owner(file: Path, like: os.stat_result) -> None:
    """Let whoever could use the old file use the new one, as far as we may."""
    file.chmod(stat.S_IMODE(like.st_mode))
    with suppress(PermissionError):
        os.chown(file, like.st_uid, like.st_gid)


def _keep(place: Path, aside: Path) -> None:
    """Give *place* the second name *aside*, or only that one where a file has but one name."""
    try:
        aside.hardlink_to(place)
    except OSError:
        place.rename(aside)
