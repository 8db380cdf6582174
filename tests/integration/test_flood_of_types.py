"""Producers that make up command types, on a real Kafka: what matters is watched all the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from sqlalchemy import insert

from embedded import topics
from governance import handlers
from governance.health import Health
from governance.service import StateService
from governance.store.tables import metrics_snapshots
from schemas.actions import DECISION, Frontier
from schemas.governance import STATE_TOPIC, ProtectionRecord, StateRecord
from schemas.topics import ALERTS, BREAKER_ACTIONS, RULES, STATE, TALLIES
from schemas.wire import iso
from tests.desks import NOON, settings_for
from tests.integration.stage import PATIENCE, Stage, now
from tests.integration.topics import read_topic
from tests.unit.streams.facts import command

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

LIMIT: Final = 20
MADE_UP: Final = 2_000
"""Types of a flood, a hundred for each that a tally tells apart: as 100,000 are to a thousand."""

TOLD_WITHIN: Final = 2.0
"""Seconds in which Kafka hears of the kill switch."""


@pytest.fixture
def stage(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    """Return topics of our own, for workers that tell few types apart."""
    with Stage(kafka, topic_prefix, tmp_path) as stage:
        stage.settings["GOVERNANCE_SCOPE_LIMIT"] = str(LIMIT)
        yield stage


def tell(stage: Stage, record: ProtectionRecord) -> None:
    """Publish a version of the protected command types."""
    topic = f"{stage.prefix}{STATE.name}"
    sent = stage._producer.send(topic, record.to_bytes(), key=record.key.encode())
    sent.get(timeout=PATIENCE)


def flood(stage: Stage, partition: int, *, wave: str) -> None:
    """Send as many types as there are names, each once."""
    names = (f"{wave}-{partition}-{number}" for number in range(MADE_UP))
    stage.send(*(command(one, at=now(), commandType=one) for one in names), partition=partition)


def overflows(stage: Stage) -> Iterator[int]:
    """Yield how many values had no scope of their own, each time that a worker said so."""
    for records in read_topic(stage.kafka, f"{stage.prefix}{BREAKER_ACTIONS.name}").values():
        for record in records:
            said = DECISION.validate_json(record.value)
            if isinstance(said, Frontier):
                yield said.overflowed


def test_the_types_that_matter_are_paused_in_a_flood(stage: Stage) -> None:
    """In every partition, before and after a crash, each by its name; the rest is said aloud."""
    tell(stage, ProtectionRecord(version=1, command_types=["FAN", "DRUM"], effective_from=0))
    stage.change(condition="commandType.failures >= 3")
    tripped: dict[str, int] = {}

    def are_paused(*kinds: str) -> bool:
        tripped.update({action.scope: 1 for action in stage.actions.values()})
        return set(kinds) <= tripped.keys()

    with stage.worker("w0") as worker:
        stage.wait_judged(worker)
        for partition in range(2):
            flood(stage, partition, wave="one")
        stage.fail("f1", "f2", "f3", kind="FAN", partition=0)
        stage.wait(lambda: are_paused("FAN"), worker)
        worker.kill()
    with stage.worker("w0") as worker:
        flood(stage, 1, wave="two")
        stage.fail("d1", "d2", "d3", kind="DRUM", partition=1)
        stage.fail("n1", "n2", "n3", kind="NOBODYS", partition=1)
        stage.wait(lambda: are_paused("DRUM", "__other__"), worker)
        stage.wait(lambda: max(overflows(stage)) >= MADE_UP, worker)
    assert set(tripped) == {"FAN", "DRUM", "__other__"}


@pytest.fixture(params=["sqlite", "postgresql"])
def service(
    request: pytest.FixtureRequest, kafka: str, topic_prefix: str, tmp_path: Path
) -> Iterator[StateService]:
    """Return a service on each database in turn, that has told what it begins with."""
    is_file = request.param == "sqlite"
    url = None if is_file else request.getfixturevalue("postgres_url")
    used = (ALERTS, BREAKER_ACTIONS, RULES, STATE, TALLIES)
    topics.ensure(kafka, prefix=topic_prefix, topics=used)
    service = StateService(
        settings_for(
            kafka_bootstrap_servers=kafka,
            topic_prefix=topic_prefix,
            db_path=tmp_path / "governance.db",
            database_url=url,
        )
    )
    service.start()
    eventually(lambda: waiting(service) == 0)
    yield service
    service.stop()


def eventually(done: Callable[[], bool]) -> None:
    """Wait until *done*."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def waiting(service: StateService) -> int:
    """Return how many records wait in the outbox."""
    with service.store.reading() as unit:
        return unit.outbox.waiting()[0]


def limit(service: StateService, topic: str, size: int) -> None:
    """Let the broker take records of at most *size* bytes on *topic*."""
    admin: Any = KafkaAdminClient(bootstrap_servers=service.settings.kafka_bootstrap_servers)
    wanted = {"max.message.bytes": str(size)}
    name = service.settings.topic(topic)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, wanted)])
    admin.close()


def states(service: StateService) -> Iterator[StateRecord]:
    """Yield the states that Kafka is told, from now on."""
    consumer: Any = KafkaConsumer(
        bootstrap_servers=service.settings.kafka_bootstrap_servers, enable_auto_commit=False
    )
    place = TopicPartition(service.settings.topic(STATE.name), 0)
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    for record in consumer:
        found = STATE_TOPIC.validate_json(record.value)
        if isinstance(found, StateRecord):
            yield found


def test_kafka_hears_of_the_kill_switch_at_once(service: StateService) -> None:
    """A hundred thousand long names were seen and a thousand alerts wait: it goes first."""
    rows = [
        {"timestamp": iso(NOON), "scope": f"commandType={number:06d}{'x' * 239}"}
        for number in range(100_000)
    ]
    told = states(service)
    assert not next(told).all_paused
    with service.store.writing() as unit:
        unit.autonomy._connection.execute(insert(metrics_snapshots), rows)
        for number in range(1_000):
            unit.outbox.put(ALERTS.name, str(number), b"{}", at=NOON)
    begun = time.monotonic()
    handlers.pull_kill_switch(service.desk, reason="smoke", by="anna")
    assert next(one for one in told if one.all_paused).autonomy_epoch == 2
    assert time.monotonic() - begun < TOLD_WITHIN


def test_what_the_broker_refuses_waits_aside_until_it_does_not(service: StateService) -> None:
    """Everything else is told, health says what to do, and mending the limit is enough."""
    limit(service, ALERTS.name, 2_000)
    with service.store.writing() as unit:
        unit.outbox.put(ALERTS.name, "*", b"x" * 50_000, at=NOON)
        unit.outbox.put(ALERTS.name, "*", b"{}", at=NOON)
    handlers.pull_kill_switch(service.desk, reason="smoke", by="anna")
    eventually(lambda: waiting(service) == 0)
    check = service.health()["outbox"]
    assert check.status is Health.UNHEALTHY
    assert "alerts '*', 50000 characters" in str(check.message)
    assert "max.message.bytes" in str(check.message)

    limit(service, ALERTS.name, 1_048_588)
    service.relay._again_at = 0.0
    service.relay.wake()
    eventually(lambda: service.health()["outbox"].status is Health.HEALTHY)
    producer: Any = KafkaProducer(bootstrap_servers=service.settings.kafka_bootstrap_servers)
    places = producer.partitions_for(service.settings.topic(ALERTS.name))
    producer.close()
    consumer: Any = KafkaConsumer(
        bootstrap_servers=service.settings.kafka_bootstrap_servers, enable_auto_commit=False
    )
    consumer.assign([TopicPartition(service.settings.topic(ALERTS.name), one) for one in places])
    consumer.seek_to_beginning()
    sizes = (len(record.value) for record in consumer)
    assert next(size for size in sizes if size == 50_000)
    consumer.close()
