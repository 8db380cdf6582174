"""While the judges are behind, Kafka is asked which transaction they wait for; else it is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from kafka import TopicPartition
from kafka.errors import ClusterAuthorizationFailedError, UnsupportedVersionError

from governance.desk import Desk
from governance.frontier import Frontiers
from governance.kafka import transactions
from governance.kafka.transactions import OpenTransaction, TransactionWatch
from schemas.actions import Frontier
from schemas.wire import to_ms
from tests.desks import NOON, at, desk_at

EVENTS: Final = "governance.command-events"
BEGAN: Final = NOON - timedelta(seconds=20)


class Admin:
    """A Kafka on which a transaction holds partition 1 of the events at offset 7."""

    refuses: type[Exception] | None = None
    opened = 0

    def __init__(self, **_: Any) -> None:
        Admin.opened += 1

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        """Return two partitions of each topic."""
        return [
            {"name": name, "partitions": [{"partition_index": one} for one in range(2)]}
            for name in names
        ]

    def list_partition_offsets(
        self, asked: dict[TopicPartition, Any], isolation_level: object = None
    ) -> dict[TopicPartition, Any]:
        """Return where each partition ends, for readers of committed records or for all."""
        ends = {tp: SimpleNamespace(offset=9) for tp in asked}
        if isolation_level is not None:
            ends[TopicPartition(EVENTS, 1)] = SimpleNamespace(offset=7)
        return ends

    def describe_producers(self, places: list[TopicPartition]) -> dict[TopicPartition, Any]:
        """Return the producer that holds the partition, and one that does not."""
        if self.refuses:
            raise self.refuses
        producers = [
            SimpleNamespace(producer_id=producer, current_transaction_start_offset=offset)
            for producer, offset in ((40, -1), (41, 7), (42, 8))
        ]
        return {place: SimpleNamespace(active_producers=producers) for place in places}

    def list_transactions(self, producer_id_filters: list[int]) -> dict[int, list[Any]]:
        """Return the name of the one that was asked for."""
        assert producer_id_filters == [41]
        return {1: [SimpleNamespace(transactional_id="flink-3")], 2: []}

    def describe_transactions(self, names: list[str]) -> dict[str, Any]:
        """Return since when it is open."""
        began = SimpleNamespace(producer_id=41, transaction_start_time_ms=to_ms(BEGAN))
        return dict.fromkeys(names, began)

    def close(self) -> None:
        """Let go."""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Return a desk at noon, beside that Kafka."""
    monkeypatch.setattr(transactions, "KafkaAdminClient", Admin)
    monkeypatch.setattr(Admin, "refuses", None)
    monkeypatch.setattr(Admin, "opened", 0)
    desk = desk_at(f"sqlite:///{tmp_path / 'governance.db'}")
    yield desk
    desk.store.close()


def looked(desk: Desk, *moments: datetime, judged: datetime | None = NOON) -> TransactionWatch:
    """Return what looked at each of *moments* while the only judge had come to *judged*."""
    frontiers = Frontiers()
    if judged is not None:
        frontiers.note(Frontier(partition=0, partitions=1, judged_until=judged, worker="w"))
    watch = TransactionWatch(desk, frontiers, "127.0.0.1:1", wait=lambda _: None)
    for moment in moments:
        watch._desk = at(desk, moment)
        watch.turn()
    return watch


def test_a_transaction_is_found_with_its_name_and_its_beginning(desk: Desk) -> None:
    """Only what holds a partition is asked about."""
    found = looked(desk, NOON + timedelta(seconds=2)).found
    assert list(found) == [OpenTransaction(EVENTS, 1, 7, BEGAN, "flink-3")]


@pytest.mark.parametrize("error", [UnsupportedVersionError, ClusterAuthorizationFailedError])
def test_a_kafka_that_does_not_tell_leaves_place_and_first_sight(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """An older broker, or no right to ask: where it is and how long we have known still help."""
    monkeypatch.setattr(Admin, "refuses", error)
    moments = [NOON + timedelta(seconds=number) for number in (2, 3, 9)]
    found = looked(desk, *moments).found
    assert list(found) == [OpenTransaction(EVENTS, 1, 7, moments[0])]


def test_nobody_is_asked_while_all_is_well(desk: Desk) -> None:
    """And what was found is forgotten when the judges are back."""
    watch = looked(desk, *[NOON + timedelta(seconds=1)] * 3)
    assert (watch.found, Admin.opened) == ((), 0)


def test_one_connection_serves_until_it_is_let_go(desk: Desk) -> None:
    """Judges that never reported are behind as well."""
    watch = looked(desk, NOON, NOON, NOON, judged=None)
    assert (len(watch.found), Admin.opened) == (1, 1)
    watch.close()
    assert watch.found == ()
