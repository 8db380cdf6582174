"""A database file that is damaged is refused by name at the start, and never half believed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from governance.store import wal
from governance.store.engine import BUSY
from schemas.errors import BadSetting

DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""SQLite's codes for a file that it cannot make sense of."""

SETTING: Final = "GOVERNANCE_DB_PATH"


def check_intact(database: Path, *, pages: bool) -> None:
    """Check *database* after a stop that was no good end: a good one leaves no log behind.

    The log is checked before anything opens it, and then, if *pages* says so, every page of the
    file, which takes ten seconds or so for each gigabyte.

    Raises:
        BadSetting: it is damaged; names the file, and what to do.
    """
    log = wal.log_of(database)
    if not database.exists() or not log.exists() or not log.stat().st_size:
        return
    # What another process writes meanwhile may be seen by halves, but not twice.
    found = wal.damage(database) and wal.damage(database)
    if not found and pages:
        found = _malformed(database)
    if found:
        raise BadSetting(
            SETTING,
            f"{database} is damaged: {found}; keep it and its -wal, restore a backup with "
            "`governance db restore`, and Kafka brings what came after it",
        )


def _malformed(database: Path) -> str | None:
    """Return what SQLite finds wrong with the pages of *database*, or None."""
    try:
        with closing(sqlite3.connect(database, timeout=BUSY.total_seconds())) as direct:
            said = direct.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in DAMAGED:
            return None  # whoever opens it next says what is in the way
        return str(error)
    return None if said == "ok" else str(said).replace("\n", " ")[:200]
