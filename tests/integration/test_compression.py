"""Records that brokers or producers have packed, in each way that Kafka knows.

Every reader of ours unpacks every one: workers and their recovery with aiokafka, the state
service, the dead-letter tools and everything else with kafka-python.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import Producer
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from cli.letterbox import Letterbox
from governance import told
from governance.kafka_reader import KafkaReader
from governance.kafka_tail import last_records
from schemas.settings import Settings
from schemas.topics import BREAKER_ACTIONS, DEAD_LETTERS, RULES, TALLIES, TOPICS
from tests.integration.stage import Stage, now
from tests.integration.topics import configure
from tests.unit.streams.facts import command

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

CODECS: Final = ("gzip", "snappy", "lz4", "zstd")


@pytest.fixture
def stage(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    """Return topics of our own."""
    with Stage(kafka, topic_prefix, tmp_path) as stage:
        yield stage


def settings_of(stage: Stage) -> Settings:
    """Return the settings of *stage*."""
    return Settings(_env_file=None, topic_prefix=stage.prefix, kafka_bootstrap_servers=stage.kafka)


def test_topics_are_kept_as_they_were_sent(stage: Stage) -> None:
    """Brokers whose default is to pack anew leave ours alone."""
    names = [f"{stage.prefix}{topic.name}" for topic in TOPICS]
    admin: Any = KafkaAdminClient(bootstrap_servers=stage.kafka)
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found = admin.describe_configs(asked, config_filter="all")["topic"]
    admin.close()
    assert {found[name]["compression.type"]["value"] for name in names} == {"producer"}


@pytest.mark.parametrize("codec", CODECS)
def test_every_reader_unpacks_what_brokers_packed(stage: Stage, codec: str) -> None:
    """All topics are packed: a worker counts, trips, recovers, and the others read its work."""
    for topic in TOPICS:
        configure(stage.kafka, f"{stage.prefix}{topic.name}", {"compression.type": codec})
    stage.change()
    with stage.worker() as worker:
        stage.wait_judged(worker)
        stage.fail(*(f"f{n}" for n in range(4)))
        stage.send(b"rubbish" * 100)
        stage.wait_judged(worker)
    with stage.worker() as worker:
        stage.fail("f4")
        stage.wait(lambda: len(stage.actions) == 1, worker)
        assert worker.lives == 1
    assert stage.counted() == {"FAILED": 5}
    settings = settings_of(stage)
    assert [one.version for one in told.newest_rules(settings, stage.kafka).values()] == [1]
    assert [one.reason for one in Letterbox(settings, stage.kafka).letters()] == ["not_json"]
    for topic in (BREAKER_ACTIONS, TALLIES):
        reader = KafkaReader(
            stage.kafka, f"{stage.prefix}{topic.name}", client_id="t", next_offset=lambda _: None
        )
        assert any(reader.poll(100) for _ in range(20))
        reader.close()


@pytest.mark.parametrize("codec", CODECS)
def test_every_reader_unpacks_what_librdkafka_packed(stage: Stage, codec: str) -> None:
    """Other libraries frame the same codec in their own way."""
    producer = Producer(
        {"bootstrap.servers": stage.kafka, "compression.type": codec, "linger.ms": 50}
    )
    rules, letters, events = (
        f"{stage.prefix}{name}" for name in (RULES.name, DEAD_LETTERS.name, "command-events")
    )
    values = [command(f"e{number}", at=now()) for number in range(500)]
    with stage.worker() as worker:
        stage.wait_judged(worker)
        for value in values:
            producer.produce(events, value, b"k", 0)
            producer.produce(letters, value, b"k", 0)
            producer.produce(rules, value, b"k", 0)
        assert producer.flush(60) == 0
        stage.wait_judged(worker)
        stage.wait_judged(worker)
        assert worker.lives == 1
    assert stage.counted() == {"SUCCEEDED": 500}
    assert [one.value for one in Letterbox(settings_of(stage), stage.kafka).letters()] == values
    assert [one.value for one in last_records(stage.kafka, [rules]).values()] == values[-1:]
