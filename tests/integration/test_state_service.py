"""The state service on a real Kafka: what comes in, what goes out, and what it says of itself."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from embedded import topics
from governance import handlers
from governance.health import Health
from governance.service import StateService
from schemas.actions import Frontier
from schemas.alerts import Alert, AlertType
from schemas.errors import BadSetting
from schemas.governance import STATE_TOPIC, StateRecord
from schemas.rules import RuleVersion
from schemas.settings import Settings
from schemas.tallies import Column, Cut, Cuts, Row
from schemas.topics import ALERTS, BREAKER_ACTIONS, RULES, STATE, TALLIES
from schemas.wire import Wire, to_ms
from tests.database_holder import held
from tests.desks import revert, settings_for, trip

pytestmark = pytest.mark.integration

PATIENCE = 60.0
"""Seconds to wait for what takes a moment on an idle machine."""


@pytest.fixture
def settings(kafka: str, topic_prefix: str, tmp_path: Path) -> Settings:
    """Return settings over topics that are there and a database that is not yet."""
    used = (ALERTS, BREAKER_ACTIONS, RULES, STATE, TALLIES)
    topics.ensure(kafka, prefix=topic_prefix, topics=used)
    return settings_for(
        kafka_bootstrap_servers=kafka,
        topic_prefix=topic_prefix,
        db_path=tmp_path / "governance.db",
        database_url=None,
    )


@pytest.fixture
def service(settings: Settings) -> Iterator[StateService]:
    """Return a running service."""
    service = StateService(settings)
    service.start()
    yield service
    service.stop()


@pytest.fixture
def producer(kafka: str) -> Iterator[Any]:
    """Return a plain producer."""
    producer = KafkaProducer(bootstrap_servers=kafka)
    yield producer
    producer.close()


def publish(producer: Any, settings: Settings, *records: Wire | bytes) -> None:
    """Append *records* to breaker-actions."""
    for record in records:
        value = record if isinstance(record, bytes) else record.to_bytes()
        producer.send(settings.topic(BREAKER_ACTIONS.name), value, key=b"*")
    producer.flush()


def eventually(done: Callable[[], bool]) -> None:
    """Wait until *done*."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def read(settings: Settings, topic: str, partitions: int = 1) -> list[bytes]:
    """Return the values on a topic as far as it goes now."""
    return [record.value for record in records_of(settings, topic, partitions)]


def records_of(settings: Settings, topic: str, partitions: int = 1) -> list[Any]:
    """Return the records on a topic as far as it goes now."""
    consumer: Any = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
    places = [TopicPartition(settings.topic(topic), number) for number in range(partitions)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    ends, found = consumer.end_offsets(places), []
    while any(consumer.position(place) < ends[place] for place in places):
        for records in consumer.poll(timeout_ms=500).values():
            found += records
    consumer.close()
    return found


def is_published(service: StateService) -> bool:
    """Whether the outbox is empty."""
    with service.store.reading() as unit:
        return unit.outbox.waiting()[0] == 0


def cuts(upto: int, number: int, *, frm: int | None = None) -> bytes:
    """Return a message with one cut that adds successes overall."""
    first = upto - 100 if frm is None else frm
    rows = [Row("*", [(upto // 1000, [(Column.SUCCEEDED, number)])], [])]
    return msgspec.msgpack.encode(Cuts(0, [Cut(first, upto, 1, rows)]))


def test_a_trip_on_kafka_becomes_state_on_kafka(
    service: StateService, settings: Settings, producer: Any
) -> None:
    """An action comes in; the rules, the new state and the alerts go out."""
    publish(producer, settings, revert())
    eventually(lambda: service.consumer.counted.applied == 1 and is_published(service))
    assert handlers.show_state(service.desk).autonomy_epoch == 2
    rules = [RuleVersion.model_validate_json(value) for value in read(settings, RULES.name)]
    assert len(rules) == 4
    states = [STATE_TOPIC.validate_json(value) for value in read(settings, STATE.name)]
    epochs = [record.autonomy_epoch for record in states if isinstance(record, StateRecord)]
    assert epochs == [1, 1, 2, 2]
    alerts = [Alert.model_validate_json(value) for value in read(settings, ALERTS.name, 3)]
    assert [alert.type for alert in alerts] == [AlertType.BREAKER_TRIPPED]


def test_an_alert_is_what_readers_of_cloudevents_expect(
    service: StateService, settings: Settings, producer: Any
) -> None:
    """The header says that the whole event is in the value, as the Kafka binding demands."""
    publish(producer, settings, revert())
    eventually(lambda: service.consumer.counted.applied == 1 and is_published(service))
    [record] = records_of(settings, ALERTS.name, 3)
    event = from_kafka_event(KafkaMessage(dict(record.headers), record.key, record.value))
    assert event.get_type() == AlertType.BREAKER_TRIPPED
    assert event.get_id() == Alert.model_validate_json(record.value).id


def test_a_restart_goes_on_where_the_database_says(settings: Settings, producer: Any) -> None:
    """What was applied is not read again, what came meanwhile is not missed."""
    first = StateService(settings)
    first.start()
    publish(producer, settings, trip("A"))
    eventually(lambda: first.consumer.counted.applied == 1)
    first.stop()
    publish(producer, settings, trip("B"))
    second = StateService(settings)
    second.start()
    eventually(lambda: second.consumer.counted.applied == 1)
    assert second.consumer.counted.repeated == 0
    assert handlers.show_state(second.desk).paused_command_types == ["A", "B"]
    second.stop()


def test_a_lost_offset_changes_nothing(settings: Settings, producer: Any) -> None:
    """Reading the whole log again applies nothing twice."""
    publish(producer, settings, trip("A"), trip("B"))
    for applied in (2, 0):
        service = StateService(settings)
        service.start()
        eventually(lambda: sum(_counted(service)) == 2)  # noqa: B023 - called in this round only
        assert service.consumer.counted.applied == applied
        service.stop()
        with closing(sqlite3.connect(settings.db_path)) as direct:
            direct.execute("DELETE FROM consumer_offsets")
            direct.commit()


def _counted(service: StateService) -> tuple[int, int]:
    """Return the actions applied and repeated."""
    return service.consumer.counted.applied, service.consumer.counted.repeated


def test_what_nobody_can_read_is_passed_over_and_said(
    service: StateService, settings: Settings, producer: Any
) -> None:
    """Poison on breaker-actions stops nothing, and health does not keep quiet about it."""
    now = Frontier(partition=0, partitions=1, judged_until=datetime.now(UTC), worker="w")
    publish(producer, settings, b"\xff{", b"", trip(), b'{"kind":"action"}', now)
    eventually(lambda: service.frontier_age() is not None)
    assert service.consumer.counted.applied == 1
    assert service.consumer.malformed.count == 3
    stream = service.health()["stream"]
    assert stream.status is not Health.HEALTHY
    if stream.status is Health.DEGRADED:
        assert "3 unreadable records" in str(stream.message)


def test_health_follows_the_judges(
    service: StateService, settings: Settings, producer: Any
) -> None:
    """No report is unhealthy, a fresh one healthy; database and Kafka show how fast they are."""
    assert "no judge has reported" in str(service.health()["stream"].message)

    def found_healthy() -> bool:
        now = datetime.now(UTC)
        frontier = Frontier(partition=0, partitions=1, judged_until=now, worker="w")
        publish(producer, settings, frontier)
        return {check.status for check in service.health().values()} == {Health.HEALTHY}

    eventually(found_healthy)
    checks = service.health()
    parts = {"lease", "database", "kafka", "stream", "outbox", "rules", "partitions"}
    assert checks.keys() == parts
    assert checks["kafka"].bootstrap_servers == settings.kafka_bootstrap_servers
    assert checks["database"].latency is not None


def test_a_locked_database_loses_no_action(
    service: StateService, settings: Settings, producer: Any
) -> None:
    """The offset waits for the database; once it is free the action is applied, unasked."""
    eventually(lambda: service.consumer.pulse is not None and is_published(service))
    with closing(sqlite3.connect(settings.db_path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        publish(producer, settings, trip())
        eventually(lambda: service.health()["database"].status is Health.DEGRADED)
        assert handlers.show_state(service.desk).autonomy_epoch == 1
        other.execute("ROLLBACK")
    eventually(lambda: service.consumer.counted.applied == 1)
    assert handlers.show_state(service.desk).autonomy_epoch == 2
    eventually(lambda: service.health()["database"].status is Health.HEALTHY)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [12, pytest.param(60, marks=pytest.mark.chaos)])
def test_a_revert_waits_at_a_lock_and_takes_effect_when_it_is_gone(
    service: StateService, settings: Settings, producer: Any, seconds: float
) -> None:
    """However long another process holds on, the offset stands, health says why, nothing is lost.

    The thread waits with what it read: it need not open Kafka anew once the lock is gone.
    """
    eventually(lambda: service.consumer.pulse is not None and is_published(service))
    reader, before = service.consumer._reader, stored_offset(service)
    actions = [trip(f"T{number}") for number in range(5)] + [revert()]
    with held(settings.sql_url) as holder:
        publish(producer, settings, *actions)
        began = time.monotonic()
        eventually(lambda: service.health()["database"].status is Health.DEGRADED)
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        assert "database is locked" in str(service.health()["database"].message)
        assert stored_offset(service) == before
        assert handlers.show_state(service.desk).autonomy_epoch == 1
        released = holder.release()
        eventually(lambda: service.consumer.counted.applied == len(actions))
    sys.stdout.write(f"\nin force {time.monotonic() - released:.2f} s after the lock was gone\n")
    assert service.consumer._reader is reader
    assert stored_offset(service) == (before or 0) + len(actions)
    acts = [row.act for row in handlers.list_audit(service.desk, limit=50)]
    assert acts.count("trip.applied") == len(actions)
    assert "phase.reverted" in acts
    eventually(lambda: service.health()["database"].status is Health.HEALTHY)


def stored_offset(service: StateService) -> int | None:
    """Return the offset of breaker-actions that the database holds."""
    with service.store.reading() as unit:
        return unit.offsets.next_offset(service.settings.topic(BREAKER_ACTIONS.name), 0)


def test_tallies_become_metrics_at_once_and_once(settings: Settings, producer: Any) -> None:
    """Counts show before they are written; repeats of a cut and a restart add nothing."""
    topic = settings.topic(TALLIES.name)
    upto = to_ms(datetime.now(UTC)) // 1000 * 1000
    start, end = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
    for message in (cuts(upto, 5), cuts(upto, 5), cuts(upto + 100, 2), cuts(upto, 5)):
        producer.send(topic, message, partition=2)
    producer.flush()
    for _ in range(2):
        service = StateService(settings)
        service.start()
        eventually(lambda: _succeeded(service, start, end) == 7)  # noqa: B023 - this round only
        eventually(lambda: _written(service))  # noqa: B023 - this round only
        assert _succeeded(service, start, end) == 7
        service.stop()


def _succeeded(service: StateService, start: datetime, end: datetime) -> int:
    """Return the successes that the metrics show."""
    return service.metrics_between(start, end).commands.succeeded


def _written(service: StateService) -> bool:
    """Whether the counts are in the database."""
    with service.store.reading() as unit:
        return unit.offsets.next_offset(service.settings.topic(TALLIES.name), 2) == 4


def test_a_service_without_a_kafka_is_refused_by_name(tmp_path: Path) -> None:
    """The setting that is missing is named."""
    settings = settings_for(db_path=tmp_path / "g.db", kafka_bootstrap_servers=None)
    with pytest.raises(BadSetting, match="KAFKA_BOOTSTRAP_SERVERS"):
        StateService(settings)


def test_a_kafka_that_is_away_stops_nobody_else(tmp_path: Path) -> None:
    """People can act and read without Kafka; what they did waits in the outbox."""
    settings = settings_for(
        db_path=tmp_path / "g.db", kafka_bootstrap_servers="127.0.0.1:1", database_url=None
    )
    service = StateService(settings)
    service.start()
    handlers.apply_action(service.desk, trip())
    assert service.health()["kafka"].status is Health.UNHEALTHY
    assert handlers.show_state(service.desk).autonomy_epoch == 2
    assert not is_published(service)
    service.stop()
