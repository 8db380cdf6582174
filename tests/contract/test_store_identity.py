"""A write into a database that was lost or replaced is never reported as done."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from governance import handlers
from governance.desk import Desk
from governance.replays import Answer, Asked
from governance.store import Store
from schemas.errors import Replaced, Unavailable
from schemas.governance import Phase
from schemas.rules import RulePatch
from tests.contract.test_store_backups import climb
from tests.desks import alert, desk_at, trip

RULE = "High Error Rate"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the database lies."""
    return tmp_path / "var" / "governance.db"


@pytest.fixture
def lite(file: Path) -> Iterator[Desk]:
    """Return a desk over a file, in L3+."""
    desk = desk_at(f"sqlite:///{file}")
    climb(desk)
    yield desk
    desk.store.close()


def remove(file: Path) -> None:
    """Delete the database, as `rm var/governance.db` does."""
    file.unlink()


def move(file: Path) -> None:
    """Move it away under another name."""
    file.rename(file.with_name("old.db"))


def replace(file: Path) -> None:
    """Put another file in its place."""
    shutil.copy(file, file.with_name("new.db"))
    file.with_name("new.db").replace(file)


def remove_log(file: Path) -> None:
    """Delete only its log."""
    file.with_name(f"{file.name}-wal").unlink()


@pytest.mark.parametrize("lose", [remove, move, replace, remove_log])
def test_a_lost_file_takes_no_write(lite: Desk, file: Path, lose: Callable[[Path], None]) -> None:
    """Whoever asks hears which file it is and what to do, and nothing was done."""
    lose(file)
    with pytest.raises(Replaced, match=r"governance\.db.* was .*restart the service") as found:
        handlers.patch_rule(lite, RULE, RulePatch(window="10m"), by="anna")
    assert found.value.code == "database_replaced"
    assert handlers.show_rule(lite, RULE).version == 1
    assert isinstance(lite.store.trouble, Replaced)
    assert isinstance(lite.store.replaced(), Replaced)


@pytest.mark.parametrize("lose", [remove, move, replace])
def test_what_lowers_autonomy_is_told_and_never_reported_as_done(
    lite: Desk, file: Path, lose: Callable[[Path], None]
) -> None:
    """It lies in the outbox of the lost file, from where Kafka is told; and it is done once."""
    lose(file)
    for lower in (
        lambda: handlers.pull_kill_switch(lite, reason="fire", by="anna"),
        lambda: handlers.roll_back(lite, Phase.L3, reason="fire", by="anna"),
        lambda: handlers.apply_action(lite, trip("SET_FAN")),
    ):
        before = handlers.show_state(lite).autonomy_epoch
        with pytest.raises(Replaced):
            lower()
        assert handlers.show_state(lite).autonomy_epoch == before + 1
    with lite.store.reading() as unit:
        waiting = [row.key for row in unit.outbox.unpublished(100) if row.topic == "state"]
    assert waiting.count("governance") >= 3


def test_a_key_in_a_lost_file_does_not_keep_the_kill_switch_from_kafka(
    lite: Desk, file: Path
) -> None:
    """The key is written, the act is told, and the answer that it is not kept is not kept."""
    file.unlink()
    asked = Asked("anna", "key", "request")
    assert handlers.begin_request(lite, asked, lowers=True) is None
    with pytest.raises(Replaced):
        handlers.pull_kill_switch(lite, reason="fire", by="anna")
    handlers.finish_request(lite, asked, Answer(503, (), b""))
    assert handlers.begin_request(lite, asked, lowers=True) is None


def test_no_new_file_is_made_in_the_place_of_a_lost_one(lite: Desk, file: Path) -> None:
    """A connection more would make an empty database, which the next start would believe."""
    file.unlink()
    with lite.store.reading(), pytest.raises(Replaced):
        _connect_anew(lite.store)
    assert not file.exists()


def _connect_anew(store: Store) -> None:
    """Open a connection that was not there before."""
    connections = [store._engine.connect() for _ in range(3)]
    for connection in connections:
        connection.close()


def test_a_lowering_waits_for_a_connection_that_is_open(lite: Desk, file: Path) -> None:
    """Somebody reads by the only one just now: the lowering is told as soon as that is over."""
    epoch, told = handlers.show_state(lite).autonomy_epoch, list[BaseException]()

    def lower() -> None:
        try:
            handlers.roll_back(lite, Phase.L3, reason="fire", by="anna")
        except Replaced as error:
            told.append(error)

    with lite.store.reading() as unit:
        unit.autonomy.is_there()
        file.unlink()
        thread = threading.Thread(target=lower)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
    thread.join(10)
    assert len(told) == 1
    assert handlers.show_state(lite).autonomy_epoch == epoch + 1


def test_a_file_that_is_put_back_is_the_database_again(lite: Desk, file: Path) -> None:
    """Nothing is remembered against it."""
    away = file.with_name("away.db")
    file.rename(away)
    with pytest.raises(Replaced):
        handlers.patch_rule(lite, RULE, RulePatch(window="10m"), by="anna")
    away.rename(file)
    assert handlers.patch_rule(lite, RULE, RulePatch(window="10m"), by="anna").version == 2
    assert lite.store.trouble is None


def test_a_backup_that_is_copied_over_the_file_is_noticed(
    lite: Desk, file: Path, tmp_path: Path
) -> None:
    """The file is the same and its pages are of the past: nothing is built on them."""
    handlers.roll_back(lite, Phase.L3, reason="an exercise", by="anna")
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as copy, closing(sqlite3.connect(file)) as source:
        source.backup(copy)
    for number in range(3):
        handlers.apply_action(lite, alert(f"T{number}"))
    _move_pages(file)
    handlers.apply_action(lite, alert("LAST"))
    shutil.copyfile(old, file)
    with pytest.raises(Unavailable) as found:
        handlers.patch_rule(lite, RULE, RulePatch(window="10m"), by="anna")
    assert "restored or overwritten while the service runs" in str(found.value)
    with pytest.raises(Replaced):
        handlers.pull_kill_switch(lite, reason="fire", by="anna")
    assert lite.store.is_foreign


def _move_pages(file: Path) -> None:
    """Move the log into the file, as another process may do at any time."""
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("PRAGMA wal_checkpoint(FULL)").fetchone()[0] == 0


def test_pages_that_another_process_moves_are_no_matter(lite: Desk, file: Path) -> None:
    """An operator's shell moves the log's pages into the file: it is the same database."""
    for number in range(4):
        handlers.apply_action(lite, alert(f"T{number}"))
        _move_pages(file)
    assert handlers.patch_rule(lite, RULE, RulePatch(window="10m"), by="anna").version == 2
    assert lite.store.replaced() is None


def test_a_database_that_is_emptied_behind_our_back_is_noticed(desk: Desk) -> None:
    """On either kind: what was written last is gone, so nothing is written into what is left."""
    handlers.apply_action(desk, trip("SET_FAN"))
    _without_triggers(desk, "DELETE FROM outbox", "DELETE FROM audit_log")
    for write in (
        lambda: handlers.patch_rule(desk, RULE, RulePatch(window="10m"), by="anna"),
        lambda: handlers.pull_kill_switch(desk, reason="fire", by="anna"),
    ):
        with pytest.raises(Replaced, match="0 audit rows"):
            write()
    assert isinstance(desk.store.replaced(), Replaced)


def test_tables_that_were_dropped_are_noticed(desk: Desk) -> None:
    """So is a schema that is not there any more."""
    handlers.apply_action(desk, trip("SET_FAN"))
    _without_triggers(desk, "DROP TABLE outbox", "DROP TABLE audit_log")
    with pytest.raises(Replaced, match="restart the service"):
        handlers.pull_kill_switch(desk, reason="fire", by="anna")


def _without_triggers(desk: Desk, *statements: str) -> None:
    """Do by SQL what the tables' own triggers refuse."""
    with desk.store._engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            found = connection.execute(text("SELECT name FROM sqlite_master WHERE type='trigger'"))
            for (name,) in found.fetchall():
                connection.execute(text(f"DROP TRIGGER {name}"))
        for statement in statements:
            connection.execute(text(statement))
