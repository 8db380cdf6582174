"""SQLite's locks on the log's index survive what we read of it; a second process relies on them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from governance.store import Store, wal

IN_USE = "128"
"""The byte that each process locks while it uses the index (UNIX_SHM_DMS in SQLite's os_unix.c)."""


def locks_in_use(database: Path) -> list[str]:
    """Return what the kernel says of this process and the index of *database*."""
    inode = wal.index_of(database).stat().st_ino
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return [
        line[3]
        for line in lines
        if line[4] == str(os.getpid()) and line[5].endswith(f":{inode}") and line[6] == IN_USE
    ]


def test_moving_pages_leaves_the_locks_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """POSIX drops all locks of a process on a file when it closes any descriptor of that file."""
    monkeypatch.setattr(wal, "LIMIT", 1)
    database = tmp_path / "governance.db"
    store = Store(f"sqlite:///{database}")
    store.migrate()
    for number in range(5):
        with store.writing() as unit:
            unit.offsets.save("t", 0, number)
        assert locks_in_use(database) == ["READ"]
    store.close()
