"""A record that Kafka takes from nobody is set aside: it holds nothing back and is not lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kafka.errors import KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError
from typing_extensions import override

from governance import handlers
from governance.desk import Desk
from governance.outbox import OutboxRelay
from governance.store.outbox import RefusedRow
from schemas.topics import ALERTS, STATE
from tests.desks import NOON, trip


class Future:
    """What a producer answers: a record arrived, or why it did not."""

    is_done = True

    def __init__(self, error: KafkaError | None) -> None:
        self._error = error

    def get(self, timeout: float) -> None:
        """Return at once, or raise what the broker said."""
        if self._error is not None:
            raise self._error


class Producer:
    """A Kafka in memory with a limit of its own, of the client or of the broker."""

    def __init__(self) -> None:
        self.limit = 10_000
        self.at_broker = False
        self.forbidden: set[str] = set()
        self.taken: list[tuple[str, str]] = []

    def partitions_for(self, topic: str) -> set[int]:
        """Return that every topic has one partition."""
        return {0}

    def send(self, topic: str, *, key: bytes, value: bytes, **_: Any) -> Future:
        """Take a record, or refuse it here or in the answer."""
        if topic in self.forbidden:
            return Future(TopicAuthorizationFailedError("no right"))
        if len(value) > self.limit:
            error = MessageSizeTooLargeError("too large")
            if self.at_broker:
                return Future(error)
            raise error
        self.taken.append((topic.removeprefix("governance."), key.decode()))
        return Future(None)

    def close(self, timeout: float) -> None:
        """Close nothing."""


class Relay(OutboxRelay):
    """The relay on a Kafka in memory."""

    def __init__(self, desk: Desk, kafka: Producer) -> None:
        super().__init__(desk, "nowhere", is_stopping=lambda: False)
        self.kafka = kafka

    @override
    def _open(self) -> Any:
        self._producer = self.kafka
        return self.kafka

    def again(self) -> None:
        """Let the minute pass after which what was refused is tried again."""
        self._again_at = 0.0
        self.turn()


@pytest.fixture
def kafka() -> Producer:
    """Return an empty Kafka."""
    return Producer()


@pytest.fixture
def relay(desk: Desk, kafka: Producer) -> Iterator[Relay]:
    """Return a relay that has published what a new installation tells."""
    relay = Relay(desk, kafka)
    relay.turn()
    kafka.taken.clear()
    yield relay
    relay.close()


def put(desk: Desk, topic: str, key: str, size: int) -> None:
    """Put a record of *size* characters in the outbox."""
    with desk.store.writing() as unit:
        unit.outbox.put(topic, key, b"x" * size, at=NOON)


def refused(desk: Desk) -> list[RefusedRow]:
    """Return what is set aside and still to be told."""
    with desk.store.reading() as unit:
        assert unit.outbox.waiting()[0] == 0
        return unit.outbox.refused(10)


@pytest.mark.parametrize("at_broker", [False, True])
def test_a_record_that_is_too_large_holds_nothing_back(
    desk: Desk, relay: Relay, kafka: Producer, at_broker: bool
) -> None:
    """What comes behind it is published, of its own key too; health names it."""
    kafka.at_broker = at_broker
    put(desk, ALERTS.name, "*", 20_000)
    put(desk, ALERTS.name, "*", 10)
    put(desk, STATE.name, "governance", 10)
    relay.turn()

    assert kafka.taken == [("state", "governance"), ("alerts", "*")]
    (found,) = refused(desk)
    assert found.why == "alerts '*', 20000 characters: MessageSizeTooLargeError"
    (part,) = [one for one in handlers.check_database(desk).parts if one.part == "outbox"]
    assert part.detail == f"1 refused: {found.why}"


def test_it_is_sent_once_the_cause_is_mended(desk: Desk, relay: Relay, kafka: Producer) -> None:
    """Nobody need ask for it."""
    put(desk, ALERTS.name, "*", 20_000)
    relay.turn()
    relay.again()
    assert kafka.taken == []
    kafka.limit = 100_000
    relay.again()

    assert kafka.taken == [("alerts", "*")]
    assert refused(desk) == []


def test_an_older_state_never_follows_a_newer_one(
    desk: Desk, relay: Relay, kafka: Producer
) -> None:
    """Only the last record of a key counts on that topic: the older one is given up for good."""
    put(desk, STATE.name, "governance", 20_000)
    relay.turn()
    put(desk, STATE.name, "governance", 10)
    relay.turn()
    kafka.taken.clear()
    kafka.limit = 100_000
    relay.again()

    assert kafka.taken == []
    assert refused(desk) == []


def test_an_older_alert_still_arrives(desk: Desk, relay: Relay, kafka: Producer) -> None:
    """Alerts are news each, also late."""
    put(desk, ALERTS.name, "*", 20_000)
    put(desk, ALERTS.name, "*", 10)
    relay.turn()
    kafka.taken.clear()
    kafka.limit = 100_000
    relay.again()

    assert kafka.taken == [("alerts", "*")]


def test_the_state_goes_before_all_that_waits(desk: Desk, relay: Relay, kafka: Producer) -> None:
    """Thousands of alerts that nobody could be told yet do not delay the kill switch."""
    for _ in range(1_200):
        put(desk, ALERTS.name, "*", 10)
    handlers.pull_kill_switch(desk, reason="smoke", by="anna")
    relay.turn()

    assert kafka.taken[:2] == [("state", "governance"), ("state", "epoch/2")]


def test_a_topic_that_is_forbidden_holds_back_no_other(
    desk: Desk, relay: Relay, kafka: Producer
) -> None:
    """Its records wait, as the fault is not theirs; the other topics are told."""
    kafka.forbidden = {"governance.alerts"}
    for number in range(600):
        put(desk, ALERTS.name, str(number), 10)
    handlers.apply_action(desk, trip())
    with pytest.raises(TopicAuthorizationFailedError):
        relay.turn()

    assert kafka.taken == [("state", "governance"), ("state", "epoch/2")]
    with desk.store.reading() as unit:
        assert unit.outbox.waiting()[0] > 600
        assert unit.outbox.count_refused() == 0
