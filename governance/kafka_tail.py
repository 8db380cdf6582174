"""The last record of every partition of some topics: what was published before we started."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from governance.kafka_reader import UNREADABLE
from schemas.errors import Unavailable

PATIENCE: Final = 5_000
"""Milliseconds that one look may take."""


BACK: Final = 8
"""How many times further back each look begins than the one before it."""


def last_records(bootstrap_servers: str, topics: Iterable[str]) -> dict[TopicPartition, Any]:
    """Return the last record of each partition that has any; compaction never takes it away.

    Raises:
        Unavailable: a record is there that nobody can unpack.
        KafkaError: Kafka does not answer.
    """
    names = list(topics)
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
        return _read(consumer, _filled(consumer, names))
    except UNREADABLE as error:
        raise Unavailable(
            "kafka", f"cannot read a record of {', '.join(names)}: {error}"
        ) from error
    finally:
        consumer.close(autocommit=False, timeout_ms=1_000)


def _filled(consumer: Any, topics: Iterable[str]) -> dict[TopicPartition, tuple[int, int]]:
    """Return the offsets ``[first, end)`` of each partition that has any."""
    places = [
        TopicPartition(topic, number)
        for topic in topics
        for number in consumer.partitions_for_topic(topic)
    ]
    if not places:
        return {}
    first, end = consumer.beginning_offsets(places), consumer.end_offsets(places)
    return {place: (first[place], end[place]) for place in places if end[place] > first[place]}


def _read(consumer: Any, spans: dict[TopicPartition, tuple[int, int]]) -> dict[TopicPartition, Any]:
    """Read the last record in each of *spans*.

    The last offset may be no record but the end of a transaction, and so may those before it be:
    then the next look begins further back.
    """
    found: dict[TopicPartition, Any] = {}
    left, back = dict(spans), 1
    while left:
        found |= _last(
            consumer, {p: (max(first, end - back), end) for p, (first, end) in left.items()}
        )
        left = {
            place: (first, end)
            for place, (first, end) in left.items()
            if place not in found and end - back > first
        }
        back *= BACK
    return found


def _last(consumer: Any, spans: dict[TopicPartition, tuple[int, int]]) -> dict[TopicPartition, Any]:
    """Read *spans* and return the last record of each in which there is one."""
    consumer.assign(list(spans))
    for place, (start, _) in spans.items():
        consumer.seek(place, start)
    found: dict[TopicPartition, Any] = {}
    left = set(spans)
    deadline = time.monotonic() + PATIENCE / 1000
    while left:
        if time.monotonic() > deadline:
            raise KafkaTimeoutError("the last records do not come")
        for place, records in consumer.poll(timeout_ms=100).items():
            if mine := [one for one in records if one.offset < spans[place][1]]:
                found[place] = mine[-1]
        left = {place for place in left if consumer.position(place) < spans[place][1]}
    return found
