"""Is the database still the one that was opened? An acknowledgment into a lost file is a lie.

    the file was removed, moved or replaced     our connections still hold the old one, which nobody
                                                will open again: it is *detached*
    other data under our connections            a backup was copied over the file, or a server's
                                                tables were restored or emptied: it *went back*

Where a file is, is known by its device and number, and so it is with its ``-wal`` and ``-shm``.
What data it is, is known by two numbers that only grow: the audit log's rows and the outbox's.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy.exc import OperationalError, ProgrammingError

from governance.store.unit import Unit
from schemas.errors import Replaced

BESIDE: Final = ("", "-wal", "-shm")
"""What a database in a file consists of, by the ends of the names."""

TRIES: Final = 3
PAUSE: Final = 0.02
"""Looks at a file into which another process may be moving pages just now, and seconds between."""

RESTART: Final = (
    "restart the service: it comes up no higher than Kafka was told, and says what it lowered"
)

Inode = tuple[int, int]


class Marks(NamedTuple):
    """The highest row of the audit log, and of the outbox."""

    audit: int
    outbox: int

    def is_behind(self, other: Marks) -> bool:
        """Whether both are lower: one alone is what tampering with it looks like."""
        return self.audit < other.audit and self.outbox < other.outbox


class Base(NamedTuple):
    """The file without its log: when it was written, its size, and its last audit row."""

    written_ns: int
    size: int
    row: int
    hash: str


class DatabaseIdentity:
    """What a store's connections have open; safe to ask from any thread."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._inodes: dict[str, Inode] = {}
        self._base: Base | None = None
        self._marks = Marks(0, 0)
        self.is_foreign = False
        self._name = f"the database {file}" if file else "the database"

    def forget(self) -> None:
        """Forget everything: all connections are closed, and the next may open another database."""
        with self._lock:
            self._inodes, self._base, self._marks = {}, None, Marks(0, 0)
            self.is_foreign = False

    def before_connecting(self) -> None:
        """Refuse to open another file than the one that is open, or to make a new one.

        Raises:
            Replaced: it is not there any more, or another is.
        """
        found = self.detached()
        if found is not None:
            raise found

    def connected(self) -> None:
        """Remember the file that was just opened, unless one was before."""
        with self._lock:
            if self._file is not None and "" not in self._inodes:
                inode = _inode(self._file)
                self._inodes = {"": inode} if inode else {}

    def detached(self) -> Replaced | None:
        """Return that the file, or a part of it, is not where it was opened; None if it is."""
        with self._lock:
            if self._file is None or "" not in self._inodes:
                return None
            for end in BESIDE:
                path = self._file.with_name(self._file.name + end)
                known, found = self._inodes.get(end), _inode(path)
                if known is None and found is not None:
                    self._inodes[end] = found
                elif known is not None and found != known:
                    return Replaced(self._said(path, is_gone=found is None), is_detached=True)
        return None

    def _said(self, path: Path, *, is_gone: bool) -> str:
        """Return in words what happened to *path*, and what to do."""
        what = "was removed or moved away" if is_gone else "was replaced by another file"
        return (
            f"{path} {what} while the service has it open; nothing that is written now is kept "
            f"in a file that anybody will open again: put it back in its place, and {RESTART}"
        )

    def went_back(self, unit: Unit) -> Replaced | None:
        """Return that *unit* shows other data than was written last; None if it does not."""
        with self._lock:
            if not self._marks.audit:
                return None
            try:
                present = _marks(unit)
            except (ProgrammingError, OperationalError) as error:
                if "no such table" not in str(error) and "does not exist" not in str(error):
                    raise
                present = Marks(0, 0)
            if present.is_behind(self._marks):
                said = f"holds {present.audit} audit rows, {self._marks.audit} were written"
                return self._back(said)
            return self._overwritten()

    def _back(self, said: str) -> Replaced:
        """Return that other data is there, and what to do."""
        self.is_foreign = True
        return Replaced(
            f"{self._name} was restored or overwritten while the service runs ({said}); nothing "
            f"is written: {RESTART}; a backup is put in place by `governance db restore`"
        )

    def _overwritten(self) -> Replaced | None:
        """Return that the file was written by other means than moving pages into it.

        That is looked at only when it was written. Moving pages takes no row of the audit log
        away; where it stopped half-way, the file alone makes no sense and says nothing.
        """
        if self._file is None or self._base is None:
            return None
        for _ in range(TRIES):
            state = self._file.stat()
            if (state.st_mtime_ns, state.st_size) == self._base[:2]:
                return None
            try:
                found = _row(self._file, self._base.row)
            except sqlite3.Error:
                return None
            if found == (self._base.row, self._base.hash):
                self._base = self._look(self._base)
                return None
            threading.Event().wait(PAUSE)
        return self._back(f"its pages lack audit row {self._base.row}")

    def _look(self, otherwise: Base | None) -> Base | None:
        """Return what the file alone holds now, or *otherwise* where that makes no sense."""
        if self._file is None:
            return None
        try:
            state, found = self._file.stat(), _row(self._file)
        except (OSError, sqlite3.Error):
            return otherwise
        return Base(state.st_mtime_ns, state.st_size, *found) if found else otherwise

    def wrote(self, unit: Unit) -> Marks:
        """Return how far *unit* has come; `committed` takes it."""
        return _marks(unit)

    def committed(self, marks: Marks) -> None:
        """Remember what was written last."""
        with self._lock:
            self._marks = marks
            self._base = self._base or self._look(None)

    def moved(self) -> None:
        """Look at the file anew: we moved pages into it ourselves."""
        with self._lock:
            self._base = self._look(self._base)


def _marks(unit: Unit) -> Marks:
    """Return how far the database has come."""
    return Marks(unit.audit.head().seq, unit.outbox.last())


def _inode(path: Path) -> Inode | None:
    """Return which file *path* is, or None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _row(file: Path, number: int | None = None) -> tuple[int, str] | None:
    """Return the last audit row of *file* without its log, or that numbered *number*; None if none.

    Rows are found by SQLite's own number and not by an index, whose pages are written anew as it
    grows: a full page of rows never is.

    Raises:
        sqlite3.Error: the file alone makes no sense, as while its pages are moved.
    """
    which = "ORDER BY rowid DESC LIMIT 1" if number is None else f"WHERE rowid = {number:d}"
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?immutable=1", uri=True)) as alone:
        statement = f"SELECT rowid, hash FROM audit_log {which}"  # noqa: S608 - texts of ours
        found: tuple[int, str] | None = alone.execute(statement).fetchone()
    return found
