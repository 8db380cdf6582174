"""Migrations keep what they find: up from every released schema with data, down, and up again.

The rows are made from the tables as each revision leaves them, so a new revision is covered the
moment that it is added; columns that hold documents get one that can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, insert, select

from governance import handlers
from governance.desk import Desk
from governance.store import Store, migrate
from governance.store.engine import open_engine
from governance.store.whole import newest_revision
from rules.escalation_reference import decide
from tests.contract.rows import ONE_ROW, tables, value
from tests.desks import NOON, desk_at, revert, settings_for, trip

Rows = dict[str, list[dict[str, Any]]]

SCRIPTS = ScriptDirectory(str(migrate.SCRIPTS))
REVISIONS = [script.revision for script in SCRIPTS.walk_revisions()][::-1]
ROWS = 3


def fill(engine: Engine) -> None:
    """Put rows into every table."""
    with engine.begin() as connection:
        for name, table in tables(engine).items():
            count = 1 if name in ONE_ROW else ROWS
            connection.execute(
                insert(table),
                [
                    {
                        column.name: value(name, column.name, column.type, number)
                        for column in table.columns
                    }
                    for number in range(1, count + 1)
                ],
            )


def content(engine: Engine) -> Rows:
    """Return everything that the database holds."""
    with engine.connect() as connection:
        return {
            name: sorted(
                (dict(row) for row in connection.execute(select(table)).mappings()), key=str
            )
            for name, table in tables(engine).items()
        }


def as_in(wanted: Rows, found: Rows) -> Rows:
    """Return *found* cut down to the tables, columns and number of rows of *wanted*."""
    return {
        name: sorted(({column: row[column] for column in rows[0]} for row in found[name]), key=str)
        for name, rows in wanted.items()
    }


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return an engine on an empty database, of each kind in turn."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def test_every_release_is_in_the_line() -> None:
    """Each revision follows on one other, and the last is the one that the code works on."""
    assert REVISIONS[:2] == ["0001", "0002"]
    assert REVISIONS[-1] == newest_revision()
    assert len(SCRIPTS.get_heads()) == 1


@pytest.mark.parametrize("revision", REVISIONS)
def test_data_survives_the_way_up_and_down_and_up(engine: Engine, revision: str) -> None:
    """What a release wrote is there after an upgrade, after going back, and after the next one."""
    migrate.upgrade(engine, revision)
    fill(engine)
    before = content(engine)
    assert all(before.values())

    migrate.upgrade(engine)
    assert as_in(before, content(engine)) == before
    migrate.downgrade(engine, revision)
    assert content(engine) == before
    migrate.upgrade(engine)
    assert as_in(before, content(engine)) == before


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_life_survives_going_back_and_forth(database_url: str, revision: str) -> None:
    """A real installation's state, rules, events and audit chain are usable after a downgrade.

    What older tables had no place for is put back as the audit log tells it.
    """
    desk = desk_at(database_url)
    for action in (trip("SET_FAN"), revert()):
        handlers.apply_action(desk, action)
    head, state = handlers.show_audit_head(desk), handlers.show_state(desk)
    events, rules = handlers.list_events(desk), handlers.list_rules(desk)
    desk.store.close()

    engine = open_engine(database_url)
    migrate.downgrade(engine, revision)
    engine.dispose()
    desk = Desk(Store(database_url), settings_for(), decide, lambda: NOON)
    desk.store.migrate()
    handlers.adopt_sql_changes(desk)
    assert handlers.verify_audit(desk, head).intact
    assert handlers.show_state(desk) == state
    assert handlers.list_rules(desk) == rules
    assert [event.id for event in handlers.list_events(desk)] == [event.id for event in events]
    desk.store.close()


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_audit_log_stays_guarded(engine: Engine, revision: str) -> None:
    """At every revision, come to from either side, the database refuses to change a row."""
    for step in (migrate.upgrade, migrate.downgrade):
        step(engine, revision)
        if step is migrate.upgrade:
            fill(engine)
        for statement in ("UPDATE audit_log SET actor = 'mallory'", "DELETE FROM audit_log"):
            with (
                pytest.raises(Exception, match="append-only"),
                engine.begin() as connection,
            ):
                connection.exec_driver_sql(statement)
        migrate.upgrade(engine)
