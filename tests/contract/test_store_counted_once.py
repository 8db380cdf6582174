"""Two services by mistake on one database: what the stream counted is written once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec
import pytest

from governance.desk import Desk
from governance.tallies import TallyConsumer
from schemas.errors import Unavailable
from schemas.tallies import OVERALL, Column, Cut, Cuts, Row
from schemas.wire import to_ms
from tests.desks import NOON

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
def twins(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> tuple[TallyConsumer, TallyConsumer]:
    """Return the consumers of two services that write with every turn."""
    monkeypatch.setattr("governance.tallies.KafkaReader", Reader)
    monkeypatch.setattr("governance.tallies.FLUSH", -1.0)
    return TallyConsumer(desk, "kafka:9092"), TallyConsumer(desk, "kafka:9092")


def succeeded(twin: TallyConsumer) -> int:
    """Return how many commands the database and *twin* count."""
    return twin.counts(NOON, NOON + timedelta(minutes=1))[Column.SUCCEEDED]


def test_what_two_services_read_is_counted_once(
    twins: tuple[TallyConsumer, TallyConsumer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever finds the other's batch in the database says so, and goes on from there."""
    one, other = twins
    monkeypatch.setattr("governance.tallies.BATCH", 4)
    monkeypatch.setattr("governance.tallies.FLUSH", 60.0)
    other.turn()  # read, not yet written
    monkeypatch.setattr("governance.tallies.FLUSH", -1.0)
    one.turn()
    with pytest.raises(Unavailable, match="another service"):
        other.turn()
    other.close()
    assert succeeded(other) == 4

    monkeypatch.setattr("governance.tallies.BATCH", 100)
    other.turn()
    assert succeeded(other) == len(LOG)
    with pytest.raises(Unavailable, match="another service"):
        one.turn()
    one.close()
    assert succeeded(one) == len(LOG)
