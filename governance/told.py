"""What Kafka was told and still keeps: the state, the rules, and heads of the audit log.

It outlives the database, so it shows what a lost, a restored or a forged one does not say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from pydantic import ValidationError

from governance.audit import Checkpoint
from schemas.alerts import Alert, AlertType
from schemas.errors import Unavailable
from schemas.governance import STATE_TOPIC, StateRecord
from schemas.rules import RuleVersion
from schemas.settings import Settings
from schemas.topics import ALERTS, RULES, STATE

PATIENCE: Final = 5_000
"""Milliseconds that one answer of Kafka is waited for."""

SILENCE: Final = 15.0
"""Seconds without a record after which reading is given up."""


def audit_heads(settings: Settings, bootstrap_servers: str) -> list[Checkpoint]:
    """Return every head of the audit log on the ``alerts`` topic, in order.

    Raises:
        Unavailable: Kafka does not answer, or the topic is not there.
    """
    found = []
    for value in _values(bootstrap_servers, settings.topic(ALERTS.name)):
        if AlertType.AUDIT_HEAD.encode() in value:
            alert = Alert.model_validate_json(value)
            if alert.type is AlertType.AUDIT_HEAD:
                said = alert.data.context
                found.append(Checkpoint(int(said["seq"]), str(said["hash"])))
    return sorted(found, key=lambda one: one.seq)


def last_state(settings: Settings, bootstrap_servers: str) -> StateRecord | None:
    """Return the state of the highest epoch that was told, the last of it; None before any.

    Raises:
        Unavailable: Kafka does not answer, or the topic is not there.
    """
    last: StateRecord | None = None
    for value in _values(bootstrap_servers, settings.topic(STATE.name)):
        try:
            record = STATE_TOPIC.validate_json(value)
        except ValidationError:
            continue
        if isinstance(record, StateRecord) and (
            last is None or record.autonomy_epoch >= last.autonomy_epoch
        ):
            last = record
    return last


def newest_rules(settings: Settings, bootstrap_servers: str) -> dict[str, RuleVersion]:
    """Return the newest version of each rule that was told, also of those that were deleted.

    Raises:
        Unavailable: Kafka does not answer, or the topic is not there.
    """
    newest: dict[str, RuleVersion] = {}
    for value in _values(bootstrap_servers, settings.topic(RULES.name)):
        try:
            version = RuleVersion.model_validate_json(value)
        except ValidationError:
            continue
        known = newest.get(version.name)
        if known is None or version.version > known.version:
            newest[version.name] = version
    return newest


def _values(bootstrap_servers: str, topic: str) -> Iterator[bytes]:
    """Return the value of each record that *topic* holds now, partition by partition in order.

    Raises:
        Unavailable: Kafka does not answer, or the topic is not there.
    """
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap_servers.split(","),
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=PATIENCE,
            request_timeout_ms=PATIENCE,
        )
        try:
            yield from _read(consumer, topic)
        finally:
            consumer.close(autocommit=False, timeout_ms=1_000)
    except KafkaError as error:
        raise Unavailable("kafka", f"{topic}: {error}") from error


def _read(consumer: Any, topic: str) -> Iterator[bytes]:
    """Read *topic* from its beginning to its present end."""
    places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
    if not places:
        raise Unavailable("kafka", f"topic {topic} is not there")
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    ends = consumer.end_offsets(places)
    deadline = time.monotonic() + SILENCE
    while any(consumer.position(place) < ends[place] for place in places):
        if time.monotonic() > deadline:
            raise KafkaTimeoutError("the records do not come")
        for records in consumer.poll(timeout_ms=500).values():
            deadline = time.monotonic() + SILENCE
            yield from (record.value for record in records if record.value)
