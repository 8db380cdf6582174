"""The two databases that the state service promises to be the same on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from governance.desk import Desk
from schemas.settings import Settings
from tests.desks import desk_at


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'governance.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return Settings(_env_file=None, database_url=url).sql_url


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """Return a desk over a new installation's database, at noon."""
    desk = desk_at(database_url)
    yield desk
    desk.store.close()
