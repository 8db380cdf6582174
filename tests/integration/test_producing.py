"""Events from a file and dead letters, sent by the command to a real Kafka."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from embedded.provision import provision
from examples import producer
from schemas.settings import Settings
from schemas.wire import iso
from streams.codec import decode

pytestmark = pytest.mark.integration

COMMAND = Path(sys.executable).with_name("governance")
EXAMPLE = Path(producer.__file__)
Run = Callable[..., str]


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> Settings:
    """Return an installation of its own, with its topics."""
    found = Settings(
        kafka_bootstrap_servers=kafka,
        topic_prefix=topic_prefix,
        worker_group=topic_prefix.strip("."),
        event_partitions=2,
    )
    provision(found, kafka)
    return found


@pytest.fixture
def run(settings: Settings, tmp_path: Path) -> Run:
    """Return what runs the command and returns what it says."""
    variables = {
        "KAFKA_BOOTSTRAP_SERVERS": str(settings.kafka_bootstrap_servers),
        "GOVERNANCE_TOPIC_PREFIX": settings.topic_prefix,
        "GOVERNANCE_WORKER_GROUP": settings.worker_group,
        "GOVERNANCE_EVENT_PARTITIONS": "2",
    }

    def ran(*arguments: str, given: str = "") -> str:
        return subprocess.run(
            [COMMAND, *arguments],
            cwd=tmp_path,
            input=given,
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=120,
        ).stdout

    return ran


def event(number: int, happened: datetime, **fields: object) -> str:
    """Return one event as a line."""
    said = {
        "id": f"e-{number}",
        "kind": "command",
        "occurredAt": iso(happened),
        "commandId": f"c-{number}",
        "commandType": "SET_FAN",
        "status": "succeeded",
    }
    return json.dumps(said | fields)


def test_a_file_is_sent_under_the_keys_of_the_contract(settings: Settings, run: Run) -> None:
    """Every line arrives once, moved to the present, keyed by its command type."""
    old = datetime(2020, 1, 1, tzinfo=UTC)
    lines = [event(number, old, commandType=f"T{number % 3}") for number in range(30)]

    said = run("produce", "-", "--now", given="\n".join(lines))

    assert said == f"sent 30 records to {settings.topic('command-events')}\n"
    arrived = read(settings, "command-events")
    assert {json.loads(value)["id"] for _, value in arrived} == {f"e-{n}" for n in range(30)}
    assert all(key == json.loads(value)["commandType"].encode() for key, value in arrived)
    newest = max(json.loads(value)["occurredAt"] for _, value in arrived)
    assert datetime.now(UTC) - datetime.fromisoformat(newest) < timedelta(minutes=1)


def test_unchecked_lines_arrive_as_they_are(settings: Settings, run: Run) -> None:
    """Whoever wants to see how poison is treated can send some."""
    run("produce", "-", "--unchecked", given='{"commandType": "T"\n\n[1]\n')
    assert {value for _, value in read(settings, "command-events")} == {
        b'{"commandType": "T"',
        b"[1]",
    }


def test_dead_letters_are_sent_again_once_as_they_were(settings: Settings, run: Run) -> None:
    """Raw bytes under the original key; late ones stay; a second replay sends nothing."""
    soon = datetime.now(UTC) + timedelta(minutes=10)
    bad = event(1, soon, status="vanished").encode()
    bury(settings, [("unknown_status", b"SET_FAN", bad), ("not_json", None, b"\xff{")])
    bury(settings, [("late", b"SET_FAN", event(2, soon - timedelta(days=1)).encode())])

    listed = json.loads(run("dlq", "list", "--json"))
    assert {letter["reason"] for letter in listed} == {"unknown_status", "not_json", "late"}
    assert "late: 1" in run("dlq", "list")
    assert run("dlq", "replay", "--dry-run").startswith("would send 2 ")
    assert run("dlq", "replay").startswith("sent 2 ")
    assert run("dlq", "replay").startswith("sent 0 ")
    assert set(read(settings, "command-events")) == {(b"SET_FAN", bad), (None, b"\xff{")}

    assert run("dlq", "replay", "--reason", "late").startswith("sent 1 ")
    assert run("dlq", "replay", "--reason", "not_json", "--again").startswith("sent 1 ")
    assert len(read(settings, "command-events")) == 4


def test_topics_are_made_once_and_checked_ever_after(settings: Settings, run: Run) -> None:
    """The command says what it created, and how wide everything is."""
    rows = {row["name"]: row for row in json.loads(run("topics", "--json"))}

    assert rows[settings.topic("command-events")] == {
        "name": settings.topic("command-events"),
        "partitions": 2,
        "created": False,
    }
    assert rows[settings.topic("tally-changelog")]["partitions"] == 2
    assert len(rows) == 9


def test_the_example_producer_sends_what_counts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What people copy is short, keyed as the contract asks, and decodes without complaint."""
    assert len(EXAMPLE.read_text().splitlines()) <= 60
    monkeypatch.setattr(producer, "TOPIC", settings.topic("command-events"))
    connected = producer.connect(str(settings.kafka_bootstrap_servers))
    command = {"commandId": "c-1", "commandType": "SET_FAN"}
    ids = [producer.report(connected, command, status) for status in ("proposed", "failed")]
    connected.close()

    arrived = read(settings, "command-events")
    assert [decode(value).id for _, value in arrived] == ids
    assert {key for key, _ in arrived} == {b"SET_FAN"}


def bury(settings: Settings, letters: list[tuple[str, bytes | None, bytes]]) -> None:
    """Write dead letters as a worker does."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all")
    for number, (reason, key, value) in enumerate(letters):
        headers = {
            "topic": settings.topic("command-events"),
            "partition": "0",
            "offset": f"{len(reason)}{number}",
            "reason": reason,
            "detail": "because",
            "receivedAt": iso(datetime.now(UTC)),
        }
        producer.send(
            settings.topic("dead-letters"),
            key=key,
            value=value,
            headers=[(name, text.encode()) for name, text in headers.items()],
        ).get(timeout=60)
    producer.close()


def read(settings: Settings, topic: str) -> list[tuple[bytes | None, bytes]]:
    """Return every record of a topic."""
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=None,
        auto_offset_reset="earliest",
    )
    name = settings.topic(topic)
    places = [TopicPartition(name, number) for number in consumer.partitions_for_topic(name)]
    consumer.assign(places)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(places)
    found: list[tuple[bytes | None, bytes]] = []
    while any(consumer.position(place) < ends[place] for place in places):
        for records in consumer.poll(timeout_ms=500).values():
            found += [(record.key, record.value) for record in records]
    consumer.close()
    return found
