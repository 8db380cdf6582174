"""Blindness is said once when it begins and once when it ends, and never at a start."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from governance import handlers
from governance.desk import Desk
from governance.frontier import Frontiers
from governance.kafka.transactions import OpenTransaction, reason_of
from governance.lookout import GRACE, Lookout
from schemas.actions import Frontier
from schemas.alerts import Alert, AlertType
from tests.desks import NOON, at, desk_at


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a desk at noon."""
    desk = desk_at(f"sqlite:///{tmp_path / 'governance.db'}")
    yield desk
    desk.store.close()


def told(desk: Desk) -> list[Alert]:
    """Return the alerts about the stream."""
    with desk.store.reading() as unit:
        rows = unit.outbox.after(0, topics=["alerts"], limit=100)
    return [Alert.model_validate_json(row.value) for row in rows]


def report(frontiers: Frontiers, until: datetime) -> None:
    """Let the only judge report."""
    frontiers.note(Frontier(partition=0, partitions=1, judged_until=until, worker="w"))


def test_blindness_is_told_once_and_so_is_its_end(desk: Desk) -> None:
    """One alert when the judges fall behind, none while they stay there, one when they are back."""
    frontiers = Frontiers()
    lookout = Lookout(desk, frontiers, wait=lambda _: None)
    report(frontiers, NOON)
    start = NOON + GRACE
    for seconds in range(5):
        lookout.look(start + timedelta(seconds=seconds))
    assert [alert.type for alert in told(desk)] == [AlertType.STREAM_BLIND]
    report(frontiers, start + timedelta(seconds=5))
    for seconds in range(5, 8):
        lookout.look(start + timedelta(seconds=seconds))
    assert [alert.type for alert in told(desk)] == [AlertType.STREAM_BLIND, AlertType.STREAM_SEES]
    assert lookout.blind_since is None


def test_a_second_blindness_is_another_one(desk: Desk) -> None:
    """Each episode has alerts with ids of its own, so that none is taken for a repeat."""
    frontiers = Frontiers()
    lookout = Lookout(desk, frontiers, wait=lambda _: None)
    for minutes in (1, 2):
        moment = NOON + timedelta(minutes=minutes)
        report(frontiers, moment)
        lookout.look(moment + timedelta(seconds=1))
        lookout.look(moment + timedelta(seconds=10))
    assert [alert.type for alert in told(desk)] == [
        AlertType.STREAM_BLIND,
        AlertType.STREAM_SEES,
        AlertType.STREAM_BLIND,
    ]
    assert len({alert.id for alert in told(desk)}) == 3


def test_a_clock_that_went_back_is_blindness(desk: Desk) -> None:
    """Judges that are ahead of us stand until the clocks have caught up: that is no health."""
    frontiers = Frontiers()
    lookout = Lookout(desk, frontiers, wait=lambda _: None)
    report(frontiers, NOON + timedelta(hours=1))
    lookout.look(NOON + timedelta(hours=1) - timedelta(seconds=2))
    assert told(desk) == []
    lookout.look(NOON + GRACE)
    assert "clocks disagree: the judges are 3585.0 s ahead" in told(desk)[0].data.summary


def test_silence_is_blindness(desk: Desk) -> None:
    """Judges that never report are told of too, once they had the time to."""
    lookout = Lookout(desk, Frontiers(), wait=lambda _: None)
    lookout.look(NOON + timedelta(seconds=10))
    assert told(desk) == []
    lookout.look(NOON + GRACE)
    assert "no judge has reported yet" in told(desk)[0].data.summary


def test_a_clock_that_is_set_back_after_a_start_hides_no_blindness(desk: Desk) -> None:
    """A start is over once the clock stands an hour before it, not when it has caught up again."""
    lookout = Lookout(desk, Frontiers(), wait=lambda _: None)
    lookout.look(NOON - timedelta(hours=1))
    assert [alert.type for alert in told(desk)] == [AlertType.STREAM_BLIND]


def test_a_turn_takes_over_what_sql_changed(desk: Desk) -> None:
    """The first turn looks for changes by SQL, and the thread then waits a second."""
    waited: list[float] = []
    Lookout(at(desk, NOON), Frontiers(), wait=waited.append).turn()
    assert waited == [1.0]
    assert handlers.verify_audit(desk).intact


def test_an_open_transaction_is_named_as_the_cause(desk: Desk) -> None:
    """Whose it is, for how long, on which partition, and how many others there are."""
    held = [
        OpenTransaction("t.command-events", number, 7, NOON - timedelta(seconds=44), "flink-\x07")
        for number in (3, 5)
    ]
    frontiers = Frontiers()
    lookout = Lookout(desk, frontiers, wait=lambda _: None, held_by=lambda: held)
    report(frontiers, NOON)
    lookout.look(NOON + GRACE)
    summary = told(desk)[0].data.summary
    assert "the judges are 15.0 s behind, more than 3 s: a transaction ('flink-\\x07')" in summary
    assert "has been open for 59 s on t.command-events/3, and one on each of 1 other" in summary


def test_a_transaction_of_a_moment_ago_explains_nothing(desk: Desk) -> None:
    """Producers end them all the time; without a name there is none to say."""
    found = OpenTransaction("t.command-events", 3, 7, NOON)
    assert reason_of([found], NOON + timedelta(seconds=0.9)) is None
    said = reason_of([found], NOON + timedelta(seconds=1))
    assert said is not None
    assert said.startswith("a transaction has been open for 1 s on t.command-events/3; what comes")
