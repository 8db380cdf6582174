"""The migrations make the tables that the code expects, and can be taken back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from governance import handlers
from governance.store import Store, migrate
from governance.store.engine import open_engine
from governance.store.ladder_tables import checklist_items
from governance.store.tables import COUNTED
from schemas import tallies
from schemas.errors import BadSetting
from tests.desks import desk_at

SCHEMA = checklist_items.metadata
"""All tables: those of the ladder have joined the others."""


def test_migrations_and_code_agree_on_the_tables(database_url: str) -> None:
    """Alembic finds nothing to change after the last migration."""
    engine = open_engine(database_url)
    migrate.upgrade(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SCHEMA) == []
    engine.dispose()


def test_up_down_and_up_again(database_url: str) -> None:
    """Every migration can be taken back, with rows in the tables, and applied again."""
    desk_at(database_url).store.close()
    engine = open_engine(database_url)
    migrate.downgrade(engine)
    migrate.upgrade(engine)
    engine.dispose()
    desk = desk_at(database_url)
    assert len(handlers.list_rules(desk)) == 4
    desk.store.close()


def test_migrating_a_current_database_changes_nothing(database_url: str) -> None:
    """Every start migrates, and the second one finds nothing to do."""
    desk = desk_at(database_url)
    before = handlers.show_audit_head(desk)
    desk.store.migrate()
    assert handlers.create(desk) is False
    assert handlers.show_audit_head(desk) == before
    desk.store.close()


def test_a_database_of_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    """Old code does not touch tables that it does not know."""
    file = tmp_path / "governance.db"
    desk_at(f"sqlite:///{file}").store.close()
    with sqlite3.connect(file) as direct:
        direct.execute("UPDATE alembic_version SET version_num = '9999'")
    direct.close()
    with pytest.raises(BadSetting, match="9999"):
        Store(f"sqlite:///{file}").migrate()


def test_a_minute_has_a_column_for_each_column_of_a_tally() -> None:
    """A new kind of count needs a migration, and this test says so."""
    assert tuple(column.name.lower() for column in tallies.Column) == COUNTED
    assert set(COUNTED) <= set(SCHEMA.tables["metrics_snapshots"].columns.keys())
