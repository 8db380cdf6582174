"""Whole topics read from Kafka, without a group, as tests need them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from schemas.tallies import Cuts
from schemas.topics import COMMAND_EVENTS, Topic
from tests.oracle.log import Record, SourceLog


def read_topic(kafka: str, topic: str) -> dict[int, list[Any]]:
    """Return all records of *topic* by partition, up to its end as it is now."""
    consumer = KafkaConsumer(
        bootstrap_servers=kafka, enable_auto_commit=False, max_poll_records=10_000
    )
    try:
        numbers = sorted(consumer.partitions_for_topic(topic) or ())
        partitions = [TopicPartition(topic, number) for number in numbers]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        records: dict[int, list[Any]] = {number: [] for number in numbers}
        while any(consumer.position(one) < ends[one] for one in partitions):
            for partition, found in consumer.poll(timeout_ms=500).items():
                records[partition.partition] += found
    finally:
        consumer.close()
    return records


def source_logs(kafka: str, prefix: str) -> list[SourceLog]:
    """Return the event log as the oracle takes it, with the brokers' append times."""
    return [
        SourceLog(number, tuple(Record(one.offset, one.timestamp, one.value) for one in records))
        for number, records in read_topic(kafka, f"{prefix}{COMMAND_EVENTS.name}").items()
    ]


def cuts_of(records: Iterable[Any]) -> Iterator[Cuts]:
    """Yield the messages of one partition of tallies."""
    for record in records:
        yield msgspec.msgpack.decode(record.value, type=Cuts)


def copy_topics(kafka: str, topics: Sequence[Topic], *, source: str, target: str) -> None:
    """Copy topics to another prefix, record for record: offsets, append times, keys, headers."""
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=50)
    for topic in topics:
        _let_producers_stamp(kafka, f"{target}{topic.name}", stamps="CreateTime")
        for number, records in read_topic(kafka, f"{source}{topic.name}").items():
            for one in records:
                producer.send(
                    f"{target}{topic.name}",
                    one.value,
                    key=one.key,
                    headers=list(one.headers),
                    partition=number,
                    timestamp_ms=one.timestamp,
                )
        producer.flush()
        if "message.timestamp.type" in topic.config:
            _let_producers_stamp(kafka, f"{target}{topic.name}", stamps="LogAppendTime")
    producer.close()


def _let_producers_stamp(kafka: str, topic: str, *, stamps: str) -> None:
    """Say who stamps new records; those that lie there keep their times."""
    resource = ConfigResource(
        ConfigResourceType.TOPIC, topic, configs={"message.timestamp.type": stamps}
    )
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        admin.alter_configs([resource])
    finally:
        admin.close()
