"""The database as a whole: its revision, its size, and whether its file is sound."""

from __future__ import annotations

from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from governance.store import revisions
from governance.store.migrate import SCRIPTS


def file_of(url: str) -> Path | None:
    """Return SQLite's file at *url*, or None where a server holds the database."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return None
    return Path(address.database or "")


def newest_revision() -> str:
    """Return the revision that this version of the product works on."""
    return revisions.newest_revision(ScriptDirectory(str(SCRIPTS)))


class WholeShelf:
    """Looks at the database as a whole; changes nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def kind(self) -> str:
        """Return ``sqlite`` or ``postgresql``."""
        return self._connection.dialect.name

    def revision(self) -> str | None:
        """Return the revision that the migrations brought it to, or None before any."""
        return revisions.present_revision(self._connection)

    def is_newer(self) -> bool:
        """Whether a newer version of this product brought it to where it is."""
        return revisions.is_unknown(self._connection, ScriptDirectory(str(SCRIPTS)))

    def refusal(self) -> str | None:
        """Return why this version may not work on tables of a newer one, or None if it may."""
        return revisions.refusal(self._connection, newest_revision())

    def size(self) -> int:
        """Return how many bytes it takes, free pages included."""
        if self.kind == "sqlite":
            return self._number("PRAGMA page_count") * self._number("PRAGMA page_size")
        return self._number("SELECT pg_database_size(current_database())")

    def damage(self) -> list[str]:
        """Return what is wrong with the pages, the indexes or the foreign keys; reads all of it.

        A PostgreSQL looks after its own pages; what shows there is an index that is not valid.
        """
        if self.kind == "sqlite":
            return [
                *self._lines("PRAGMA integrity_check", but="ok"),
                *self._lines("PRAGMA foreign_key_check"),
            ]
        broken = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
        return [f"index {name} is not valid" for name in self._lines(broken)]

    def _number(self, statement: str) -> int:
        """Return the one number that *statement* answers."""
        return int(self._connection.exec_driver_sql(statement).scalar_one())

    def _lines(self, statement: str, *, but: str | None = None) -> list[str]:
        """Return the rows that *statement* answers, as text, without the one that is *but*."""
        found = self._connection.exec_driver_sql(statement)
        lines = (" ".join(str(cell) for cell in row) for row in found)
        return [line for line in lines if line != but]
