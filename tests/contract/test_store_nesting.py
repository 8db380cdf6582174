"""Transactions within transactions: what is put together happens as one, and tells so once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from governance import handlers
from governance.audit import Act
from governance.desk import Desk
from governance.handlers.joint_acts import rehearse
from governance.handlers.wishes import ResolveEvent
from governance.store import Unit
from schemas.errors import DiskFull, Refused
from tests.desks import NOON, desk_at, trip


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """Return a desk over a new installation."""
    desk = desk_at(database_url)
    yield desk
    desk.store.close()


@pytest.fixture
def commits(desk: Desk) -> list[int]:
    """Return what grows with each time that listeners are told of a commit."""
    told: list[int] = []
    desk.store.on_commit(lambda: told.append(len(told)))
    return told


def note(unit: Unit, subject: str) -> None:
    """Write an audit row."""
    unit.audit.append(Act.RULE_ADDED, subject, actor="anna", at=NOON, after={})


def noted(desk: Desk) -> list[str]:
    """Return the subjects that were noted, oldest first, of a chain that holds."""
    assert handlers.verify_audit(desk).intact
    rows = reversed(handlers.list_audit(desk, limit=500))
    return [row.subject for row in rows if row.actor == "anna"]


def test_what_is_caught_on_the_way_out_undoes_its_own_level_and_those_within(
    desk: Desk, commits: list[int]
) -> None:
    """The levels around it go on, on the same chain, and are committed once."""
    with desk.store.writing() as unit:
        note(unit, "one")
        with suppress(Refused), desk.store.writing() as second:
            note(second, "undone")
            with desk.store.writing() as third:
                note(third, "undone with it")
            raise Refused("no")
        with desk.store.writing(), suppress(Refused), desk.store.writing() as third:
            note(third, "undone alone")
            raise Refused("no")
        with desk.store.writing() as second:
            note(second, "two")
        assert commits == []

    assert (noted(desk), commits) == (["one", "two"], [0])


def test_nobody_is_told_of_what_the_outermost_undoes(desk: Desk, commits: list[int]) -> None:
    """What was finished within is undone as well, and the next transaction is a new one."""
    with suppress(Refused), desk.store.writing():
        with desk.store.writing(lowers=True) as unit:
            note(unit, "undone")
        raise Refused("no")
    assert (noted(desk), commits) == ([], [])
    with desk.store.writing() as unit:
        note(unit, "one")
    assert (noted(desk), commits) == (["one"], [0])


def test_a_statement_that_fails_within_leaves_the_rest_usable(desk: Desk) -> None:
    """Also on a server that refuses everything after a failed statement until it is undone."""
    handlers.apply_action(desk, trip(decided_at=NOON))
    with desk.store.writing() as unit:
        note(unit, "one")
        (event,) = unit.events.newest(limit=1, offset=0)
        with suppress(IntegrityError), desk.store.writing() as within:
            note(within, "undone")
            _insert_twice(within)
        note(unit, event.id)

    assert noted(desk) == ["one", event.id]


def _insert_twice(unit: Unit) -> None:
    """Break a constraint of the table of rule versions."""
    last = unit.rules.newest("High Error Rate")
    assert last is not None
    unit.rules.save(last)


def test_what_is_undone_is_undone_on_every_shelf(desk: Desk) -> None:
    """No shelf remembers what a savepoint took back: the state, its epoch, the outbox, the row."""
    action = trip(decided_at=NOON)
    handlers.apply_action(desk, action)
    before = handlers.show_state(desk), handlers.list_audit(desk, limit=500)
    wish = ResolveEvent(event_id=action.id, about="a trip")
    with desk.store.writing() as unit:
        waiting = unit.outbox.unpublished(500)
        rehearse(desk, wish)
        with suppress(Refused), desk.store.writing():
            handlers.pull_kill_switch(desk, reason="", by="anna")
            raise Refused("no")
        assert unit.outbox.unpublished(500) == waiting
        assert not unit.events.explained(action.id).resolved

    assert (handlers.show_state(desk), handlers.list_audit(desk, limit=500)) == before


def test_a_lowering_within_happens_with_the_rest(desk: Desk, commits: list[int]) -> None:
    """It takes no turn of its own, which nobody could give it."""
    with desk.store.writing() as unit:
        note(unit, "one")
        handlers.pull_kill_switch(desk, reason="to be safe", by="ben")
        note(unit, "two")

    assert (noted(desk), commits) == (["one", "two"], [0])
    assert handlers.show_state(desk).autonomy_epoch == 2


def test_another_thread_joins_nothing(desk: Desk) -> None:
    """It reads what was committed, and writes after the whole of it."""
    started = threading.Event()

    def write() -> list[str]:
        seen = noted(desk)
        started.set()
        with desk.store.writing() as unit:
            note(unit, "three")
        return seen

    with ThreadPoolExecutor(1) as other:
        with desk.store.writing() as unit:
            note(unit, "one")
            writing = other.submit(write)
            assert started.wait(30)
            with desk.store.writing() as within:
                note(within, "two")
        assert writing.result(30) == []

    assert noted(desk) == ["one", "two", "three"]


def test_another_store_joins_nothing(desk: Desk, tmp_path: Path) -> None:
    """Two databases in one thread are two transactions: one may fail and the other hold."""
    other = desk_at(f"sqlite:///{tmp_path / 'other.db'}")
    with suppress(Refused), desk.store.writing() as unit:
        note(unit, "undone")
        with other.store.writing() as elsewhere:
            note(elsewhere, "one")
        raise Refused("no")

    assert (noted(desk), noted(other)) == ([], ["one"])
    other.store.close()


def test_what_raises_while_joined_leaves_no_trace_of_itself(database_url: str) -> None:
    """After any end of a transaction the thread's next one is its own, on a store that is well."""
    desk = desk_at(database_url)
    for error in (KeyboardInterrupt, DiskFull("no room"), Refused("no")):
        with suppress(BaseException), desk.store.writing(), desk.store.writing():
            raise error
        with desk.store.writing() as unit:
            note(unit, "one")

    assert noted(desk) == ["one"] * 3
    assert desk.store.trouble is None
    desk.store.close()
