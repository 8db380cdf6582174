"""The kill switch is one small fact, whatever was seen; people resume by name, or everything."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text, update

from governance import handlers, phases
from governance.audit import Act, canonical
from governance.autonomy import Autonomy
from governance.desk import Desk
from governance.handlers.autonomy import resume_command_types
from governance.handlers.sql_changes import present_autonomy
from governance.store.autonomy import _written
from governance.store.engine import open_engine
from governance.store.outbox import OutboxRow
from governance.store.tables import governance_state
from schemas.alerts import Alert, AlertType
from schemas.errors import NotFound, Refused, StaleEpoch
from schemas.governance import MOST_PAUSED, Phase, StateRecord, fits
from schemas.tallies import WIDTH
from tests.desks import NOON, revert, trip

MANY = 100_000
FLOOD = [f"{number:06d}-{'x' * 238}" for number in range(MANY)]
"""Command types as long as a legal producer may name them, nearly."""

PROMISED = 1.0
"""Seconds in which the kill switch answers, however many types were seen."""

SMALL = 256 * 1024
"""Bytes of the largest record that may follow from it: a quarter of what Kafka takes."""


def see(desk: Desk, names: list[str]) -> None:
    """Count each of *names* once, as the consumer of tallies does."""
    minute = int(NOON.timestamp()) // 60
    counts = {(minute, f"commandType={name}"): [1] * WIDTH for name in names}
    with desk.store.writing() as unit:
        unit.minutes.add(counts)


def written(desk: Desk, after: int) -> list[OutboxRow]:
    """Return what the world is told behind number *after*."""
    with desk.store.reading() as unit:
        return [row for row in unit.outbox.unpublished(10_000) if row.seq > after]


def told(rows: list[OutboxRow], kind: AlertType) -> list[Alert]:
    """Return the alerts of *kind* among *rows*."""
    alerts = [Alert.model_validate_json(row.value) for row in rows if row.topic == "alerts"]
    return [alert for alert in alerts if alert.type is kind]


def last_row(desk: Desk) -> dict[str, Any]:
    """Return what the newest audit row says came out."""
    entry = handlers.list_audit(desk, limit=1)[0]
    return dict(entry.after)


def store_as_older_code(desk: Desk, state: Autonomy) -> None:
    """Write *state* as a version before this one did: no bound, and a seal without our columns."""
    fields = _written(state)
    bare = {
        name: value
        for name, value in fields.items()
        if name not in ("all_paused", "resumed_command_types")
    }
    with desk.store.writing() as unit:
        unit.autonomy._connection.execute(
            update(governance_state).values(**bare, sealed=canonical(bare))
        )
        unit.audit.append(
            Act.KILL_SWITCH_PULLED, "governance", actor="old", at=NOON, after=state.facts()
        )


@pytest.mark.timeout(300)
def test_the_kill_switch_costs_the_same_whatever_was_seen(desk: Desk) -> None:
    """With 100,000 types seen it writes a state record, one alert and one row, all small."""
    see(desk, FLOOD)
    with desk.store.reading() as unit:
        before, head = unit.outbox.last(), unit.audit.head().seq

    begun = time.monotonic()
    killed = handlers.pull_kill_switch(desk, reason="smoke", by="anna")
    took = time.monotonic() - begun
    rows = written(desk, before)

    assert took < PROMISED
    assert killed.state.all_paused
    assert killed.state.resumed_command_types == []
    assert [row.key for row in rows if row.topic == "state"] == ["governance", "epoch/2"]
    assert len(rows) == 3
    assert sum(len(row.value.encode()) for row in rows) < SMALL
    (alert,) = told(rows, AlertType.TYPE_PAUSED)
    assert (alert.data.scope, alert.data.context["allPaused"]) == ("*", True)
    record = StateRecord.model_validate_json(rows[0].value)
    assert record.all_paused
    assert handlers.show_audit_head(desk).seq == head + 1
    assert last_row(desk)["allPaused"] is True
    assert handlers.verify_audit(desk).intact


def test_pulling_twice_is_pulling_once(desk: Desk) -> None:
    """A state that is so already stays as it is, epoch and all, though new types were seen."""
    handlers.pull_kill_switch(desk, reason="smoke", by="anna")
    see(desk, ["NEW"])
    again = handlers.pull_kill_switch(desk, reason="smoke", by="anna")

    assert again.already
    assert again.state.autonomy_epoch == 2


def test_a_type_runs_again_while_all_others_stay_paused(desk: Desk) -> None:
    """People resume what is named and what was only seen; a name nobody knows is not found."""
    see(desk, ["ROAST"])
    handlers.pull_kill_switch(desk, reason="smoke", by="anna")
    with desk.store.reading() as unit:
        before = unit.outbox.last()
    state = resume_command_types(desk, ["SET_FAN", "ROAST"], by="ben", epoch=2)

    assert state.all_paused
    assert state.resumed_command_types == ["ROAST", "SET_FAN"]
    assert "SET_FAN" not in state.paused_command_types
    subjects = [alert.subject for alert in told(written(desk, before), AlertType.TYPE_RESUMED)]
    assert subjects == ["SET_FAN", "ROAST"]
    with pytest.raises(NotFound, match="near matches: SET_POWER"):
        resume_command_types(desk, ["SET_POWR"], by="ben", epoch=2)
    with pytest.raises(Refused, match="__other__ is no command type"):
        resume_command_types(desk, ["__other__"], by="ben", epoch=2)
    with pytest.raises(NotFound):
        resume_command_types(desk, ["ROAST"], by="ben", epoch=2)
    assert handlers.verify_audit(desk).intact


def test_a_trip_takes_an_exception_back(desk: Desk) -> None:
    """What runs while all else is paused is paused again by its breaker, and told of by name."""
    handlers.pull_kill_switch(desk, reason="smoke", by="anna")
    resume_command_types(desk, ["SET_FAN", "SET_POWER"], by="ben", epoch=2)
    with desk.store.reading() as unit:
        before = unit.outbox.last()
    handlers.apply_action(desk, trip("SET_POWER"))
    state = handlers.show_state(desk)

    assert (state.all_paused, state.resumed_command_types) == (True, ["SET_FAN"])
    (alert,) = told(written(desk, before), AlertType.TYPE_PAUSED)
    assert alert.subject == "SET_POWER"


def test_a_second_pull_ends_the_exceptions(desk: Desk) -> None:
    """Everything is paused again, in a new epoch, and told of once."""
    handlers.pull_kill_switch(desk, reason="smoke", by="anna")
    resume_command_types(desk, ["SET_FAN", "SET_POWER"], by="ben", epoch=2)
    with desk.store.reading() as unit:
        before = unit.outbox.last()
    killed = handlers.pull_kill_switch(desk, reason="again", by="anna")

    assert not killed.already
    assert killed.state.resumed_command_types == []
    assert len(told(written(desk, before), AlertType.TYPE_PAUSED)) == 1


def test_ending_the_pause_of_everything_leaves_what_is_named(desk: Desk) -> None:
    """It is an act of people on the epoch that they saw; what is paused by name stays so."""
    handlers.pull_kill_switch(desk, reason="smoke", by="anna")
    with pytest.raises(StaleEpoch):
        resume_command_types(desk, [], all_paused=False, by="ben", epoch=1)
    with desk.store.reading() as unit:
        before = unit.outbox.last()
    state = resume_command_types(desk, ["SET_FAN"], all_paused=False, by="ben", epoch=2)

    assert (state.all_paused, state.resumed_command_types) == (False, [])
    assert "SET_POWER" in state.paused_command_types
    assert "SET_FAN" not in state.paused_command_types
    subjects = [alert.subject for alert in told(written(desk, before), AlertType.TYPE_RESUMED)]
    assert subjects == ["*", "SET_FAN"]
    assert handlers.verify_audit(desk).intact


def test_no_pause_is_lost_at_the_bound(desk: Desk) -> None:
    """The pause that a state has no room for pauses everything, and holds that until resolved."""
    with desk.store.writing() as unit:
        before = present_autonomy(desk, unit, NOON)
        full = before
        for number in range(MOST_PAUSED):
            full = phases.paused(full, f"T{number:03d}")
        unit.autonomy.save(full, NOON)
    handlers.apply_action(desk, trip("ONE_MORE"))
    state = handlers.show_state(desk)

    assert state.all_paused
    assert len(state.paused_command_types) == MOST_PAUSED
    with pytest.raises(Refused, match="hold ONE_MORE"):
        resume_command_types(desk, [], all_paused=False, by="b", epoch=state.autonomy_epoch)
    handlers.resolve_event(desk, trip("ONE_MORE").id, by="ben")
    freed = resume_command_types(desk, [], all_paused=False, by="b", epoch=state.autonomy_epoch)
    assert not freed.all_paused


LOWERINGS: dict[str, Callable[[Desk], object]] = {
    "the kill switch": lambda desk: handlers.pull_kill_switch(desk, reason="x", by="anna"),
    "a rollback": lambda desk: handlers.roll_back(desk, Phase.L3, reason="x", by="anna"),
    "a revert": lambda desk: handlers.apply_action(desk, revert()),
    "a pause": lambda desk: handlers.apply_action(desk, trip("SET_FAN")),
    "the watch on SQL": handlers.adopt_sql_changes,
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", LOWERINGS)
def test_a_state_that_an_older_version_let_grow_is_bounded(desk: Desk, name: str) -> None:
    """100,000 paused types become a pause of everything by whatever lowers autonomy next."""
    long = Autonomy(
        Phase.L3, NOON, paused_command_types=tuple(sorted([*FLOOD, "SET_FAN"])), epoch=2
    )
    store_as_older_code(desk, long)
    with desk.store.reading() as unit:
        before = unit.outbox.last()
        assert unit.autonomy.stored().is_ours

    LOWERINGS[name](desk)
    rows = written(desk, before)
    state = handlers.show_state(desk)

    assert state.all_paused
    assert "SET_FAN" in state.paused_command_types
    assert fits(state.paused_command_types)
    assert state.autonomy_epoch > 2
    assert max(len(row.value.encode()) for row in rows) < SMALL
    assert len(rows) < 12
    assert handlers.verify_audit(desk).intact


@pytest.fixture
def engine(desk: Desk, database_url: str) -> Engine:
    """Return how an operator reaches the same database."""
    return open_engine(database_url)


def test_sql_may_pause_everything_and_never_end_it(desk: Desk, engine: Engine) -> None:
    """The column is adopted where it lowers, and put back where it raises."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE governance_state SET all_paused = 1"))
    handlers.adopt_sql_changes(desk)
    assert handlers.show_state(desk).all_paused
    assert last_row(desk)["allPaused"] is True
    for change in ("all_paused = 0", "resumed_command_types = '[\"ABORT\"]'", "all_paused = 7"):
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE governance_state SET {change}"))
        handlers.adopt_sql_changes(desk)
        state = handlers.show_state(desk)
        assert (state.all_paused, state.resumed_command_types) == (True, [])
    assert handlers.verify_audit(desk).intact
    engine.dispose()


def test_a_forged_seal_ends_no_pause(desk: Desk, engine: Engine) -> None:
    """Who writes row and seal alike is found out: the audit log tells the pause of everything."""
    handlers.pull_kill_switch(desk, reason="smoke", by="anna")
    resume_command_types(desk, ["SET_FAN"], by="ben", epoch=2)
    for forged in ({"all_paused": 0}, {"resumed_command_types": '["ABORT", "SET_FAN"]'}):
        with engine.begin() as connection:
            (seal,) = connection.execute(text("SELECT sealed FROM governance_state")).one()
            columns = {**forged, "sealed": canonical({**json.loads(seal), **forged})}
            connection.execute(update(governance_state).values(**columns))
        handlers.adopt_sql_changes(desk)
        state = handlers.show_state(desk)
        assert (state.all_paused, state.resumed_command_types) == (True, ["SET_FAN"])
    assert handlers.verify_audit(desk).intact
    engine.dispose()


def test_a_row_that_was_deleted_comes_back_paused(desk: Desk, engine: Engine) -> None:
    """The audit log tells the pause of everything and its exceptions."""
    handlers.pull_kill_switch(desk, reason="smoke", by="anna")
    resume_command_types(desk, ["SET_FAN"], by="ben", epoch=2)
    before = handlers.show_state(desk)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM governance_state"))
    handlers.adopt_sql_changes(desk)
    after = handlers.show_state(desk)

    assert after.all_paused
    assert after.resumed_command_types == before.resumed_command_types
    engine.dispose()


def test_the_audit_log_speaks_of_it_only_while_it_holds(desk: Desk) -> None:
    """What every other act says of the state is spelled as it always was."""
    handlers.apply_action(desk, trip("SET_FAN"))
    assert sorted(json.loads(json.dumps(last_row(desk)))) == [
        "autonomyEpoch",
        "because",
        "commandWhitelist",
        "pausedCommandTypes",
        "phase",
        "phaseStartDate",
    ]
