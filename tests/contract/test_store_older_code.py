"""Code that is older than the database works on it where each newer revision says that it may.

What a revision says is measured: with the tables as older code knows them, everything is done that
code does to tables. And what is written down for older code is what older code goes by.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import INTEGER, Column, Connection, Engine, Table, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from governance import handlers
from governance.desk import Desk
from governance.store import Store, migrate
from governance.store.engine import open_engine
from governance.store.upsert import upsert
from rules.escalation_reference import decide
from schemas.errors import BadSetting
from tests.contract.rows import ONE_ROW, tables, value
from tests.desks import NOON, desk_at, settings_for
from tests.planted import AFTER, CONTRACTS, NEXT, TODAY, planted

Row = dict[str, Any]

SCRIPTS = list(ScriptDirectory(str(migrate.SCRIPTS)).walk_revisions())[::-1]
REVISIONS = [script.revision for script in SCRIPTS]


def oldest_code(newer: str, *, than: str) -> str:
    """Return the oldest code that may work at *newer*, as far as what came after *than* says."""
    return max(str(one.module.oldest_code) for one in SCRIPTS if than < one.revision <= newer)


PROMISED = [
    (older, newer)
    for older in REVISIONS
    for newer in REVISIONS
    if older < newer and oldest_code(newer, than=older) <= older
]
"""Every two revisions of which the code of the first may work on the tables of the second."""

BREAKING = {
    "a column is gone": 'op.drop_column("circuit_breaker_events", "notes")',
    "a column has another name": (
        'op.alter_column("outbox", "key", new_column_name="partition_key")'
    ),
    "a table is gone": 'op.drop_table("consumer_offsets")',
    "a column is required": (
        'with op.batch_alter_table("circuit_breaker_events") as batch:\n'
        '    batch.alter_column("caused_by", nullable=False, existing_type=sa.Text())'
    ),
    "a value is there once only": (
        'op.create_index("only_once", "phase_history", ["started_at"], unique=True)'
    ),
    "a value has limits": (
        'with op.batch_alter_table("attestations") as batch:\n'
        '    batch.create_check_constraint("limits", "met > 40")'
    ),
}
"""What no revision may do that lets today's code go on."""


def single(table: Table) -> bool:
    """Whether the table has one row at most."""
    return table.name in ONE_ROW


def keys(table: Table) -> set[str]:
    """Return the columns whose values tell rows apart."""
    unique = [index.columns for index in table.indexes if index.unique]
    constraints = [one.columns for one in table.constraints if hasattr(one, "columns")]
    return {
        column.name
        for columns in [table.primary_key.columns, *unique, *constraints]
        for column in columns
    }


def is_given(column: Column[Any]) -> bool:
    """Whether a row that says as little as it can says this all the same."""
    alone = column.primary_key and len(column.table.primary_key) == 1
    counted_up = alone and isinstance(column.type, INTEGER)
    return not (column.nullable or column.server_default is not None or counted_up)


def full(table: Table, number: int) -> Row:
    """Return a row that fills every column."""
    return {one.name: value(table.name, one.name, one.type, number) for one in table.columns}


def written(table: Table) -> list[Row]:
    """Return rows that older code may write: a full one, its twin but for the keys, a bare one."""
    first, other, third = full(table, 11), full(table, 12), full(table, 13)
    twin = {name: other[name] if name in keys(table) else first[name] for name in first}
    bare = {name: third[name] for name in third if is_given(table.columns[name])}
    return [first] if single(table) else [first, twin, bare]


def works(connection: Connection, table: Table) -> None:
    """Do to *table*, as older code knows it, all that code does: each row is as it was written."""

    def found(row: Row) -> bool:
        told = (table.columns[name] == cell for name, cell in row.items())
        return connection.execute(select(*table.columns).where(*told)).first() is not None

    rows = written(table)
    for row in rows:
        connection.execute(insert(table), row)
        assert found(row)
    if table.name == "audit_log":
        return  # nothing of it is ever changed or removed
    named = {one.name for one in table.primary_key}
    this = [table.columns[name] == rows[0][name] for name in named]
    changed = {**full(table, 14), **{name: rows[0][name] for name in keys(table)}}
    connection.execute(update(table).where(*this).values(**changed))
    assert found(changed)
    upsert(connection, table, rows[:1])
    assert found(rows[0])
    connection.execute(delete(table).where(*this))
    assert not found(rows[0])


def live(engine: Engine, known: dict[str, Table]) -> None:
    """Write a row into each table but the one that has no second row."""
    with engine.begin() as connection:
        for table in known.values():
            if not single(table):
                connection.execute(insert(table), full(table, 41))


def live_on(engine: Engine, known: dict[str, Table]) -> None:
    """After an upgrade, find what was written, and go on with the tables as they are *known*."""
    for table in known.values():
        with engine.begin() as connection:
            kept = connection.execute(select(*table.columns)).mappings().all()
            assert [dict(row) for row in kept] == ([] if single(table) else [full(table, 41)])
            works(connection, table)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return an engine on an empty database, of each kind in turn."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def test_every_revision_lets_the_code_before_it_go_on() -> None:
    """What contracts waits until the code that needs it is two revisions old."""
    assert {*pairwise(REVISIONS)} <= {*PROMISED}
    assert sorted(REVISIONS) == REVISIONS
    assert all(one.module.oldest_code in REVISIONS for one in SCRIPTS)


@pytest.mark.parametrize(("older", "newer"), PROMISED)
def test_code_of_an_older_revision_works_on_a_newer_one(
    engine: Engine, older: str, newer: str
) -> None:
    """Every table that it knows takes its rows, whole and bare, and gives them back."""
    migrate.upgrade(engine, older)
    known = tables(engine)
    live(engine, known)
    migrate.upgrade(engine, newer)
    live_on(engine, known)


def test_code_of_today_works_on_what_only_expands(engine: Engine, tmp_path: Path) -> None:
    """A table, an index and columns that may be left out are nothing to it."""
    migrate.upgrade(engine)
    known = tables(engine)
    live(engine, known)
    with planted(tmp_path):
        migrate.upgrade(engine)
    live_on(engine, known)


@pytest.mark.parametrize("change", BREAKING.values(), ids=BREAKING)
def test_a_change_that_older_code_does_not_bear_is_found(
    engine: Engine, tmp_path: Path, change: str
) -> None:
    """A revision that takes something away cannot say that older code may go on."""
    migrate.upgrade(engine)
    known = tables(engine)
    live(engine, known)
    with planted(tmp_path, expands=change):
        migrate.upgrade(engine)
    with pytest.raises(DBAPIError):
        live_on(engine, known)


def later(url: str, folder: Path, *, contracts: str | None = None) -> None:
    """Bring the database up as a version to come does."""
    with planted(folder, contracts=contracts):
        desk_at(url).store.close()


@contextmanager
def desk_of_today(url: str) -> Iterator[Desk]:
    """Give a desk on a database that others made; nothing is created."""
    with closing(Store(url)) as store:
        yield Desk(store, settings_for(), decide, lambda: NOON)


def told_of_revision(desk: Desk) -> tuple[str, str]:
    """Return what `governance db check` finds about the revision."""
    [part] = [one for one in handlers.check_database(desk).parts if one.part == "revision"]
    return part.finding, part.detail


def test_older_code_goes_on_where_every_newer_revision_allows_it(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It migrates nothing, says so, and `db check` names the revision."""
    later(database_url, tmp_path)
    with desk_of_today(database_url) as desk:
        desk.store.migrate()
        goes_on = f"{NEXT}, of a newer version; this one works on it as on {TODAY}"
        assert told_of_revision(desk) == ("look", goes_on)
    assert f"revision {NEXT} of a newer version; this one knows {TODAY}" in caplog.text


def test_older_code_is_refused_where_a_newer_revision_contracts(
    database_url: str, tmp_path: Path
) -> None:
    """The refusal names the revisions, what is needed, and what to do."""
    later(database_url, tmp_path, contracts=CONTRACTS)
    why = (
        f"the database is at revision {AFTER} of a newer version, this version knows {TODAY}, and "
        f"revision {AFTER} needs code of {NEXT} or newer; start the newer version, or restore a "
        "backup from before it"
    )
    with desk_of_today(database_url) as desk:
        with pytest.raises(BadSetting, match=why):
            desk.store.migrate()
        assert told_of_revision(desk) == ("broken", why)


def test_code_that_the_contraction_names_goes_on(database_url: str, tmp_path: Path) -> None:
    """The version in between neither needs what is gone, nor is it the newest."""
    later(database_url, tmp_path / "after", contracts=CONTRACTS)
    with planted(tmp_path / "next"), desk_of_today(database_url) as desk:
        desk.store.migrate()


def test_what_a_revision_says_is_forgotten_with_it(database_url: str, tmp_path: Path) -> None:
    """After a downgrade the database says no more than the code that is left knows."""
    engine = open_engine(database_url)
    with planted(tmp_path, expands="pass"):
        migrate.upgrade(engine)
        migrate.downgrade(engine, TODAY)
    with engine.connect() as connection:
        said = connection.exec_driver_sql("SELECT revision FROM schema_revisions ORDER BY 1")
        assert [*said.scalars()] == REVISIONS
    engine.dispose()
