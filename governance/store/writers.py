"""Which process is writing into a SQLite file: the kernel knows who holds the lock."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from governance.store.wal import index_of

LOCKS: Final = Path("/proc/locks")

WRITE: Final = "120"
"""The byte of the log's index that a writer locks (sqlite.org/walformat.html, WAL_WRITE_LOCK)."""


def is_writer(database: Path, pid: int) -> bool:
    """Whether the process *pid* holds the write lock of *database*; False where nobody can tell."""
    try:
        inode = index_of(database).stat().st_ino
        held = LOCKS.read_text().splitlines()
    except OSError:
        return False
    return any(_is_write_lock(line, inode, pid) for line in held)


def _is_write_lock(line: str, inode: int, pid: int) -> bool:
    """Whether a line of the kernel's list says that *pid* writes.

    >>> _is_write_lock("1: POSIX  ADVISORY  WRITE 42 fe:00:97 120 120", 97, 42)
    True
    """
    words = line.split()
    return (
        len(words) == 8
        and words[1] == "POSIX"
        and words[3:5] == ["WRITE", str(pid)]
        and words[5].endswith(f":{inode}")
        and words[6] == WRITE
    )
