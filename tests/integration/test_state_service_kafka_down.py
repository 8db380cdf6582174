"""Kafka dies under the state service and comes back: nothing is lost, and the order is kept."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from embedded import topics
from embedded.kafka import KafkaCluster
from governance import handlers
from governance.health import Health
from governance.service import StateService
from schemas.topics import ALERTS, BREAKER_ACTIONS, RULES, STATE, TALLIES
from tests.desks import NOON, alert, settings_for, trip
from tests.served import served

pytestmark = pytest.mark.integration

PATIENCE = 90.0
"""Seconds to wait for what takes a few on an idle machine."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KafkaCluster]:
    """Return a Kafka that may be killed."""
    with KafkaCluster(tmp_path / "kafka", port=0) as cluster:
        used = (ALERTS, BREAKER_ACTIONS, RULES, STATE, TALLIES)
        topics.ensure(cluster.bootstrap_servers, prefix="", topics=used)
        yield cluster


@pytest.fixture
def service(cluster: KafkaCluster, tmp_path: Path) -> Iterator[StateService]:
    """Return a service that runs on it."""
    settings = settings_for(
        kafka_bootstrap_servers=cluster.bootstrap_servers,
        topic_prefix="",
        db_path=tmp_path / "governance.db",
        database_url=None,
    )
    service = StateService(settings)
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


def numbers(servers: str) -> dict[TopicPartition, list[int]]:
    """Return the outbox numbers on each partition of what the service publishes."""
    consumer: Any = KafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    places = [
        TopicPartition(topic.name, number)
        for topic in (ALERTS, RULES, STATE)
        for number in range(topic.partitions)
    ]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    found: dict[TopicPartition, list[int]] = {place: [] for place in places}
    while any(consumer.position(place) < ends[place] for place in places):
        for place, records in consumer.poll(timeout_ms=500).items():
            found[place] += [int(dict(record.headers)["outboxSeq"]) for record in records]
    consumer.close()
    return found


def test_a_broker_that_dies_and_returns_loses_nothing(
    cluster: KafkaCluster, service: StateService
) -> None:
    """What happened meanwhile is published once, in order; actions are applied again."""
    servers = cluster.bootstrap_servers
    handlers.apply_actions(service.desk, [alert(f"A{n}") for n in range(50)])
    cluster.nodes[0].kill()
    for n in range(200):
        moment = NOON + timedelta(hours=n)
        handlers.apply_action(service.desk, alert(f"B{n}", decided_at=moment))
    eventually(lambda: service.health()["kafka"].status is Health.UNHEALTHY)
    assert waiting(service) >= 200
    cluster.nodes[0].start()
    cluster.wait()
    eventually(lambda: waiting(service) == 0)
    counted = Counter(number for found in numbers(servers).values() for number in found)
    assert sorted(counted) == list(range(1, len(counted) + 1))
    assert all(found == sorted(found) for found in numbers(servers).values())
    producer: Any = KafkaProducer(bootstrap_servers=servers)
    producer.send(BREAKER_ACTIONS.name, trip("C").to_bytes(), key=b"*").get(timeout=60)
    producer.close()
    eventually(lambda: service.consumer.counted.applied == 1)


def test_the_kill_switch_is_there_after_a_start_without_kafka(tmp_path: Path) -> None:
    """`governance api` does not wait for topics that workers make too: it serves, and says so."""
    with served(tmp_path, run=("-m", "cli", "api")) as api, api.client() as client:
        pulled = client.post("/api/kill-switch", json={"reason": "a precaution"})
        health = client.get("/health").json()

    assert pulled.json()["success"] is True
    assert health["status"] == "unhealthy"
    [line] = (tmp_path / "stderr.txt").read_text().splitlines()[:1]
    assert line.startswith("governance: Kafka: cannot create topics")
    assert line.endswith("serving without it until it answers")
