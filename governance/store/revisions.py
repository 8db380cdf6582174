"""Which code may work on these tables: what each revision says, kept where older code can read it.

    revision      0005   0006   0007
    oldest_code   0001   0001   0006      code of 0006 and 0007 goes on, code of 0005 does not
                  adds   adds   drops what only 0005 used

A program that is older than the database has not the newer migrations, so the newer program
leaves what they say beside the tables. Revisions are numbered in text that sorts.
"""

from __future__ import annotations

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, delete, insert, inspect, select

from governance.store.tables import schema_revisions


def present_revision(connection: Connection) -> str | None:
    """Return the revision that the migrations brought the database to, or None before any."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision(scripts: ScriptDirectory) -> str:
    """Return the revision that the code of *scripts* is made for."""
    return scripts.get_current_head() or ""


def is_unknown(connection: Connection, scripts: ScriptDirectory) -> bool:
    """Whether the database is at a revision that is none of *scripts*."""
    known = {script.revision for script in scripts.walk_revisions()}
    present = present_revision(connection)
    return present is not None and present not in known


def refusal(connection: Connection, code: str) -> str | None:
    """Return why *code* (a revision) may not work on a database that it does not know, or None.

    None stands on what the newer program wrote down: all that came after *code* allow it.
    """
    present, said = present_revision(connection), _said(connection)
    if present not in said or code not in said:
        why = f"nothing says that code of {code} may work on it"
    elif bars := sorted(one for one, oldest in said.items() if one > code and oldest > code):
        why = f"revision {bars[-1]} needs code of {max(said[one] for one in bars)} or newer"
    else:
        return None
    return (
        f"the database is at revision {present} of a newer version, this version knows {code}, "
        f"and {why}; start the newer version, or restore a backup from before it"
    )


def write_down(connection: Connection, scripts: ScriptDirectory) -> None:
    """Keep what each revision up to the present one says, if the database has a place for it."""
    if not inspect(connection).has_table(schema_revisions.name):
        return
    wanted = _to_say(connection, scripts)
    if wanted == _said(connection):
        return
    connection.execute(delete(schema_revisions))
    rows = [{"revision": one, "oldest_code": oldest} for one, oldest in wanted.items()]
    connection.execute(insert(schema_revisions), rows)


def is_current(connection: Connection, scripts: ScriptDirectory) -> bool:
    """Whether the database is where the code of *scripts* would bring it; writes nothing."""
    is_newest = present_revision(connection) == newest_revision(scripts)
    return is_newest and _to_say(connection, scripts) == _said(connection)


def _to_say(connection: Connection, scripts: ScriptDirectory) -> dict[str, str]:
    """Return what each revision up to the present one says."""
    return {
        script.revision: str(script.module.oldest_code)
        for script in scripts.iterate_revisions(present_revision(connection), "base")
    }


def _said(connection: Connection) -> dict[str, str]:
    """Return the oldest code that each revision allows, as it was written down."""
    if not inspect(connection).has_table(schema_revisions.name):
        return {}
    found = connection.execute(select(schema_revisions.c.revision, schema_revisions.c.oldest_code))
    return {row.revision: row.oldest_code for row in found}
