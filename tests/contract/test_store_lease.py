"""The lease on both databases: one is active, and whoever was replaced commits nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest

from governance import handlers
from governance.desk import Desk
from governance.leadership.election import Election
from governance.leadership.lease import (
    EXPIRY,
    LOOKED_EVERY,
    Holder,
    Lease,
    ProcessState,
)
from governance.leadership.process import this_holder
from governance.store import Store
from governance.store.copies import opened
from governance.store.fence import Fence
from rules.escalation_reference import decide
from schemas.errors import Standby, Unavailable
from schemas.governance import Phase
from tests.desks import NOON, SetClock, desk_at, settings_for, trip


class Machine:
    """One service of several, whose clock stands until it is told to go on."""

    def __init__(self, url: str, number: int) -> None:
        self.url = url
        self.now = 1_000.0 * number
        self.begun = 0
        self.store = Store(url, patience=timedelta(milliseconds=300))
        here = this_holder(settings_for(port=4000 + number), NOON)
        self.holder = here.model_copy(update={"place": f"machine {number}"})
        self.fence = Fence(self.holder)
        self.store.fence = self.fence
        self.desk = Desk(self.store, settings_for(), decide, SetClock())
        self.election = Election(
            self.store,
            self.fence,
            begin=self._begin,
            wait=lambda _: None,
            monotonic=lambda: self.now,
        )

    def leads(self) -> bool:
        """Whether it takes itself for the active one."""
        return self.election.is_active

    def _begin(self) -> None:
        """Count the terms that began."""
        self.begun += 1

    def look(self, seconds: float = 0.0) -> None:
        """Take turns for *seconds*, one at least."""
        until = self.now + seconds
        self.election.try_to_stand()
        while self.now < until:
            self.now += LOOKED_EVERY
            self.election.try_to_stand()


@pytest.fixture
def machines(database_url: str) -> Iterator[tuple[Machine, Machine]]:
    """Return two services on a new database; the first is active."""
    desk_at(database_url).store.close()
    pair = Machine(database_url, 1), Machine(database_url, 2)
    pair[0].look()
    yield pair
    for one in pair:
        one.store.close()


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold the database's write lock as another process would."""
    other, inside, finish = Store(url), threading.Event(), threading.Event()

    def hold() -> None:
        with other.writing():
            inside.set()
            finish.wait(60)

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(hold)
        assert inside.wait(30)
        try:
            yield
        finally:
            finish.set()
            done.result()
            other.close()


def epoch(machine: Machine) -> int:
    """Return the autonomy epoch as *machine* reads it."""
    return handlers.show_state(machine.desk).autonomy_epoch


def test_the_first_is_active_and_the_second_stands_by(machines: tuple[Machine, Machine]) -> None:
    """It says where the active one is in each write that it refuses, and reads what that did."""
    first, second = machines
    second.look(2 * EXPIRY)
    assert second.leads()  # nobody renewed: see below for one who does
    first.look()
    assert not first.leads()
    with pytest.raises(Standby, match="4002") as refused:
        handlers.apply_action(first.desk, trip())
    assert refused.value.active == "http://127.0.0.1:4002"
    assert refused.value.retryable
    assert handlers.apply_action(second.desk, trip())
    assert epoch(first) == 2


def test_one_that_renews_is_never_replaced(machines: tuple[Machine, Machine]) -> None:
    """However often the standby looks, and whatever its clock does."""
    first, second = machines
    for jump in (0, 0, 3_600, -3_600, 0):
        for _ in range(3):
            second.look(2)
            first.now += 2
            first.look()
        second.now += jump
    assert (first.leads(), second.leads()) == (True, False)
    assert first.fence.fencing == 1


def test_a_clean_stop_hands_over_at_once(machines: tuple[Machine, Machine]) -> None:
    """The lease is free from then on, and the next number is the next one."""
    first, second = machines
    second.look()
    first.election.resign(first.now + 5)
    assert not first.leads()
    second.look()
    assert second.leads()
    assert second.fence.fencing == 2
    assert (first.begun, second.begun) == (1, 1)


def test_a_process_that_is_known_to_be_gone_is_not_waited_for(
    machines: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one machine a kill is noticed by the next look."""
    _, second = machines

    def gone(_: Holder) -> ProcessState:
        return ProcessState.GONE

    monkeypatch.setattr("governance.leadership.election.state_of", gone)
    second.look()
    assert second.leads()


def test_what_was_begun_before_a_take_over_is_never_committed(
    machines: tuple[Machine, Machine],
) -> None:
    """A write that waited while another took over finds the fence, and writes nothing."""
    first, second = machines
    second.look(2 * EXPIRY)
    with second.store.reading() as unit:
        head = unit.audit.head()
    for write in (
        lambda: handlers.apply_action(first.desk, trip()),
        lambda: handlers.run_cycle(first.desk),
        lambda: handlers.tell_blind(first.desk, NOON, reason="asleep"),
        lambda: handlers.adopt_sql_changes(first.desk) if tamper(second) else None,
        lambda: handlers.publish_audit_head(first.desk, None),
        first.store.renew,
    ):
        first.fence.hold(Lease(1, 0, first.holder))  # it slept, and does not know
        refused(write)
    with second.store.reading() as unit:
        assert unit.audit.head() == head
    assert not first.leads()


def refused(write: Callable[[], object]) -> None:
    """See that *write* is told that this is a standby."""
    with pytest.raises(Standby):
        write()


def tamper(machine: Machine) -> bool:
    """Change a rule as an operator does by SQL."""
    by_sql(machine.url, "UPDATE circuit_breaker_rules SET enabled = 0")
    return True


def by_sql(url: str, statement: str) -> None:
    """Do what somebody types into the database's shell."""
    with opened(url) as store, store.writing() as unit:
        unit._connection.exec_driver_sql(statement)


def test_a_standby_lowers_at_once_and_the_active_one_tells(
    machines: tuple[Machine, Machine],
) -> None:
    """Kill switch and rollback need no lease; they are audited, and the outbox holds them."""
    first, second = machines
    second.look()
    handlers.pull_kill_switch(second.desk, reason="smoke", by="anna")
    handlers.roll_back(second.desk, Phase.L3, reason="to be sure", by="anna")
    assert epoch(first) == 3
    assert handlers.verify_audit(first.desk).intact
    acts = [row.act for row in handlers.list_audit(first.desk, limit=10)]
    assert {"kill_switch.pulled", "phase.rolled_back"} <= {*acts}
    with first.store.reading() as unit:
        first.store.check_lease(unit)
        keys = [row.key for row in unit.outbox.unpublished(1_000)]
    assert {"epoch/2", "epoch/3"} <= {*keys}


def test_a_lock_costs_nobody_the_lease(
    machines: tuple[Machine, Machine], database_url: str
) -> None:
    """Nobody could renew, so nobody is replaced; after the lock the holder renews first."""
    first, second = machines
    with locked(database_url):
        second.look(30)
        first.look()
    assert first.election.trouble is not None
    second.look(1)
    first.look()
    second.look(EXPIRY - 1)
    assert (first.leads(), second.leads()) == (True, False)


def test_a_holder_that_died_behind_a_lock_is_replaced_after_it(
    machines: tuple[Machine, Machine], database_url: str
) -> None:
    """Once everybody can write, three seconds are enough to be heard of."""
    first, second = machines
    with locked(database_url):
        second.look(EXPIRY)
        assert not second.leads()
    second.look(3.5)
    assert second.leads()
    first.look()
    assert not first.leads()


def test_who_was_replaced_notices_it_behind_a_lock(
    machines: tuple[Machine, Machine], database_url: str
) -> None:
    """It watches from then on, and need not write to learn that it may not."""
    first, second = machines
    second.look(EXPIRY)
    assert second.leads()
    with locked(database_url):
        first.look()
        assert not first.leads()
        assert first.fence.fencing is None
        first.look(EXPIRY)
    first.look(3.5)
    assert first.leads()


def test_a_standby_starts_behind_a_lock(
    machines: tuple[Machine, Machine], database_url: str
) -> None:
    """The active one may have hung with the lock: somebody has to be there to take over."""
    with locked(database_url):
        machines[1].store.migrate(thoroughly=True)
        machines[1].look()
    assert not machines[1].leads()


def test_two_that_look_at_the_same_time_do_not_both_win(database_url: str) -> None:
    """Whoever is second finds another row than the one that was over."""
    desk_at(database_url).store.close()
    crowd = [Machine(database_url, number) for number in range(1, 6)]
    start = threading.Barrier(len(crowd))

    def stand(one: Machine) -> None:
        start.wait()
        one.look()

    with ThreadPoolExecutor(len(crowd)) as threads:
        list(threads.map(stand, crowd))
    for one in crowd:
        one.look()
    assert sum(one.leads() for one in crowd) == 1
    for one in crowd:
        one.store.close()


def test_a_row_that_somebody_spoilt_is_taken_anew(machines: tuple[Machine, Machine]) -> None:
    """What cannot be read holds nothing, and what is gone is written again."""
    first, second = machines
    by_sql(first.url, "UPDATE service_lease SET holder = 'nonsense'")
    second.look()
    assert second.fence.fencing == 2
    by_sql(first.url, "DELETE FROM service_lease")
    second.look(1)
    assert second.fence.fencing == 3
    first.look(1)
    assert not first.leads()
    handlers.apply_action(second.desk, trip())


def test_people_act_by_command_line_beside_the_active_one(
    machines: tuple[Machine, Machine], database_url: str
) -> None:
    """A desk without a fence is somebody's single transaction: it needs no lease, and ends none."""
    first, _ = machines
    beside = Desk(Store(database_url), settings_for(), decide)
    handlers.prune(beside, by="anna (command line)")
    handlers.publish_audit_head(beside, None)
    beside.store.close()
    first.look()
    assert first.leads()
    assert handlers.verify_audit(first.desk).intact


def test_an_abandoned_transaction_holds_nobody_up(
    database_url: str, machines: tuple[Machine, Machine]
) -> None:
    """PostgreSQL ends a writer that does nothing, as one does whose machine is gone."""
    if database_url.startswith("sqlite"):
        return  # the lock of a file ends with its process, or with `must_end`
    first, second = machines
    with pytest.raises(Unavailable), first.store.writing() as unit:
        threading.Event().wait(6)
        unit.offsets.save("late", 0, 1)
    second.look(EXPIRY)
    assert second.leads()
    first.look()
    assert not first.leads()
