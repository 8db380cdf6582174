"""Whole topics read from Kafka, without a group, as tests need them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
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
    """Return all committed records of *topic* by partition, up to its end as it is now."""
    return asyncio.run(_read(kafka, topic))


async def _read(kafka: str, topic: str) -> dict[int, list[Any]]:
    """Read with aiokafka, which takes a quarter of the time that kafka-python takes."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka,
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
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
        name = f"{target}{topic.name}"
        configure(kafka, name, {"message.timestamp.type": "CreateTime"})
        asyncio.run(_copy(kafka, name, read_topic(kafka, f"{source}{topic.name}")))
        if "message.timestamp.type" in topic.config:
            configure(kafka, name, {"message.timestamp.type": "LogAppendTime"})


async def _copy(kafka: str, topic: str, partitions: dict[int, list[Any]]) -> None:
    """Append copies of all *partitions*, side by side."""
    copies = (_Copy(kafka, topic, number) for number in partitions)
    await asyncio.gather(
        *(copy.write(records) for copy, records in zip(copies, partitions.values(), strict=True))
    )


class _Copy:
    """Writes one partition anew; offsets that are no records come about as transactions end."""

    def __init__(self, kafka: str, topic: str, number: int) -> None:
        self._topic, self._number = topic, number
        self._asker = AIOKafkaConsumer(bootstrap_servers=kafka)
        self._plain = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", max_batch_size=BATCH)
        # The next transaction is asked for until the marks of the one before lie there.
        self._ends = AIOKafkaProducer(
            bootstrap_servers=kafka,
            transactional_id=f"{topic}-{number}",
            max_batch_size=BATCH,
            retry_backoff_ms=10,
        )

    async def write(self, records: Sequence[Any]) -> None:
        """Append copies of *records* at their offsets."""
        clients = (self._asker, self._plain, self._ends)
        for client in clients:
            await client.start()
        try:
            holes = [after.offset - one.offset - 1 for one, after in pairwise(records)]
            start = 0
            first = records[0].offset if records else 0
            await self._abort(first)
            await self._reaches(first)
            for stop, hole in enumerate([*holes, 0][: len(records)], 1):
                if hole or stop == len(records):
                    await self._append(records[start:stop], ends_with_mark=hole == 1)
                    await self._abort(hole)
                    await self._reaches(records[stop - 1].offset + 1 + hole)
                    start = stop
        finally:
            for client in clients:
                await client.stop()

    async def _reaches(self, end: int) -> None:
        """Return when the partition ends there: marks are written after a transaction's end."""
        place = TopicPartition(self._topic, self._number)
        while (await self._asker.end_offsets([place]))[place] < end:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.002)

    async def _append(self, run: Sequence[Any], *, ends_with_mark: bool) -> None:
        """Append records that follow each other; the mark of a commit may follow the last."""
        for batch in _batches(self._plain, run[:-1] if ends_with_mark else run):
            await (await self._plain.send_batch(batch, self._topic, partition=self._number))
        if ends_with_mark:
            async with self._ends.transaction():
                [batch] = _batches(self._ends, run[-1:])
                await (await self._ends.send_batch(batch, self._topic, partition=self._number))

    async def _abort(self, hole: int) -> None:
        """Fill *hole* offsets with a transaction that is aborted: its records, and its mark."""
        if hole < 2:
            return
        await self._ends.begin_transaction()
        sent = [
            await self._ends.send(self._topic, b"", partition=self._number) for _ in range(hole - 1)
        ]
        await asyncio.gather(*sent)
        await self._ends.abort_transaction()


def _batches(producer: Any, records: Sequence[Any]) -> Iterator[Any]:
    """Yield *records* in batches that we close ourselves."""
    batch = producer.create_batch()
    for one in records:
        copied = {"key": one.key, "value": one.value, "headers": list(one.headers)}
        if batch.append(**copied, timestamp=one.timestamp) is None:
            yield batch
            batch = producer.create_batch()
            assert batch.append(**copied, timestamp=one.timestamp) is not None
    if batch.record_count():
        yield batch


def configure(kafka: str, topic: str, settings: dict[str, str]) -> None:
    """Give *topic* other settings; what lies there stays as it is."""
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=settings)])
    finally:
        admin.close()
