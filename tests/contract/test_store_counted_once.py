"""Two services on one database: what the stream counted is written once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import msgspec
import pytest

from governance.leadership.process import this_holder
from governance.store import Store
from governance.store.fence import Fence
from governance.tallies import TallyConsumer
from schemas.errors import Standby
from schemas.tallies import OVERALL, Column, Cut, Cuts, Row
from schemas.wire import to_ms
from tests.desks import NOON, desk_at

SECOND: Final = to_ms(NOON) // 1_000


@dataclass(frozen=True)
class Record:
    """As much of a Kafka record as counting needs."""

    value: bytes
    offset: int


class Reader:
    """Gives what the topic holds, from where the database says."""

    pulse = None

    def __init__(self, *_: object, next_offset: object, **__: object) -> None:
        assert callable(next_offset)
        self._next: int = next_offset(0) or 0

    def poll(self, most: int) -> dict[int, list[Record]]:
        """Return what nobody has read yet."""
        found = LOG[self._next : self._next + most]
        self._next += len(found)
        return {0: found} if found else {}

    def close(self) -> None:
        """Nothing is held."""


def record(number: int) -> Record:
    """Return a message that says: one command succeeded."""
    row = Row(OVERALL, [(SECOND + number, [(Column.SUCCEEDED, 1)])], [])
    cut = Cut(number * 100, number * 100 + 100, 0, [row], 1)
    return Record(msgspec.msgpack.encode(Cuts(0, [cut])), number)


LOG: Final = [record(number) for number in range(10)]


@pytest.fixture
def twins(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[TallyConsumer, TallyConsumer]]:
    """Return the consumers of two services that write with every turn; none is active yet."""
    monkeypatch.setattr("governance.tallies.KafkaReader", Reader)
    monkeypatch.setattr("governance.tallies.FLUSH", -1.0)
    desk = desk_at(database_url)
    one, other = replace(desk, store=Store(database_url)), desk
    for each in (one, other):
        each.store.fence = Fence(this_holder(each.settings, NOON))
    yield TallyConsumer(one, "kafka:9092"), TallyConsumer(other, "kafka:9092")
    one.store.close()
    other.store.close()


def take_over(twin: TallyConsumer) -> None:
    """Make the service of *twin* the active one."""
    store = twin._desk.store
    assert store.fence is not None
    with store.leading(waits=True) as unit:
        taken = unit.lease.take(store.fence.holder)
    store.fence.hold(taken)


def succeeded(twin: TallyConsumer) -> int:
    """Return how many commands the database and *twin* count."""
    return twin.counts(NOON, NOON + timedelta(minutes=1))[Column.SUCCEEDED]


def test_what_two_services_read_is_counted_once(
    twins: tuple[TallyConsumer, TallyConsumer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one had read when the other took over is not written by both, nor shown by both."""
    one, other = twins
    take_over(other)
    monkeypatch.setattr("governance.tallies.BATCH", 4)
    monkeypatch.setattr("governance.tallies.FLUSH", 60.0)
    other.turn()  # read, not yet written
    assert succeeded(other) == 4
    monkeypatch.setattr("governance.tallies.FLUSH", -1.0)
    take_over(one)
    one.turn()
    with pytest.raises(Standby):
        other.turn()
    other.forget()
    assert succeeded(other) == succeeded(one) == 4

    monkeypatch.setattr("governance.tallies.BATCH", 100)
    take_over(other)
    other.turn()
    assert succeeded(other) == len(LOG)
    with pytest.raises(Standby):
        one.turn()
    one.forget()
    assert succeeded(one) == len(LOG)
