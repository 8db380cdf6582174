"""Whole topics read from Kafka, without a group, as tests need them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from schemas.tallies import Cuts
from schemas.topics import COMMAND_EVENTS, Topic
from tests.oracle.log import Record, SourceLog

BATCH: Final = 512 * 1024
"""Bytes in a batch of copies: half of what a broker takes."""


def read_topic(kafka: str, topic: str) -> dict[int, list[Any]]:
    """Return all records of *topic* by partition, up to its end as it is now."""
    return asyncio.run(_read(kafka, topic))


async def _read(kafka: str, topic: str) -> dict[int, list[Any]]:
    """Read with aiokafka, which takes a quarter of the time that kafka-python takes."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        numbers = sorted(consumer.partitions_for_topic(topic) or ())
        partitions = [TopicPartition(topic, number) for number in numbers]
        consumer.unsubscribe()
        consumer.assign(partitions)
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, begins[partition])
        records: dict[int, list[Any]] = {number: [] for number in numbers}
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            for partition, found in (await consumer.getmany(timeout_ms=500)).items():
                records[partition.partition] += found
    finally:
        await consumer.stop()
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
    for topic in topics:
        _let_producers_stamp(kafka, f"{target}{topic.name}", stamps="CreateTime")
        for number, records in read_topic(kafka, f"{source}{topic.name}").items():
            asyncio.run(_write(kafka, f"{target}{topic.name}", number, records))
        if "message.timestamp.type" in topic.config:
            _let_producers_stamp(kafka, f"{target}{topic.name}", stamps="LogAppendTime")


async def _write(kafka: str, topic: str, number: int, records: Sequence[Any]) -> None:
    """Append copies of *records* to one partition, in batches that we close ourselves."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", max_batch_size=BATCH)
    await producer.start()
    try:
        batch = producer.create_batch()
        for one in records:
            copied = {"key": one.key, "value": one.value, "headers": list(one.headers)}
            if batch.append(**copied, timestamp=one.timestamp) is None:
                await (await producer.send_batch(batch, topic, partition=number))
                batch = producer.create_batch()
                assert batch.append(**copied, timestamp=one.timestamp) is not None
        if batch.record_count():
            await (await producer.send_batch(batch, topic, partition=number))
    finally:
        await producer.stop()


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
