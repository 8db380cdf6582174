"""GOVERNANCE_DB_PATH is a path: the database, and all that stands beside it, is where it says."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from governance import handlers
from governance.desk import Desk
from governance.store import Store
from governance.store.ballast import SIZE
from governance.store.whole import file_of
from schemas.errors import BadSetting, Unavailable
from schemas.settings import Settings, load_settings
from tests.desks import desk_at, settings_for, trip

NAMES: Final = (
    "plain", "why?", "50%20off", "%2F", "100%", "%(here)s", "a#b", "a&b=c", "a,b", "a b", " a ",
    "a+b", "a:b", "file:x", "Rösterei", "焙煎所", "🔥", "back\\slash", "quote's", 'double"quote',
    "$HOME", "~", "[a]", "{a}", "*", "@host", ";", "|", "new\nline", "tab\t", "x" * 200,
    "mode=memory", ":memory", "a?mode=memory&cache=shared", "-wal", ".hidden",
)  # fmt: skip
"""What may be part of a path, and means something in an address."""


def settings_at(file: Path) -> Settings:
    """Return settings for the database in *file*, as they come from the environment."""
    os.environ["GOVERNANCE_DB_PATH"] = str(file)
    try:
        return load_settings(data_dir=file.parent / "var", database_url=None)
    finally:
        del os.environ["GOVERNANCE_DB_PATH"]


@pytest.fixture(params=NAMES)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a file of that name, in a folder of that name."""
    name = str(request.param)
    return tmp_path / name / f"{name}.db"


@pytest.fixture
def desk(file: Path) -> Iterator[Desk]:
    """Return a desk over the database there."""
    settings = settings_at(file)
    desk = desk_at(settings.sql_url, db_path=file, data_dir=file.parent / "var")
    yield desk
    desk.store.close()


def beside(file: Path) -> set[str]:
    """Return what stands beside *file*, by what it adds to its name."""
    return {entry.name.removeprefix(file.name) for entry in file.parent.iterdir()}


def rows(file: Path) -> int:
    """Return how many rows the audit log in *file* has, asked by SQLite alone."""
    address = f"{file.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as direct:
        return int(direct.execute("SELECT count(*) FROM audit_log").fetchone()[0])


def test_the_database_is_where_it_was_asked_for(tmp_path: Path, file: Path, desk: Desk) -> None:
    """The file, its log and its ballast are there, and nothing is anywhere else."""
    assert desk.store.ballast is not None
    desk.store.ballast.fill()
    handlers.apply_actions(desk, [trip("FAN")], position=handlers.Position("breaker-actions", 0, 1))

    assert file_of(desk.settings.sql_url) == file
    assert beside(file) == {"", "-wal", "-shm", ".ballast"}
    assert file.with_name(f"{file.name}.ballast").stat().st_size == SIZE
    assert rows(file) > 0
    outside = {entry for entry in tmp_path.rglob("*") if entry.is_file()}
    assert {entry.parent for entry in outside} == {file.parent}


def test_backup_check_prune_and_restore_work_there(file: Path, desk: Desk) -> None:
    """A backup is made below the data folder, and comes back into the same file."""
    assert handlers.check_database(desk).sound
    handlers.prune(desk, by="anna", days=1)
    made = handlers.back_up(desk)
    backup = file.parent / "var" / "backups" / made.file
    handlers.apply_actions(desk, [trip("FAN")], position=handlers.Position("breaker-actions", 0, 1))
    desk.store.close()

    found = handlers.restore(desk, backup, by="anna")

    assert found.kept_aside is not None
    assert Path(found.kept_aside).parent == file.parent
    with closing(Store(desk.settings.sql_url)) as store:
        restored = replace(desk, store=store)
        assert handlers.show_state(restored).paused_command_types == ["FAN"]
        assert handlers.verify_audit(restored).intact
    assert {entry.parent for entry in file.parent.rglob("*.gz")} == {backup.parent}


@pytest.mark.parametrize("kind", ["folder", "pipe", "socket", "/dev/null", "/dev/zero"])
def test_what_is_no_file_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    """Before SQLite opens it: a pipe would be waited for, and a device keeps nothing."""
    place = Path(kind) if kind[0] == "/" else tmp_path / kind
    if kind == "folder":
        place.mkdir()
    if kind == "pipe":
        os.mkfifo(place)
    if kind == "socket":
        os.mknod(place, 0o140644)
    with pytest.raises(BadSetting, match=r"GOVERNANCE_DB_PATH: cannot write .*name a file"):
        Store(settings_at(place).sql_url)


def test_an_address_that_holds_the_path_is_read_as_one() -> None:
    """In DATABASE_URL a question mark begins options, as in every address; %3F is one in a path."""
    url = settings_for(database_url="sqlite:////srv/why%3F/100%25.db").sql_url
    assert file_of(url) == Path("/srv/why?/100%.db")


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:///{}/g.db?timeout=soon",
        "sqlite:///{}/g.db?check_same_thread=maybe",
        "postgresql://me:hidden@127.0.0.1:1/x?port=http",
        "postgresql://me:hidden@127.0.0.1:1/x?sslmode=perhaps",
    ],
)
def test_an_option_that_no_driver_takes_is_refused_unrepeated(tmp_path: Path, address: str) -> None:
    """A sentence says so, in which no password is."""
    url = settings_for(database_url=address.format(tmp_path)).sql_url
    with pytest.raises((BadSetting, Unavailable)) as refused, closing(Store(url)) as store:
        store.migrate()
    assert "hidden" not in str(refused.value)
