"""Transactions: one writer at a time, readers never wait, and busy is said and not lost."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from governance import handlers
from governance.audit import verify_chain
from governance.desk import Desk
from governance.store import Store
from schemas.errors import BadSetting, Unavailable
from schemas.tallies import WIDTH
from tests.desks import NOON, alert, desk_at, trip

BUSY_MS = 200


def test_a_database_that_another_process_locks_is_unavailable_and_recovers(tmp_path: Path) -> None:
    """Nothing is half done; readers go on; and the same request works once the lock is gone."""
    file = tmp_path / "governance.db"
    desk = desk_at(f"sqlite:///{file}", patience_ms=BUSY_MS)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable, match="database") as error:
        handlers.apply_action(desk, trip())
    assert error.value.retryable
    assert handlers.show_state(desk).autonomy_epoch == 1
    other.execute("ROLLBACK")
    other.close()
    assert handlers.apply_action(desk, trip())
    desk.store.close()


def test_a_writer_that_holds_on_is_waited_for_and_then_given_up(database_url: str) -> None:
    """Requests of one process queue for each other, no longer than their patience."""
    desk = desk_at(database_url, patience_ms=BUSY_MS)
    with desk.store.writing():
        assert handlers.show_state(desk).autonomy_epoch == 1
        with ThreadPoolExecutor(1) as other, pytest.raises(Unavailable):
            other.submit(handlers.apply_action, desk, trip()).result()
    assert handlers.apply_action(desk, trip())
    desk.store.close()


def test_a_writer_of_another_process_is_waited_for(database_url: str) -> None:
    """Two services on one database take turns; the audit chain stays one chain."""
    desk = desk_at(database_url)
    other = Store(database_url)
    inside, finish = threading.Event(), threading.Event()

    def hold() -> None:
        with other.writing() as unit:
            unit.offsets.save("held", 0, 1)
            inside.set()
            finish.wait(30)

    with ThreadPoolExecutor(2) as threads:
        threads.submit(hold)
        assert inside.wait(30)
        applied = threads.submit(handlers.apply_action, desk, trip())
        finish.set()
        assert applied.result(timeout=30)
    assert handlers.verify_audit(desk).intact
    other.close()
    desk.store.close()


def test_many_threads_write_one_chain(desk: Desk) -> None:
    """Forty trips from eight threads: forty events, an audit chain without a gap."""
    actions = [alert(f"T{n}", decided_at=NOON + timedelta(hours=n)) for n in range(40)]
    before = handlers.show_audit_head(desk).seq
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda action: handlers.apply_action(desk, action), actions))
    report = handlers.verify_audit(desk)
    assert report.intact
    assert report.rows == before + 40


def test_a_reader_sees_one_moment(desk: Desk) -> None:
    """Two queries of one view agree, whatever is committed between them."""
    with desk.store.reading() as unit:
        before = unit.events.count()
        handlers.apply_action(desk, trip())
        assert unit.events.count() == before
    with desk.store.reading() as unit:
        assert unit.events.count() == before + 1


def test_what_was_raised_is_undone(desk: Desk) -> None:
    """A handler that fails halfway leaves nothing behind and tells nobody."""
    told = []
    desk.store.on_commit(lambda: told.append(1))
    with pytest.raises(ZeroDivisionError), desk.store.writing() as unit:
        unit.offsets.save("t", 0, 1)
        raise ZeroDivisionError
    assert told == []
    with desk.store.writing() as unit:
        assert unit.offsets.next_offset("t", 0) is None
    assert told == [1]


def test_sqlite_keeps_what_it_committed(tmp_path: Path) -> None:
    """Every connection syncs each commit to the disk, in WAL, with foreign keys on."""
    store = Store(f"sqlite:///{tmp_path / 'governance.db'}")
    store.migrate()
    with store._engine.connect() as connection:
        found = [
            connection.execute(text(f"PRAGMA {pragma}")).scalar()
            for pragma in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 2, 1, 5_000]
    store.close()


def test_an_address_that_nobody_answers_is_unavailable() -> None:
    """A PostgreSQL that is away is said to be away, and may be asked again."""
    store = Store("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable, match="database"):
        store.migrate()
    store.close()


def test_tampering_with_the_database_is_found(tmp_path: Path) -> None:
    """Who takes the guards away and edits a row is found by the chain."""
    file = tmp_path / "governance.db"
    desk = desk_at(f"sqlite:///{file}")
    handlers.apply_action(desk, trip())
    with sqlite3.connect(file) as direct:
        direct.execute("DROP TRIGGER audit_log_no_update")
        direct.execute("UPDATE audit_log SET actor = 'nobody' WHERE act = 'trip.applied'")
    direct.close()
    report = handlers.verify_audit(desk)
    assert not report.intact
    with desk.store.reading() as unit:
        assert report.broken_at == next(row[0] for row in unit.audit.rows() if row[2] == "nobody")
        assert verify_chain(unit.audit.rows()) == report
    desk.store.close()


def test_minutes_add_up(desk: Desk) -> None:
    """Late increments land in their own minute; a period counts the minutes that begin in it."""
    one = [1] * WIDTH
    with desk.store.writing() as unit:
        unit.minutes.add({(29_000_000, "*"): one, (29_000_001, "*"): one})
    with desk.store.writing() as unit:
        unit.minutes.add({(29_000_000, "*"): one, (29_000_000, "commandType=A"): one})
    start = NOON.fromtimestamp(29_000_000 * 60, NOON.tzinfo)
    with desk.store.reading() as unit:
        both = unit.minutes.total(start, start + timedelta(minutes=2))
        first = unit.minutes.total(start, start + timedelta(minutes=1))
        typed = unit.minutes.total(start, start + timedelta(days=1), scope="commandType=A")
    assert (both, first, typed) == ([3] * WIDTH, [2] * WIDTH, one)


def test_the_outbox_is_read_in_order_and_pruned_once_published(desk: Desk) -> None:
    """What waits stays; what was published stays for a while, and then goes, but for the newest."""
    with desk.store.writing() as unit:
        rows = unit.outbox.unpublished(100)
        unit.outbox.mark_published([row.seq for row in rows[:-1]], NOON)
    with desk.store.writing() as unit:
        assert unit.outbox.unpublished(100) == rows[-1:]
        assert unit.outbox.prune(NOON, keep=0) == 0
        assert unit.outbox.prune(NOON + timedelta(days=1), keep=3) == len(rows) - 3
        assert unit.outbox.waiting()[0] == 1
        later = unit.outbox.after(rows[-3].seq, topics=["rules", "state"], limit=10)
    assert [row.seq for row in later] == [row.seq for row in rows[-2:]]


def test_a_lowering_that_waits_is_seen_though_others_write(desk: Desk) -> None:
    """Where only what it needs is held, the writes of others do not hide that it waits."""
    with pytest.raises(Unavailable), desk.store.writing(lowers=True):
        raise Unavailable("database", "governance_state is locked")
    with desk.store.writing() as unit:
        unit.offsets.save("t", 0, 1)
    assert "governance_state is locked" in str(desk.store.trouble)
    with desk.store.writing(lowers=True) as unit:
        unit.offsets.save("t", 0, 2)
    assert desk.store.trouble is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The database's folder would be below a file."""
    (tmp_path / "file").touch()
    with pytest.raises(BadSetting, match=r"^GOVERNANCE_DB_PATH: cannot write"):
        Store(f"sqlite:///{tmp_path / 'file' / 'var' / 'governance.db'}")


def test_an_option_that_nobody_knows_is_named_before_anything_is_asked() -> None:
    """A typing mistake in the address is no damaged database; its values are not repeated."""
    with pytest.raises(BadSetting, match=r'^DATABASE_URL: .*"sslmod"') as refused:
        Store("postgresql+psycopg://governance:secret@127.0.0.1:1/x?sslmod=hidden")
    assert "secret" not in str(refused.value)
    assert "hidden" not in str(refused.value)
