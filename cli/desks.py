"""Desks over the database itself, for commands that need no running service."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.settings import load_settings

if TYPE_CHECKING:
    from governance.desk import Desk


@contextmanager
def migrated_desk() -> Iterator[Desk]:
    """Give a desk over the database of the settings, made and brought up to date if need be.

    Raises:
        Unavailable: the database does not answer.
    """
    with named_desk() as desk:
        desk.store.migrate()
        yield desk


@contextmanager
def standing_desk() -> Iterator[Desk]:
    """Give a desk over the database as it stands: nothing is made, nothing is migrated.

    Raises:
        Refused: there is no database, or it is a ruin.
        Unavailable: it does not answer, or holds nothing of ours.
    """
    from schemas.errors import Refused, Unavailable

    file = database_file()
    if file is not None and not file.is_file():
        raise Refused(
            f"there is no database at {file}; run this in the installation's folder, or set "
            "GOVERNANCE_DB_PATH"
        )
    with named_desk() as desk:
        if _revision(desk) is None:
            raise Unavailable("database", "it holds no tables of this product yet")
        yield desk


def database_file() -> Path | None:
    """Return where the database of the settings is or would be; None for PostgreSQL."""
    from governance.store.whole import file_of

    file = file_of(load_settings().sql_url)
    return None if file is None else file.absolute()


def _revision(desk: Desk) -> str | None:
    """Return the revision of the database.

    Raises:
        Refused: it is no database, or too damaged to be one.
    """
    from governance.handlers.backups import legible

    with legible(), desk.store.reading() as unit:
        return unit.whole.revision()


@contextmanager
def named_desk() -> Iterator[Desk]:
    """Give a desk over whatever is at the address of the settings; nothing is opened yet."""
    from governance.desk import Desk
    from governance.store import Store
    from rules.escalation_reference import decide

    settings = load_settings()
    store = Store(settings.sql_url)
    try:
        yield Desk(store, settings, decide)
    finally:
        store.close()


def user() -> str:
    """Return who runs the command, for the audit log."""
    return f"{getpass.getuser()} (command line)"
