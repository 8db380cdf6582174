"""SQLite's write-ahead log: moved into the file by us, and checked before it is trusted.

    governance.db              pages as of the last checkpoint
    governance.db-wal          header │ frame │ frame │ ... what was committed since
    governance.db.checkpoint   while pages are moved: how much of the log must still be there

SQLite reads the log up to the first frame whose checksum is wrong, and says nothing: that is
how a transaction that a crash cut short is left out. A log that was *damaged* looks the same,
and then acts that people were told of are gone; where pages behind the damage had been moved
already, the file even mixes two moments. So we move pages and empty the log in one go, write
down before it what is being moved, and refuse a log that cannot have come from a crash.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import Connection

from governance.store.engine import not_waiting

log = logging.getLogger(__name__)

LIMIT: Final = 4 * 2**20
"""Bytes of log after which pages are moved: SQLite's own thousand pages."""

HEADER: Final = struct.Struct(">8I")
FRAME: Final = struct.Struct(">6I")
INDEX: Final = struct.Struct("=16xI")
"""As https://sqlite.org/walformat.html has them; of the index, only the last frame committed."""

MAGIC: Final = 0x377F0682
"""With the lowest bit set where checksums read words as big-endian."""

Sums = tuple[int, int]

_INDEXES: Final[dict[tuple[int, int], int]] = {}
"""The descriptors of the logs' indexes that were ever read, by device and inode."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a log can be read: the salts of its generation, and its good frames."""

    salts: Sums
    frames: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Return what `written` wrote; nothing at all for what cannot be read."""
        try:
            first, second, frames = map(int, text.split())
        except ValueError:
            return cls((0, 0), 0)
        return cls((first, second), frames)

    def written(self) -> str:
        """Return the extent as one line."""
        return f"{self.salts[0]} {self.salts[1]} {self.frames}\n"


def log_of(database: Path) -> Path:
    """Return where the log of *database* is, if there is one."""
    return database.with_name(f"{database.name}-wal")


def index_of(database: Path) -> Path:
    """Return where the index of that log is, while somebody has *database* open."""
    return database.with_name(f"{database.name}-shm")


def marker_of(database: Path) -> Path:
    """Return the file that is there while pages are moved."""
    return database.with_name(f"{database.name}.checkpoint")


def move_pages(connection: Connection, database: Path) -> bool:
    """Move what the log holds into the file and empty the log, if it has grown long.

    Returns whether it tried, so that the file may have been written.

    Call it as the one writer, outside a transaction. Nobody is waited for: while a reader needs
    the log, or there is no room in the file, it stays as it is until the next time.
    """
    wal = log_of(database)
    if not wal.exists() or wal.stat().st_size < LIMIT:
        return False
    try:
        _mark(marker_of(database), _length(database))
        if _emptied(connection.connection.dbapi_connection):
            marker_of(database).unlink(missing_ok=True)
    except (sqlite3.Error, OSError) as error:
        log.warning("%s: the log could not be emptied, it grows meanwhile: %s", wal, error)
    return True


def damage(database: Path) -> str | None:
    """Return what is wrong with the log of *database*, or None if a crash may have left it so."""
    wal, marker = log_of(database), marker_of(database)
    content = wal.read_bytes() if wal.exists() else b""
    if not content:
        return None
    extent, is_cut = _read(content)
    if is_cut:
        return f"{wal.name} is damaged behind frame {extent.frames}"
    moved = Extent.read(marker.read_text()) if marker.exists() else None
    if moved and moved.frames > extent.frames and extent.salts in (moved.salts, (0, 0)):
        return f"{wal.name} lacks frames whose pages were being moved: {moved.frames} were there"
    return None


def _emptied(driver: Any) -> bool:
    """Move every page that no reader needs; return whether that was all of them.

    The driver is asked directly: SQLAlchemy would begin a transaction first.
    """
    with not_waiting(driver):
        return bool(driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)


def _mark(marker: Path, extent: Extent) -> None:
    """Write down what is about to be moved."""
    with marker.open("w", encoding="ascii") as file:
        file.write(extent.written())
        file.flush()
        os.fsync(file.fileno())


def _length(database: Path) -> Extent:
    """Return the extent of a log that is in use, as its index has it.

    The file may be longer: what was undone is overwritten, and not cut off.
    """
    with log_of(database).open("rb") as file:
        header = HEADER.unpack(file.read(HEADER.size))
    index = os.pread(_kept_open(index_of(database)), INDEX.size, 0)
    return Extent((header[4], header[5]), INDEX.unpack(index)[-1])


def _kept_open(index: Path) -> int:
    """Return a descriptor of *index* that is never closed.

    To close one would give up every lock that SQLite holds on that file for this process: POSIX
    has it so. Another process would then take itself for the first, and cut the index off.
    """
    found = index.stat()
    key = (found.st_dev, found.st_ino)
    if key not in _INDEXES:
        _INDEXES[key] = os.open(index, os.O_RDONLY)
    return _INDEXES[key]


def _read(content: bytes) -> tuple[Extent, bool]:
    """Return how far a log can be read, and whether it was longer before it was damaged.

    A crash leaves at most one transaction behind the good frames, so at most one commit, and
    nothing behind that.
    """
    if len(content) < HEADER.size + FRAME.size:
        return Extent((0, 0), 0), False
    header = HEADER.unpack_from(content)
    order = ">" if header[0] & 1 else "<"
    sums = _summed(content[:24], (0, 0), order)
    is_whole = header[0] & ~1 == MAGIC and sums == header[6:8]
    salts: Sums = header[4:6] if is_whole else FRAME.unpack_from(content, HEADER.size)[2:4]
    page = header[2] if is_whole else _page_size(content, salts)
    frames = [
        (offset, FRAME.unpack_from(content, offset))
        for offset in range(HEADER.size, len(content) - FRAME.size - page + 1, FRAME.size + page)
    ]
    good = 0
    if is_whole:
        good = _good(content, frames, salts=salts, sums=sums, order=order, page=page)
    rest = [frame[1] != 0 for _, frame in frames[good:] if frame[2:4] == salts]
    return Extent(salts if is_whole else (0, 0), good), any(rest[:-1])


def _good(
    content: bytes,
    frames: list[tuple[int, tuple[int, ...]]],
    *,
    salts: Sums,
    sums: Sums,
    order: str,
    page: int,
) -> int:
    """Return how many frames are as they were written."""
    for number, (offset, frame) in enumerate(frames):
        body = content[offset + FRAME.size : offset + FRAME.size + page]
        sums = _summed(body, _summed(content[offset : offset + 8], sums, order), order)
        if frame[2:4] != salts or frame[4:6] != sums:
            return number
    return len(frames)


def _page_size(content: bytes, salts: Sums) -> int:
    """Return the size of pages that makes the second frame one; for a log with a broken head."""
    for page in (512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536):
        offset = HEADER.size + FRAME.size + page
        is_inside = offset + FRAME.size <= len(content)
        if is_inside and FRAME.unpack_from(content, offset)[2:4] == salts:
            return page
    return len(content)


def _summed(data: bytes, sums: Sums, order: str) -> Sums:
    """Return SQLite's checksum of *data*, going on from *sums*."""
    first, second = sums
    for one, two in struct.iter_unpack(f"{order}2I", data):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second
