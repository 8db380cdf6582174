"""A relay that slept through a take-over: nothing more leaves it, and the state is told again."""

from __future__ import annotations

from typing import Any

import pytest
from kafka import TopicPartition

from governance import handlers
from governance.desk import Desk
from governance.leadership.lease import Lease
from governance.leadership.process import this_holder
from governance.outbox import OutboxRelay
from governance.store.fence import Fence
from schemas.errors import Standby
from schemas.governance import Phase
from tests.desks import NOON


class Delivered:
    """What Kafka says of a record that it has."""

    is_done = True

    def get(self, timeout: float) -> None:
        """Return at once."""


class Sender:
    """The thread of a producer."""

    def __init__(self) -> None:
        self.is_ended = False

    def force_close(self) -> None:
        """End without delivering."""
        self.is_ended = True


class Producer:
    """A producer whose records arrive at once; each calls *arriving*, as a sleep would."""

    def __init__(self, arriving: Any) -> None:
        self._sender = Sender()
        self._arriving = arriving
        self.keys: list[bytes] = []

    def partitions_for(self, _: str) -> set[int]:
        """Return the one partition of every topic."""
        return {0}

    def send(self, *_: object, key: bytes, **__: object) -> Delivered:
        """Take a record."""
        self.keys.append(key)
        self._arriving()
        return Delivered()

    def close(self, timeout: float) -> None:
        """End."""
        assert self._sender.is_ended, "it would deliver for as long as it is given"


@pytest.fixture
def relay(desk: Desk) -> OutboxRelay:
    """Return the relay of the active service."""
    fence = Fence(this_holder(desk.settings, NOON))
    desk.store.fence = fence
    take_over(desk)
    return OutboxRelay(desk, "kafka:9092", is_stopping=lambda: False)


def take_over(desk: Desk) -> Lease:
    """Make the service of *desk* the active one, under the next number."""
    assert desk.store.fence is not None
    with desk.store.leading(waits=True) as unit:
        taken = unit.lease.take(desk.store.fence.holder)
    desk.store.fence.hold(taken)
    return taken


def another_takes_over(desk: Desk) -> None:
    """Let another service take over, unseen by this one."""
    assert desk.store.fence is not None
    other = desk.store.fence.holder.model_copy(update={"instance": "another"})
    with desk.store.leading(waits=True) as unit:
        unit.lease.take(other)


def waiting(desk: Desk) -> list[tuple[str, str, str]]:
    """Return what Kafka is still to be told."""
    with desk.store.reading() as unit:
        return [(row.topic, row.key, row.value) for row in unit.outbox.unpublished(1_000)]


def test_nothing_is_sent_after_a_take_over(desk: Desk, relay: OutboxRelay) -> None:
    """The rows are read together with the lease."""
    another_takes_over(desk)
    producer = Producer(lambda: None)
    relay._producer = producer
    with pytest.raises(Standby):
        relay.turn()
    relay.abandon()
    assert not producer.keys
    assert producer._sender.is_ended


def test_what_was_on_its_way_is_followed_by_the_newest_state(
    desk: Desk, relay: OutboxRelay
) -> None:
    """The other one lowered autonomy meanwhile; the last word on `governance` is its word."""

    def sleep() -> None:
        if len(producer.keys) == 1:
            another_takes_over(desk)
            handlers.roll_back(desk, Phase.L3, reason="meanwhile", by="anna")

    producer = Producer(sleep)
    relay._producer, relay._tails = producer, {}
    relay._published = {TopicPartition(f"governance.{t}", 0): 0 for t in ("rules", "state")}
    before = waiting(desk)
    with pytest.raises(Standby):
        relay.turn()
    assert len(producer.keys) == len(before)
    newest = [row for row in waiting(desk) if row[:2] == ("state", "governance")][-1]
    relay.abandon()
    assert waiting(desk)[-1] == newest
    assert '"autonomyEpoch":2' in newest[2]
    count = len(waiting(desk))
    relay.abandon()
    assert len(waiting(desk)) == count, "once is enough"
