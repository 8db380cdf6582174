"""The last record of a partition is found though its last offset be none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final

import pytest
from kafka import TopicPartition
from kafka.errors import UnsupportedCodecError

from governance import kafka_tail
from governance.kafka_tail import last_records
from schemas.errors import Unavailable

TOPIC: Final = "alerts"


class Client:
    """A client of a broker with three partitions; None stands for an offset that is no record."""

    logs: dict[int, list[str | None]] = {}
    broken = False
    isolation = ""

    def __init__(self, *, isolation_level: str, **_: Any) -> None:
        self.positions: dict[TopicPartition, int] = {}
        self.looks: list[int] = []
        Client.isolation = isolation_level

    def partitions_for_topic(self, _topic: str) -> set[int]:
        """Return the partitions."""
        return set(self.logs)

    def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where each begins."""
        return dict.fromkeys(places, 0)

    def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where each ends."""
        return {place: len(self.logs[place.partition]) for place in places}

    def assign(self, places: list[TopicPartition]) -> None:
        """Read only these."""
        self.positions = dict.fromkeys(places, 0)

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Go on there."""
        self.positions[place] = offset

    def position(self, place: TopicPartition) -> int:
        """Return what is read next."""
        return self.positions[place]

    def poll(self, **_: Any) -> dict[TopicPartition, list[Any]]:
        """Return at most three offsets of each partition."""
        if self.broken:
            raise UnsupportedCodecError("Libraries for zstd compression codec not found")
        found = {}
        for place, at in self.positions.items():
            values = self.logs[place.partition][at : at + 3]
            self.positions[place] += len(values)
            records = [
                SimpleNamespace(offset=at + number, value=value)
                for number, value in enumerate(values)
                if value is not None
            ]
            if records:
                found[place] = records
        return found

    def close(self, **_: Any) -> None:
        """Let go."""


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    """Return the client that is used."""
    monkeypatch.setattr(kafka_tail, "KafkaConsumer", Client)
    monkeypatch.setattr(Client, "broken", False)
    return Client


@pytest.mark.parametrize("marks", [0, 1, 2, 7, 8, 9, 500])
@pytest.mark.parametrize("records", [1, 5, 100])
def test_the_last_record_is_found_behind_any_number_of_marks(
    client: type[Client], monkeypatch: pytest.MonkeyPatch, marks: int, records: int
) -> None:
    """Each partition on its own; one without a record has none."""
    log = [*(f"r{number}" for number in range(records)), *[None] * marks]
    monkeypatch.setattr(Client, "logs", {0: log, 1: ["only", None], 2: [None] * marks, 3: []})
    found = {place.partition: one.value for place, one in last_records("b", [TOPIC]).items()}
    assert found == {0: f"r{records - 1}", 1: "only"}
    assert client.isolation == "read_committed"


def test_a_record_that_nobody_can_unpack_is_said_with_its_topic(
    client: type[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client itself names none."""
    monkeypatch.setattr(Client, "logs", {0: ["packed"]})
    monkeypatch.setattr(Client, "broken", True)
    with pytest.raises(Unavailable, match=r"cannot read a record of alerts: .*zstd"):
        last_records("b", [TOPIC])
