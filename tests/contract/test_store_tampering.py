"""Whatever is done to the database behind our back, `governance audit verify` says so.

The attacker owns the database: the triggers that forbid changes are dropped first, and rows are
written with hashes that fit. What they do not have is a checkpoint that was kept elsewhere.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, StaticPool, create_engine, delete, insert, text

from governance import handlers
from governance.audit import AuditRow, ChainReport, Checkpoint
from governance.desk import Desk
from governance.store import Store
from governance.store.engine import open_engine
from governance.store.tables import audit_log
from rules.escalation_reference import decide
from schemas.governance import Phase
from tests.desks import NOON, desk_at, revert, settings_for, trip
from tests.unit.governance.test_audit import (
    Rows,
    cut_off,
    deleted,
    edited,
    renumbered,
    swapped,
    written_anew,
)

Tamper = Callable[[Connection, Rows, random.Random], None]

ON_SQLITE, ON_POSTGRES = 1_000, 63

RUNBOOK = """
UPDATE governance_state
SET current_phase = 'L3',
    phase_start_date = :moment,
    command_whitelist = '[]'
WHERE id = 1
"""
"""As the runbook rolls back; the moment is its datetime('now'), which PostgreSQL lacks."""


def live(desk: Desk) -> Checkpoint:
    """Let some days of operation leave their rows, and return the head of the log."""
    for number in range(12):
        moment = NOON + timedelta(minutes=number)
        action = (
            trip(f"TYPE_{number}", decided_at=moment) if number % 4 else revert(decided_at=moment)
        )
        handlers.apply_action(desk, action)
    for event in handlers.list_unresolved_events(desk):
        handlers.resolve_event(desk, event.id, by="anna")
    handlers.roll_back(desk, Phase.L3, reason="exercise", by="anna")
    return handlers.show_audit_head(desk)


def rows_of(connection: Connection) -> Rows:
    """Return the whole log."""
    return [AuditRow(*row) for row in connection.execute(audit_log.select().order_by("seq"))]


def write(connection: Connection, rows: Sequence[AuditRow]) -> None:
    """Put *rows* in the place of the log; nothing stops who owns the database."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ALTER TABLE audit_log DISABLE TRIGGER USER")
    else:
        connection.exec_driver_sql("DROP TRIGGER audit_log_no_update")
        connection.exec_driver_sql("DROP TRIGGER audit_log_no_delete")
    connection.execute(delete(audit_log))
    if rows:
        connection.execute(insert(audit_log), [row._asdict() for row in rows])


def inserted(rows: Rows, at: int, _: random.Random) -> Rows:
    """Put a copy of a row behind it, and number the rest anew."""
    again = [*rows[: at + 1], rows[at], *rows[at + 1 :]]
    return [row._replace(seq=number) for number, row in enumerate(again, 1)]


def on_rows(forge: Callable[[Rows, int, random.Random], Rows]) -> Tamper:
    """Return the tamper that writes what *forge* makes of the log."""

    def tamper(connection: Connection, rows: Rows, chance: random.Random) -> None:
        write(connection, forge(rows, chance.randrange(len(rows)), chance))

    tamper.__name__ = forge.__name__
    return tamper


def runbooks_update(connection: Connection, _: Rows, chance: random.Random) -> None:
    """Roll back by SQL, at some moment, while no service looks."""
    moment = (NOON + timedelta(seconds=chance.randrange(10_000))).strftime("%Y-%m-%d %H:%M:%S")
    connection.execute(text(RUNBOOK), {"moment": moment})


def raised_and_sealed(connection: Connection, _: Rows, chance: random.Random) -> None:
    """Raise the phase by SQL, and make it look as if the service had written it."""
    phase = chance.choice(["L3+", "L4", "L4+", "L5"])
    seal = f'replace(sealed, \'"current_phase":"L3"\', \'"current_phase":"{phase}"\')'
    connection.exec_driver_sql(
        f"UPDATE governance_state SET current_phase = '{phase}', sealed = {seal}"
    )


TAMPERS: list[Tamper] = [
    *map(on_rows, [edited, deleted, renumbered, inserted, swapped, cut_off, written_anew]),
    runbooks_update,
    raised_and_sealed,
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Checkpoint]]:
    """Return a database file with a past, and the head that somebody kept."""
    file = tmp_path_factory.mktemp("template") / "governance.db"
    desk = desk_at(f"sqlite:///{file}")
    checkpoint = live(desk)
    desk.store.close()
    yield file, checkpoint


def verified(url: str, checkpoint: Checkpoint) -> ChainReport:
    """Verify as the command does."""
    store = Store(url)
    try:
        return handlers.verify_audit(Desk(store, settings_for(), decide), checkpoint)
    finally:
        store.close()


def do(engine: Engine, tamper: Tamper, chance: random.Random) -> None:
    """Tamper, in one transaction."""
    with engine.begin() as connection:
        tamper(connection, rows_of(connection), chance)


def test_a_database_that_nobody_touched_is_intact(template: tuple[Path, Checkpoint]) -> None:
    """The log tells the state, and the checkpoint is its head."""
    file, checkpoint = template
    report = verified(f"sqlite:///{file}", checkpoint)
    assert report.intact, report.problem
    assert report.head_seq == checkpoint.seq > 40


def test_a_thousand_tampers_with_a_file_are_all_found(
    template: tuple[Path, Checkpoint], tmp_path: Path
) -> None:
    """Each on a copy of a real file: edits, deletions, insertions, moves, cuts, and SQL."""
    file, checkpoint = template
    chance, forged = random.Random(28), tmp_path / "forged.db"
    for number in range(ON_SQLITE):
        tamper = TAMPERS[number % len(TAMPERS)]
        shutil.copy(file, forged)
        with closing(sqlite3.connect(forged)) as hasty:
            # A file that lives for a moment need not reach the disk.
            hasty.execute("PRAGMA synchronous = OFF")
            engine = create_engine("sqlite://", creator=lambda one=hasty: one, poolclass=StaticPool)
            do(engine, tamper, chance)
        assert not verified(f"sqlite:///{forged}", checkpoint).intact, tamper.__name__


def test_tampers_with_a_server_are_all_found(postgres_url: str) -> None:
    """The same on PostgreSQL, where each is taken back before the next."""
    url = settings_for(database_url=postgres_url).sql_url
    desk = desk_at(url)
    checkpoint = live(desk)
    chance, engine = random.Random(28), open_engine(url)
    with engine.connect() as connection:
        state = connection.exec_driver_sql("SELECT * FROM governance_state").mappings().one()
        honest = rows_of(connection)
    for number in range(ON_POSTGRES):
        tamper = TAMPERS[number % len(TAMPERS)]
        do(engine, tamper, chance)
        assert not handlers.verify_audit(desk, checkpoint).intact, tamper.__name__
        with engine.begin() as connection:
            write(connection, honest)
            names = ", ".join(f"{name} = :{name}" for name in state)
            connection.execute(text(f"UPDATE governance_state SET {names}"), dict(state))
    assert handlers.verify_audit(desk, checkpoint).intact
    engine.dispose()
    desk.store.close()


def test_a_change_by_sql_is_in_order_again_once_it_is_taken_over(
    template: tuple[Path, Checkpoint], tmp_path: Path
) -> None:
    """The service writes it down, and from then on the log tells it."""
    file, checkpoint = template
    shutil.copy(file, tmp_path / "governance.db")
    desk = desk_at(f"sqlite:///{tmp_path / 'governance.db'}")
    engine = open_engine(f"sqlite:///{tmp_path / 'governance.db'}")
    do(engine, runbooks_update, random.Random(1))
    engine.dispose()

    assert "other means" in str(handlers.verify_audit(desk, checkpoint).problem)
    assert handlers.adopt_sql_changes(desk).state == 1
    assert handlers.verify_audit(desk, checkpoint).intact
    desk.store.close()
