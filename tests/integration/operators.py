"""People, for tests: they resolve trips and change rules while the stream runs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from schemas.actions import DECISION, BreakerAction
from schemas.governance import STATE_TOPIC, ResolutionRecord, StateRecord
from schemas.rules import RuleVersion
from schemas.wire import from_ms
from tests.integration.topics import read_topic
from tests.oracle.conditions import Tree
from tests.oracle.laws import Book, Law
from tests.oracle.log import ceil_step

LEAD: Final = 3_000
"""How far ahead (ms) changes take effect; twice what the product uses, for a busy machine."""


class Operator:
    """Resolves the trips of breakers that latch, and publishes rule versions."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self._prefix = prefix
        self._producer = KafkaProducer(bootstrap_servers=kafka, acks="all")
        self._consumer = KafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
        partition = TopicPartition(f"{prefix}breaker-actions", 0)
        self._consumer.assign([partition])
        self._consumer.seek_to_beginning(partition)
        self.resolved: set[str] = set()

    def close(self) -> None:
        """Go home."""
        self._consumer.close()
        self._producer.close()

    def publish(self, law: Law) -> None:
        """Put a rule version on the rules topic."""
        self._send("rules", law.version.key, law.version.to_bytes())

    def resolve_trips(self) -> None:
        """Resolve every trip seen since the last time whose breaker latches."""
        for records in self._consumer.poll(timeout_ms=0).values():
            for record in records:
                action = DECISION.validate_json(record.value)
                if isinstance(action, BreakerAction) and action.action.latches:
                    self._resolve(action)

    def _resolve(self, action: BreakerAction) -> None:
        """Resolve one trip, once."""
        if action.id in self.resolved:
            return
        self.resolved.add(action.id)
        record = ResolutionRecord(
            action_id=action.id,
            rule=action.rule.name,
            scope_key=action.scope_key,
            effective_from=soon(),
            resolved_at=from_ms(_now()),
        )
        self._send("state", f"resolution/{action.id}", record.to_bytes())

    def _send(self, topic: str, key: str, value: bytes) -> None:
        """Write a record and wait until it lies there."""
        self._producer.send(self._prefix + topic, value, key=key.encode()).get(timeout=60)


def _now() -> int:
    """Return the time of day in ms."""
    return time.time_ns() // 1_000_000


def soon() -> int:
    """Return when a change that is made now takes effect."""
    return ceil_step(_now() + LEAD)


def book_of(kafka: str, prefix: str, trees: dict[str, Tree]) -> Book:
    """Return what lies on the rules and state topics; *trees* tells what each condition means."""
    versions = [
        RuleVersion.model_validate_json(one.value) for one in _values(kafka, f"{prefix}rules")
    ]
    records = [STATE_TOPIC.validate_json(one.value) for one in _values(kafka, f"{prefix}state")]
    return Book(
        [Law(one, trees[one.rule.condition] if one.rule else None) for one in versions],
        [one for one in records if isinstance(one, ResolutionRecord)],
        [one for one in records if isinstance(one, StateRecord)],
    )


def _values(kafka: str, topic: str) -> Iterable[Any]:
    """Return the records of a topic that are not tombstones."""
    return [one for records in read_topic(kafka, topic).values() for one in records if one.value]
