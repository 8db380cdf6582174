"""The reader of a topic: it says when it stands although there is something to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import UnsupportedCodecError

from governance import kafka_reader
from governance.kafka_reader import STANDS, KafkaReader
from schemas.errors import Unavailable

PLACE = TopicPartition("breaker-actions", 0)


class Client:
    """A client of a broker that holds ten records; tests say which polls get some."""

    def __init__(self, **_: Any) -> None:
        self.gets: list[int] = []
        self.read = 0

    def partitions_for_topic(self, _topic: str) -> set[int]:
        """Return the one partition."""
        return {0}

    def assign(self, _places: object) -> None:
        """Take it."""

    def assignment(self) -> set[TopicPartition]:
        """Return it."""
        return {PLACE}

    def beginning_offsets(self, _places: object) -> dict[TopicPartition, int]:
        """Return where the log begins."""
        return {PLACE: 0}

    def end_offsets(self, _places: object, **_: Any) -> dict[TopicPartition, int]:
        """Return where it ends."""
        return {PLACE: 10}

    def seek(self, _place: object, _offset: int) -> None:
        """Go there."""

    def position(self, _place: object) -> int:
        """Return how far it was read."""
        return self.read

    def poll(self, **_: Any) -> dict[TopicPartition, list[str]]:
        """Return as many records as this poll gets."""
        count = self.gets.pop(0)
        self.read += count
        return {PLACE: ["a record"] * count} if count else {}

    def close(self, **_: Any) -> None:
        """Let go."""


class Watch:
    """The machine's clock, which tests set."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Return what tests set."""
        return self.now


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Return the clock of a reader whose client is ours."""
    watch = Watch()
    monkeypatch.setattr(kafka_reader, "time", watch)
    monkeypatch.setattr(kafka_reader, "KafkaConsumer", Client)
    yield watch


def read(watch: Watch, *gets: int) -> list[int]:
    """Return how many records each poll brought, ten seconds apart."""
    reader = KafkaReader("127.0.0.1:1", PLACE.topic, client_id="t", next_offset=lambda _: None)
    reader._consumer.gets = list(gets)
    found = []
    for _ in gets:
        watch.now += 10
        found.append(len(reader.poll(100).get(0, [])))
    return found


def test_a_client_that_stands_is_given_up(watch: Watch) -> None:
    """Ten records wait and none comes: whoever reads opens the topic anew."""
    with pytest.raises(Unavailable, match="10 records of breaker-actions wait and none comes"):
        read(watch, 0, 0)
    assert watch.now - 100.0 > STANDS


def test_a_record_that_nobody_can_unpack_is_said_with_its_topic(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client itself names none."""

    def poll(*_: Any, **__: Any) -> None:
        raise UnsupportedCodecError("Libraries for zstd compression codec not found")

    monkeypatch.setattr(Client, "poll", poll)
    with pytest.raises(Unavailable, match=r"cannot read a record of breaker-actions: .*zstd"):
        read(watch, 1)


def test_a_slow_client_is_left_alone(watch: Watch) -> None:
    """As long as something comes now and then."""
    assert read(watch, 0, 1, 0, 1, 0, 1) == [0, 1, 0, 1, 0, 1]


def test_nothing_to_read_is_no_standing(watch: Watch) -> None:
    """A quiet topic is read for ever."""
    assert read(watch, 10, *[0] * 20) == [10, *[0] * 20]
