"""The last record of every partition of some topics: what was published before we started."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

PATIENCE: Final = 5_000
"""Milliseconds that all of it may take."""


def last_records(bootstrap_servers: str, topics: Iterable[str]) -> dict[TopicPartition, Any]:
    """Return the last record of each partition that has any; compaction never takes it away.

    Raises:
        KafkaError: Kafka does not answer.
    """
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap_servers.split(","),
        group_id=None,
        enable_auto_commit=False,
        allow_auto_create_topics=False,
        bootstrap_timeout_ms=PATIENCE,
        request_timeout_ms=PATIENCE,
    )
    try:
        return _read(consumer, _filled(consumer, topics))
    finally:
        consumer.close(autocommit=False, timeout_ms=1_000)


def _filled(consumer: Any, topics: Iterable[str]) -> dict[TopicPartition, int]:
    """Return the offset of the last record of each partition that has any."""
    places = [
        TopicPartition(topic, number)
        for topic in topics
        for number in consumer.partitions_for_topic(topic)
    ]
    if not places:
        return {}
    first, end = consumer.beginning_offsets(places), consumer.end_offsets(places)
    return {place: end[place] - 1 for place in places if end[place] > first[place]}


def _read(consumer: Any, offsets: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
    """Read the record at each of *offsets*, and none after it."""
    consumer.assign(list(offsets))
    for place, offset in offsets.items():
        consumer.seek(place, offset)
    found: dict[TopicPartition, Any] = {}
    deadline = time.monotonic() + PATIENCE / 1000
    while len(found) < len(offsets):
        if time.monotonic() > deadline:
            raise KafkaTimeoutError("the last records do not come")
        for place, records in consumer.poll(timeout_ms=100).items():
            found.setdefault(place, records[0])
    return found
