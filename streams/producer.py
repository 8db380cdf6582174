"""The producer of the streams: idempotent, in order, each record's delivery awaited by a flush.

Faust's own is not idempotent and does not say when a record has arrived.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer

from schemas.settings import Settings
from schemas.topics import Topic
from streams.batch import Output
from streams.partitions import METADATA_AGE

MAX_REQUEST = 8 * 1024 * 1024
"""Bytes in a record at most: a changelog record of a large flush."""


def make_producer(settings: Settings, bootstrap_servers: str) -> AIOKafkaProducer:
    """Return a producer that is not started yet."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        client_id=f"{settings.worker_id}-producer",
        enable_idempotence=True,
        acks="all",
        linger_ms=2,
        max_batch_size=256 * 1024,
        max_request_size=MAX_REQUEST,
        metadata_max_age_ms=METADATA_AGE,
    )


class Source(Protocol):
    """The partitions that an agent reads, as the consumer has them."""

    async def seek(self, partition: int, offset: int) -> None:
        """Have *partition* read again from *offset*."""
        ...

    async def beginning(self, partition: int) -> int:
        """Return the offset of the first record that *partition* still has."""
        ...

    def set_durable(self, partition: int, offset: int) -> None:
        """Allow that *offset* be committed for *partition*."""
        ...


class StreamLog:
    """One agent's side of Kafka: its source, its changelog, and the topics it publishes to."""

    def __init__(
        self, producer: AIOKafkaProducer, settings: Settings, *, changelog: Topic, source: Source
    ) -> None:
        self._producer = producer
        self._settings = settings
        self._changelog = settings.topic(changelog.name)
        self.seek = source.seek
        self.beginning = source.beginning

    async def send(self, output: Output) -> asyncio.Future[Any]:
        """Hand *output* over in order; the future is done when the broker has it."""
        future: asyncio.Future[Any] = await self._producer.send(
            self._settings.topic(output.topic),
            output.value,
            key=output.key,
            partition=output.partition,
            headers=output.headers,
        )
        return future

    async def store(self, partition: int, record: bytes) -> int:
        """Write a changelog record; return its offset once the broker has it."""
        metadata = await self._producer.send_and_wait(self._changelog, record, partition=partition)
        return int(metadata.offset)
