"""Copies of a PostgreSQL database, by its own programs; no password is ever an argument."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any, Final

from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from governance.store.engine import open_engine
from governance.store.store import translated
from governance.store.unit import Unit
from schemas.errors import Refused, Unavailable

INSTALL: Final = "install PostgreSQL's client programs (Debian: postgresql-client)"


@contextmanager
def dump(url: str, target: Path) -> Iterator[Unit]:
    """Dump the database at *url* to *target*, and give a view of that very snapshot.

    Raises:
        Unavailable: the server does not answer, or `pg_dump` is missing, too old or fails.
    """
    engine = open_engine(url)
    try:
        with translated(), engine.connect() as plain:
            connection = plain.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
                _run(
                    url,
                    "pg_dump",
                    f"--snapshot={snapshot}",
                    "--format=custom",
                    # Packed as a whole afterwards: then a byte that changes is found.
                    "--compress=0",
                    f"--schema={_schema(connection)}",
                    f"--file={target}",
                )
                # Unpacks and checks all of it, and keeps nothing.
                _call("pg_restore", ["--file=/dev/null", str(target)], os.environ)
                yield Unit(connection)
    finally:
        engine.dispose()


def check_alone(url: str) -> None:
    """See that nobody is connected to the database at *url*.

    Raises:
        Refused: somebody is.
        Unavailable: the server does not answer.
    """
    others = text(
        "SELECT usename || ' ' || application_name FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    )
    with _writing(url) as connection:
        found = [str(row[0]).strip() for row in connection.execute(others)]
    if found:
        raise Refused(
            f"others are connected to the database: {', '.join(sorted(set(found)))}",
            allowed_when="stop the service and close their sessions",
        )


@contextmanager
def emptied(url: str, aside: str) -> Iterator[str]:
    """Give the schema of our tables, empty: what was in it is now in the schema *aside*.

    If anything is raised, all is as it was.

    Raises:
        Refused: the role may not.
    """
    with _writing(url) as connection:
        schema = _schema(connection)
        connection.exec_driver_sql(f'ALTER SCHEMA "{schema}" RENAME TO "{aside}"')
        connection.exec_driver_sql(f'CREATE SCHEMA "{schema}"')
    try:
        yield schema
    except BaseException:
        with _writing(url) as connection:
            connection.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
            connection.exec_driver_sql(f'ALTER SCHEMA "{aside}" RENAME TO "{schema}"')
        raise


def load(url: str, backup: Path, schema: str) -> None:
    """Load the dump *backup* into the empty *schema*; all of it or nothing.

    Raises:
        Unavailable: `pg_restore` is missing, too old or fails.
    """
    _run(
        url,
        "pg_restore",
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",
        f"--schema={schema}",
        str(backup),
    )


@contextmanager
def _writing(url: str) -> Iterator[Connection]:
    """Give a connection whose transaction is committed at the end."""
    engine = open_engine(url)
    try:
        with translated(), engine.begin() as connection:
            yield connection
    except ProgrammingError as error:
        raise Refused(
            f"the server says: {str(error.orig).splitlines()[0]}",
            allowed_when="the role owns the database",
        ) from error
    finally:
        engine.dispose()


def _schema(connection: Connection) -> str:
    """Return the schema in which our tables are."""
    found: str | None = connection.execute(text("SELECT current_schema()")).scalar()
    return found or "public"


def _run(url: str, program: str, *arguments: str) -> None:
    """Run *program* on the database at *url*; the password goes through the environment.

    Raises:
        Unavailable: it is missing, or fails; says what it said.
    """
    address = make_url(url)
    told: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "user": address.username,
        "dbname": address.database,
        **address.query,
    }
    secret = told.pop("password", None) or address.password
    database = make_conninfo("", **{name: one for name, one in told.items() if one is not None})
    environment = {**os.environ, **({"PGPASSWORD": str(secret)} if secret else {})}
    _call(program, [f"--dbname={database}", *arguments], environment)


def _call(program: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run *program* and wait for it.

    Raises:
        Unavailable: it is missing, or fails; says what it said.
    """
    if which(program, path=environment.get("PATH")) is None:
        raise Unavailable(program, f"it is not on the path; {INSTALL}")
    ended = subprocess.run(
        [program, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if ended.returncode:
        secret = environment.get("PGPASSWORD")
        told = ended.stderr.replace(secret, "***") if secret else ended.stderr
        said = [line for line in told.splitlines() if line.strip()]
        detail = "; ".join(said[:3]) or f"it ended with code {ended.returncode}"
        if "version mismatch" in ended.stderr:
            detail += f"; {INSTALL} of the server's version"
        raise Unavailable(program, detail)
