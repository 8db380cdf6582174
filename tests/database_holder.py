"""Another process that holds the database, as a backup or an operator's session may.

Run with ``python -m``, it takes the lock, says so, and gives it up when a line comes.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
WRITER = 0x676F7665


class Holder:
    """The tests' side: holds until `release`, or until the block ends."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.released_at: float | None = None

    def release(self) -> float:
        """Give the database up; return when it was, on the monotonic clock of the machine."""
        if self.released_at is None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            self.released_at = float(self._process.stdout.readline())
        return self.released_at


@contextmanager
def held(url: str, kind: str = "writer") -> Iterator[Holder]:
    """Hold the database at *url*; *kind* of a PostgreSQL is ``writer`` or ``table``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.database_holder", url, kind],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    holder = Holder(process)
    try:
        yield holder
        holder.release()
    finally:
        process.kill()
        process.communicate()


def hold_sqlite(path: str, wait: Callable[[], None]) -> None:
    """Hold a file exclusively."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as database:
        database.execute("BEGIN EXCLUSIVE")
        wait()
        database.execute("ROLLBACK")


def hold_postgres(url: str, kind: str, wait: Callable[[], None]) -> None:
    """Hold the lock of the one writer, or one table."""
    import psycopg

    with psycopg.connect(url.replace("+psycopg", "")) as database:
        if kind == "table":
            database.execute("LOCK TABLE governance_state IN EXCLUSIVE MODE")
        else:
            database.execute(f"SELECT pg_advisory_xact_lock({WRITER})".encode())
        wait()
        database.rollback()


def wait_for_a_line() -> None:
    """Say that it is held, and wait."""
    say("held")
    sys.stdin.readline()


def say(line: object) -> None:
    """Tell the tests' side something."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(url: str, kind: str) -> None:
    """Hold, and say when it was given up."""
    if url.startswith("sqlite:///"):
        hold_sqlite(url.removeprefix("sqlite:///"), wait_for_a_line)
    else:
        hold_postgres(url, kind, wait_for_a_line)
    say(time.monotonic())


if __name__ == "__main__":
    main(*sys.argv[1:])
