"""Retention: old rows are in the archive before they are gone, and what must stay stays."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from governance import handlers
from governance.archive import Archive
from governance.clock import wall_clock
from governance.desk import Desk
from governance.store.retention import Kept
from governance.upkeep_watch import UpkeepWatch
from schemas.alerts import Alert, AlertType
from schemas.errors import Unavailable
from schemas.tallies import WIDTH
from schemas.wire import to_ms
from tests.desks import NOON, SetClock, at, desk_at, trip
from tests.e2e.machine import install_tools
from tests.e2e.runbook import block_with

DAY = timedelta(days=1)
OLD = NOON - 100 * DAY
MINUTE = 60_000


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    """Return a desk, at noon, over what was done a hundred days ago, and today."""
    desk = desk_at(database_url, data_dir=tmp_path)
    for moment in (OLD, NOON):
        then = at(desk, moment)
        for kind in ("RESOLVED", "WAITING"):
            handlers.apply_action(then, trip(kind, decided_at=moment))
        handlers.assess(then)
        with desk.store.writing() as unit:
            unit.minutes.add({(to_ms(moment) // MINUTE - n, "*"): [n] * WIDTH for n in range(5)})
    for event in handlers.list_unresolved_events(desk):
        if event.scope == "RESOLVED":
            handlers.resolve_event(desk, event.id, by="anna")
    yield desk
    desk.store.close()


def counts(desk: Desk) -> dict[str, int]:
    """Return how many rows of each kind there are at all."""
    with desk.store.reading() as unit:
        return {kept.value: unit.retention.count(kept, NOON + DAY) for kept in Kept}


def archived(folder: Path) -> list[dict[str, Any]]:
    """Return every row in the archive, as ``zcat`` reads it."""
    found = []
    for file in sorted((folder / "archive").glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            found += [json.loads(line) for line in lines]
    return found


def test_old_rows_move_to_the_archive(desk: Desk, tmp_path: Path) -> None:
    """After 90 days they are there, whole, and no longer in the database."""
    before = counts(desk)
    found = handlers.prune(desk, by="anna")

    assert found.rows == {
        "metrics_snapshots": 5,
        "readiness_assessments": 1,
        "circuit_breaker_events": 1,
    }
    assert counts(desk) == {table: before[table] - found.rows[table] for table in before}
    rows = archived(tmp_path)
    assert {row["table"] for row in rows} == set(found.rows)
    assert len(rows) == sum(found.rows.values())
    event = next(row for row in rows if row["table"] == "circuit_breaker_events")
    assert (event["command_type"], event["resolved"]) == ("RESOLVED", 1)
    assert json.loads(event["evidence"])["commandIds"] == ["c-1", "c-2", "c-3"]


def test_what_waits_and_what_was_done_stays(desk: Desk) -> None:
    """Events that nobody resolved and the audit log are kept for ever, and months of metrics."""
    total = desk.measure(OLD - DAY, NOON)
    head = handlers.show_audit_head(desk)
    handlers.prune(desk, by="anna")

    assert [event.scope for event in handlers.list_unresolved_events(desk)] == ["WAITING"] * 2
    assert handlers.verify_audit(desk, head).intact
    assert desk.measure(OLD - DAY, NOON) == total


def test_the_runbooks_cleanup_goes_by_the_same_rule(tmp_path: Path) -> None:
    """Its block as it stands deletes what we would, leaves what we would, and nothing is hurt."""
    install_tools()
    file = tmp_path / "governance.db"
    desk = replace(desk_at(f"sqlite:///{file}", data_dir=tmp_path), clock=wall_clock)
    now = wall_clock()
    for moment in (now - 100 * DAY, now):
        for kind in ("RESOLVED", "WAITING"):
            handlers.apply_action(desk, trip(kind, decided_at=moment))
        handlers.assess(at(desk, moment))
        with desk.store.writing() as unit:
            unit.minutes.add({(to_ms(moment) // MINUTE, "*"): [1] * WIDTH})
    for event in handlers.list_unresolved_events(desk):
        if event.scope == "RESOLVED":
            handlers.resolve_event(desk, event.id, by="anna")
    script = block_with("# Archive old metrics snapshots")
    script = script.replace("services/governance/var/governance.db", str(file))
    foreseen = handlers.preview_prune(desk).rows
    subprocess.run(["bash", "-euc", script], check=True, timeout=60)

    assert foreseen == dict.fromkeys(foreseen, 1)
    assert handlers.preview_prune(desk).rows == dict.fromkeys(foreseen, 0)
    assert [event.scope for event in handlers.list_unresolved_events(desk)] == ["WAITING"] * 2
    assert handlers.verify_audit(desk).intact
    desk.store.close()


def test_a_prune_is_written_down(desk: Desk) -> None:
    """Who did it, how many rows of what, and where they are."""
    found = handlers.prune(desk, by="anna")
    acts = [row for row in handlers.list_audit(desk) if row.act == "database.pruned"]

    assert {row.subject: row.after["rows"] for row in acts} == found.rows
    assert {row.actor for row in acts} == {"anna"}
    assert {row.after["archive"] for row in acts} == {Path(str(found.archive)).name}


def test_it_is_done_by_whole_days(desk: Desk, tmp_path: Path) -> None:
    """A second prune of the day finds nothing, and leaves neither a file nor a row."""
    handlers.prune(desk, by="anna")
    head = handlers.show_audit_head(desk)
    again = handlers.prune(at(desk, NOON + timedelta(hours=11)), by="anna")

    assert (sum(again.rows.values()), again.archive) == (0, None)
    assert handlers.show_audit_head(desk) == head
    assert len(list((tmp_path / "archive").iterdir())) == 1


def test_a_dry_run_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    """It says what would go, by the same rule."""
    before = counts(desk)
    foreseen = handlers.preview_prune(desk)

    assert counts(desk) == before
    assert not (tmp_path / "archive").exists()
    assert handlers.prune(desk, by="anna").rows == foreseen.rows
    assert handlers.preview_prune(desk, days=300).rows == dict.fromkeys(foreseen.rows, 0)


def test_what_cannot_be_archived_is_not_deleted(desk: Desk, tmp_path: Path) -> None:
    """A folder that takes no file costs no row."""
    (tmp_path / "archive").write_text("a file where the folder should be")
    before = counts(desk)
    with pytest.raises(Unavailable, match="archive"):
        handlers.prune(desk, by="anna")

    assert counts(desk) == before


def test_a_crash_before_the_commit_leaves_duplicates_at_most(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended between archive and commit, the rows are in both; the next prune loses none."""

    class Crash(BaseException):
        """The process ends here."""

    def crash(*_: object, **__: object) -> None:
        raise Crash

    before = counts(desk)
    with monkeypatch.context() as patched:
        patched.setattr("governance.handlers.retention._write_down", crash)
        with pytest.raises(Crash):
            handlers.prune(desk, by="anna")
    assert counts(desk) == before

    handlers.prune(desk, by="anna")
    minutes = [row["timestamp"] for row in archived(tmp_path) if row["table"] == Kept.MINUTES]
    assert (len(minutes), len(set(minutes))) == (10, 5)


def test_more_rows_than_one_transaction_holds(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many old rows go in many short transactions, into one file, each row once."""
    monkeypatch.setattr("governance.handlers.retention.AT_ONCE", 7)
    many = {
        (to_ms(OLD) // MINUTE - n, scope): [1] * WIDTH for n in range(50) for scope in ("*", "a")
    }
    with desk.store.writing() as unit:
        unit.minutes.add(many)
    found = handlers.prune(desk, by="anna")

    rows = [row for row in archived(tmp_path) if row["table"] == Kept.MINUTES]
    assert found.rows["metrics_snapshots"] == 100
    assert len({(row["timestamp"], row["scope"]) for row in rows}) == len(rows) == 100
    assert len(list((tmp_path / "archive").iterdir())) == 1


def test_an_archive_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    """Each transaction's rows are a member of their own: a torn tail takes nothing else along."""
    archive = Archive(tmp_path, NOON)
    archive.add("t", [{"n": 1}])
    whole = archive.path.stat().st_size
    archive.add("t", [{"n": 2}])
    torn = archive.path.read_bytes()[: whole + 5]
    archive.path.write_bytes(torn)

    with gzip.open(archive.path, "rt") as lines:
        assert json.loads(next(lines)) == {"table": "t", "n": 1}


def test_the_service_does_it_by_itself(desk: Desk) -> None:
    """Hour by hour it looks, once a day something goes, and Kafka is told heads that moved."""
    clock = SetClock(NOON)
    desk = replace(desk, clock=clock)
    watch = UpkeepWatch(
        desk,
        wait=lambda seconds: clock.pass_(timedelta(seconds=seconds)),
        is_stopping=lambda: False,
    )
    for _ in range(30):
        watch.turn()

    acts = [row for row in handlers.list_audit(desk) if row.act == "database.pruned"]
    assert [row.actor for row in acts] == ["system"] * 3
    told = heads_told(desk)
    assert [moment - NOON for moment, _ in told] == [
        timedelta(minutes=5),
        timedelta(minutes=65),
    ]
    head = handlers.show_audit_head(desk)
    assert told[-1][1] == {"seq": head.seq, "hash": head.hash}


def test_a_watch_that_is_to_stop_does_nothing_more(desk: Desk) -> None:
    """A stop is not held up by housekeeping."""
    before = counts(desk)
    UpkeepWatch(desk, wait=lambda _: None, is_stopping=lambda: True).turn()
    assert (counts(desk), heads_told(desk)) == (before, [])


def heads_told(desk: Desk) -> list[tuple[datetime, dict[str, Any]]]:
    """Return when Kafka was told a head of the audit log, and which."""
    with desk.store.reading() as unit:
        rows = unit.outbox.after(0, topics=["alerts"], limit=1_000)
    alerts = [Alert.model_validate_json(row.value) for row in rows]
    return [(one.time, one.data.context) for one in alerts if one.type is AlertType.AUDIT_HEAD]
