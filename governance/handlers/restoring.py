"""Restoring a backup: verified first, never above what autonomy was lowered to since.

    backup ──► unpacked beside the database ──► verified ──► migrated ──► reconciled ──► in place

Up to the last step nothing but a hidden folder was touched. What happened after the backup comes
again from Kafka, from the offsets that the backup holds, once the service starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from governance import backups, phases
from governance.aftermath import Aftermath, facts_of, lowered_by, newest_of, told_state
from governance.audit import Act
from governance.autonomy import Autonomy
from governance.backups import Contents, Head
from governance.desk import Desk
from governance.handlers.backups import legible, sound_contents
from governance.handlers.changes import Cause, change_autonomy
from governance.handlers.rules import end_rule, put_rule
from governance.handlers.sql_changes import present_autonomy
from governance.store import Store, Unit, postgres
from governance.store.autonomy import read_autonomy
from governance.store.copies import check_alone, close_off, is_sqlite, opened, put_in_place
from governance.store.whole import file_of
from governance.told import last_state, newest_rules
from schemas.addresses import sqlite_url
from schemas.errors import GovernanceError, NotFound, Refused
from schemas.settings import Settings
from schemas.wire import Moment, Wire, iso


class Restored(Wire):
    """What was restored, what it came up as, and what Kafka will bring."""

    backup: str
    made_at: Moment | None
    contents: Contents
    known_from: list[str]
    lowered: list[str]
    rules_put_back: list[str]
    autonomy_epoch: int
    audit: Head
    kept_aside: str | None


def restore(desk: Desk, backup: Path, *, by: str, kafka: str | None = None) -> Restored:
    """Put *backup* in the place of the database that *desk* names; nothing may run on it.

    Autonomy comes up at the least of the backup, the replaced database if it can be read, and
    what *kafka* was told if it answers. The desk's own store is not used.

    Raises:
        NotFound: there is no such file.
        Refused: it is damaged or not ours, or the database is in use; nothing was changed.
        BadSetting: a newer version made it.
        Unavailable: the disk, the server or one of its programs does not take part.
    """
    if not backup.is_file():
        raise NotFound("backup", str(backup))
    said = backups.read_manifest(backup)
    if said is not None and said.sha256 != backups.sha256_of(backup):
        raise Refused(f"{backup} is not the file of its manifest: the checksum differs")
    file = file_of(desk.settings.sql_url)
    place = _into_file if file else _into_server
    return place(desk, backup, by=by, known=_from_kafka(desk.settings, kafka))


def _into_file(desk: Desk, backup: Path, *, by: str, known: list[Aftermath]) -> Restored:
    """Restore into SQLite's file."""
    file = file_of(desk.settings.sql_url)
    assert file is not None  # noqa: S101 - the caller looked
    now = desk.clock()
    check_alone(file)
    with backups.workplace(file) as folder:
        new = folder / file.name
        backups.unpack(backup, new)
        _check_sqlite(new, backup)
        known = [*_from_file(file, now), *known]
        with opened(sqlite_url(new)) as store:
            found = _receive(replace(desk, store=store), backup, known=known, by=by, now=now)
        close_off(new)
        aside = _aside(file, now) if file.exists() else None
        put_in_place(new, file, _aside(file, now))
    return found.model_copy(update={"kept_aside": str(aside) if aside else None})


def _into_server(desk: Desk, backup: Path, *, by: str, known: list[Aftermath]) -> Restored:
    """Restore into PostgreSQL, whose present tables stay in a schema of another name."""
    url, now = desk.settings.sql_url, desk.clock()
    postgres.check_alone(url)
    with backups.workplace(desk.settings.data_dir / "restore") as folder:
        dumped = folder / "dump"
        backups.unpack(backup, dumped)
        if not backups.first_bytes(dumped).startswith(backups.PG_DUMP):
            raise Refused(f"{backup} is no dump of PostgreSQL (pg_dump --format=custom)")
        known = [*_from_server(url, now), *known]
        aside = f"governance_before_{now:%Y%m%dT%H%M%SZ}".lower()
        with postgres.emptied(url, aside) as schema:
            postgres.load(url, dumped, schema)
            with opened(url) as store:
                desk = replace(desk, store=store)
                found = _receive(desk, backup, known=known, by=by, now=now)
    return found.model_copy(update={"kept_aside": f"schema {aside}"})


def _receive(
    desk: Desk, backup: Path, *, known: list[Aftermath], by: str, now: datetime
) -> Restored:
    """Verify the unpacked backup, bring it up to date, and reconcile it with what is *known*."""
    with legible(), desk.store.reading() as unit:
        contents = sound_contents(unit)
    said = backups.read_manifest(backup)
    if said is not None and said.audit != contents.audit:
        raise Refused(f"{backup} does not hold what its manifest says")
    desk.store.migrate()
    with desk.store.writing() as unit:
        before = present_autonomy(desk, unit, now)
        states = [state for one in known for state in one.states]
        after = phases.restored(before, states, now)
        lowered = lowered_by(before, after)
        rules = _put_rules_back(desk, unit, known, by=by, now=now)
        _carry_on(unit, known, by=by, now=now)
        unit.lease.release(above=max((one.fencing for one in known), default=0))
        change_autonomy(
            desk,
            unit,
            before=before,
            after=after,
            cause=_cause(backup, contents, lowered, by=by),
            now=now,
        )
        _write_down(unit, backup, contents, known=known, by=by, now=now)
        head = unit.audit.head()
    return Restored(
        backup=str(backup),
        made_at=said.made_at if said else None,
        contents=contents,
        known_from=[one.source for one in known],
        lowered=lowered,
        rules_put_back=rules,
        autonomy_epoch=after.epoch,
        audit=Head(seq=head.seq, hash=head.hash),
        kept_aside=None,
    )


def _cause(backup: Path, contents: Contents, lowered: Sequence[str], *, by: str) -> Cause:
    """Return why autonomy changed: a backup came back, and what was lowered since stays so."""
    since = f"; lowered since, and kept so: {'; '.join(lowered)}" if lowered else ""
    return Cause(
        Act.DATABASE_RESTORED,
        actor=by,
        subject="governance",
        because=f"restored from {backup.name}, whose audit log ends at {contents.audit.seq}{since}",
    )


def _write_down(
    unit: Unit,
    backup: Path,
    contents: Contents,
    *,
    known: list[Aftermath],
    by: str,
    now: datetime,
) -> None:
    """Leave an audit row that says which backup it was, and by what it was reconciled."""
    unit.audit.append(
        Act.DATABASE_RESTORED,
        "database",
        actor=by,
        at=now,
        before=contents.audit.to_wire(),
        after={
            "backup": backup.name,
            "sha256": backups.sha256_of(backup),
            "known": facts_of(known),
            "offsets": [offset.to_wire() for offset in contents.offsets],
        },
    )


def _put_rules_back(
    desk: Desk, unit: Unit, known: list[Aftermath], *, by: str, now: datetime
) -> list[str]:
    """Put the backup's rules in force again where workers have newer ones; return their names."""
    own = unit.rules.newest_of_all()
    beyond = newest_of(known, own)
    for name, version in sorted(beyond.items()):
        mine = own.get(name)
        if mine is not None and mine.rule is not None:
            put_rule(desk, unit, mine.rule, by=by, now=now, beyond=version)
        else:
            end_rule(desk, unit, name, by=by, now=now, beyond=version)
    return sorted(beyond)


def _carry_on(unit: Unit, known: list[Aftermath], *, by: str, now: datetime) -> None:
    """Let a cooldown that ran go on, and tokens that were revoked stay so."""
    for one in known:
        own = unit.trials.cooldown(now)
        if one.cooldown and (own is None or own.until < one.cooldown.until):
            unit.trials.cool_down(one.cooldown)
            unit.audit.append(
                Act.COOLDOWN_STARTED, "governance", actor=by, at=now, after=one.cooldown.to_wire()
            )
        for token_id, moment in one.revoked.items():
            token = unit.tokens.find(token_id)
            if token is not None and token.shown.revoked_at is None:
                unit.tokens.revoke(token_id, moment)
                gone = token.shown.model_copy(update={"revoked_at": moment})
                unit.audit.append(
                    Act.TOKEN_REVOKED,
                    token_id,
                    actor=by,
                    at=now,
                    before=token.shown.to_wire(),
                    after=gone.to_wire(),
                )


def _check_sqlite(new: Path, backup: Path) -> None:
    """See that an unpacked backup is SQLite's.

    Raises:
        Refused: it is something else.
    """
    if not is_sqlite(new):
        raise Refused(f"{backup} holds no SQLite database")


def _from_file(file: Path, now: datetime) -> list[Aftermath]:
    """Return what the file to be replaced knows, if it is there and can be read."""
    if not file.exists():
        return []
    source = f"the replaced {file.name}"
    if not is_sqlite(file):
        return [Aftermath(source=f"nothing: {source} is no database any more")]
    with opened(sqlite_url(file)) as store:
        return _from_store(store, source, now)


def _from_server(url: str, now: datetime) -> list[Aftermath]:
    """Return what the tables to be set aside know, if they are there and can be read."""
    store = Store(url)
    try:
        return _from_store(store, "the replaced tables", now)
    finally:
        store.close()


def _from_store(store: Store, source: str, now: datetime) -> list[Aftermath]:
    """Return what the database in *store* knows, or nothing if it cannot be read."""
    try:
        with store.reading() as unit:
            if not unit.whole.revision() or not unit.autonomy.is_there():
                return []
            lease = unit.lease.find()
            return [
                Aftermath(
                    source=source,
                    states=tuple(_states(unit)),
                    rules=unit.rules.newest_of_all(),
                    cooldown=unit.trials.cooldown(now),
                    revoked={
                        token.id: token.revoked_at
                        for token in unit.tokens.all()
                        if token.revoked_at is not None
                    },
                    fencing=lease.fencing if lease else 0,
                )
            ]
    except Exception as error:  # noqa: BLE001 - a ruin may fail in any way, and must not stop us
        return [Aftermath(source=f"nothing: {source} cannot be read ({type(error).__name__})")]


def _states(unit: Unit) -> list[Autonomy]:
    """Return the state as it is and as it was last written: SQL may have changed it since."""
    stored = unit.autonomy.stored()
    found = [unit.autonomy.load()]
    if not stored.is_ours:
        found.append(read_autonomy(stored.written))
    return found


def _from_kafka(settings: Settings, kafka: str | None) -> list[Aftermath]:
    """Return what Kafka was told, if it answers."""
    if kafka is None:
        return []
    try:
        record = last_state(settings, kafka)
        rules = newest_rules(settings, kafka)
    except GovernanceError as error:
        return [Aftermath(source=f"nothing: {error}")]
    if record is None:
        return [Aftermath(source="Kafka, which was told no state", rules=rules)]
    since = f"Kafka, told at {iso(record.updated_at)}"
    return [Aftermath(source=since, states=(told_state(record),), rules=rules)]


def _aside(file: Path, now: datetime) -> Path:
    """Return the name under which the replaced database is kept."""
    return file.with_name(f"{file.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")
