"""Connections that keep what they are told: SQLite's and PostgreSQL's settings, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from schemas.errors import BadSetting, Unavailable
from schemas.places import place_of

BUSY: Final = timedelta(seconds=5)
"""How long to wait for another writer before saying that the database is busy."""

READERS: Final = 40
"""Connections kept: as many as there are threads that answer requests."""

WRITER: Final = 0x676F7665
"""The number of PostgreSQL's advisory lock that makes this service the one writer."""

WRITING: Final = "governance_writing"
"""The execution option of a connection whose next transaction writes."""

UNHURRIED: Final = "governance_unhurried"
"""The execution option of one that may do something else between two statements, for long."""

AT_ONCE: Final = "governance_at_once"
"""The execution option of one that fails rather than wait for another writer."""

ABANDONED: Final = timedelta(seconds=5)
"""How long a writer of ours may do nothing within a transaction before PostgreSQL ends it.

So a process that was stopped, or whose machine is gone, holds nobody up for longer.
"""

HEARD_OF: Final = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A server that is not heard of for about ten seconds is away, and not waited for by the hour."""

HELD: Final = "another process is writing"
"""What is said when the write lock is not to be had at once."""


class Place(Protocol):
    """Where a file is that may not change while it is open."""

    def before_connecting(self) -> None:
        """Refuse to open another file than before. Raises `Replaced`."""
        ...

    def connected(self) -> None:
        """Remember the file that was opened."""
        ...


def open_engine(url: str, patience: timedelta = BUSY, *, identity: Place | None = None) -> Engine:
    """Return an engine for *url*; SQLite's folder is made if it is not there.

    Each connection goes to the file that *identity* remembers.

    Raises:
        BadSetting: *url* asks for an option that PostgreSQL's driver does not know, or gives one a
            value that is none; or SQLite's folder cannot be made.
    """
    try:
        address = make_url(url)
        if address.get_backend_name() == "sqlite":
            return _sqlite(address, patience, identity)
        return _postgres(address, patience)
    except (ArgumentError, ValueError) as error:
        # The driver repeats the address, which may hold a password.
        problem = "an option after its question mark has a value that the driver does not take"
        raise BadSetting("DATABASE_URL", problem) from error


def _sqlite(address: URL, patience: timedelta, identity: Place | None) -> Engine:
    """Return an engine for a file."""
    if address.database and address.database != ":memory:":
        with place_of("GOVERNANCE_DB_PATH", Path(address.database), kept=True):
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        address,
        pool_size=READERS,
        pool_timeout=patience.total_seconds(),
        connect_args={"timeout": patience.total_seconds()},
    )
    if identity is not None:
        event.listen(engine, "do_connect", lambda *_: identity.before_connecting())
        event.listen(engine, "connect", lambda *_: identity.connected())
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgres(address: URL, patience: timedelta) -> Engine:
    """Return an engine for a server."""
    try:
        make_conninfo(**dict.fromkeys(address.query, ""))
    except ProgrammingError as error:
        problem = str(error).strip()
        raise BadSetting("DATABASE_URL", f"{problem}, which follows its question mark") from None
    milliseconds = patience // timedelta(milliseconds=1)
    engine = create_engine(
        address,
        pool_pre_ping=True,
        pool_size=READERS,
        pool_timeout=patience.total_seconds(),
        # A snapshot from before the write lock would show a lease that is long another's.
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": 5,
            "options": f"-c lock_timeout={milliseconds}",
            **{name: one for name, one in HEARD_OF.items() if name not in address.query},
        },
    )
    event.listen(engine, "begin", _begin_postgres)
    return engine


def _set_up_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Set up a new SQLite connection: what was committed survives the loss of power."""
    # The driver's own BEGIN would come late and deferred; `_begin_sqlite` writes it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    # Pages are moved out of the log by `governance.store.wal`, and never by halves.
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "wal_autocheckpoint = 0",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once when writing: a read that turns into a write cannot wait."""
    if not _is(connection, WRITING):
        connection.exec_driver_sql("BEGIN")
    elif _is(connection, AT_ONCE):
        with not_waiting(connection.connection.dbapi_connection):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def not_waiting(driver: Any) -> Iterator[None]:
    """Let SQLite's *driver* fail at once, within the block, where another process is in the way."""
    patience = driver.execute("PRAGMA busy_timeout").fetchone()[0]
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout = {patience}")


def _begin_postgres(connection: Connection) -> None:
    """Be the one writer until the end of the transaction, so that the audit chain is a chain.

    Raises:
        Unavailable: another one is, and it is not to be waited for.
    """
    if not _is(connection, WRITING):
        return
    limit = 0 if _is(connection, UNHURRIED) else ABANDONED // timedelta(milliseconds=1)
    lock = "pg_try_advisory_xact_lock" if _is(connection, AT_ONCE) else "pg_advisory_xact_lock"
    said = connection.exec_driver_sql(
        f"SELECT set_config('idle_in_transaction_session_timeout', '{limit}ms', true),"
        f" {lock}({WRITER})"
    )
    if said.one()[1] is False:
        raise Unavailable("database", HELD)


def _is(connection: Connection, announced: str) -> bool:
    """Whether the transaction that begins was announced as such a one."""
    options: dict[str, Any] = dict(connection.get_execution_options())
    return bool(options.get(announced, False))
