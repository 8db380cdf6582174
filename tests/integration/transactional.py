"""Producers with transactions, as three client libraries have them, behind one face.

What Kafka Streams, Flink, Connect and Spring do to a log: every transaction, committed or
aborted, ends with a mark that takes an offset of its own in each partition that it wrote to.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer
from kafka import KafkaProducer

PATIENCE: Final = 60
"""Seconds that any one step may take."""


class Transactional(Protocol):
    """A producer that has one transaction open at a time."""

    def begin(self) -> None:
        """Open a transaction."""

    def send(self, topic: str, values: Sequence[bytes], partition: int, key: bytes = b"k") -> None:
        """Append records, and return when they lie there, committed or not."""

    def commit(self) -> None:
        """Let what was sent count."""

    def abort(self) -> None:
        """Take back what was sent."""

    def close(self) -> None:
        """Go."""


class Aiokafka:
    """aiokafka's, driven from outside its loop."""

    def __init__(self, kafka: str) -> None:
        self._runner = asyncio.Runner()
        self._runner.run(self._open(kafka))

    async def _open(self, kafka: str) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=kafka, transactional_id=f"aiokafka-{uuid.uuid4()}"
        )
        await self._producer.start()

    def begin(self) -> None:
        """Open a transaction."""
        self._runner.run(self._producer.begin_transaction())

    def send(self, topic: str, values: Sequence[bytes], partition: int, key: bytes = b"k") -> None:
        """Append records, and return when they lie there, committed or not."""
        self._runner.run(self._send(topic, values, partition, key))

    async def _send(self, topic: str, values: Sequence[bytes], partition: int, key: bytes) -> None:
        sent = [await self._producer.send(topic, one, key, partition) for one in values]
        await asyncio.gather(*sent)

    def commit(self) -> None:
        """Let what was sent count."""
        self._runner.run(self._producer.commit_transaction())

    def abort(self) -> None:
        """Take back what was sent."""
        self._runner.run(self._producer.abort_transaction())

    def close(self) -> None:
        """Go."""
        self._runner.run(self._producer.stop())
        self._runner.close()


class KafkaPython:
    """kafka-python's."""

    def __init__(self, kafka: str) -> None:
        self._producer = KafkaProducer(
            bootstrap_servers=kafka, transactional_id=f"kafka-python-{uuid.uuid4()}"
        )
        self._producer.init_transactions()

    def begin(self) -> None:
        """Open a transaction."""
        self._producer.begin_transaction()

    def send(self, topic: str, values: Sequence[bytes], partition: int, key: bytes = b"k") -> None:
        """Append records, and return when they lie there, committed or not."""
        for sent in [self._producer.send(topic, one, key, partition=partition) for one in values]:
            sent.get(timeout=PATIENCE)

    def commit(self) -> None:
        """Let what was sent count."""
        self._producer.commit_transaction()

    def abort(self) -> None:
        """Take back what was sent."""
        self._producer.abort_transaction()

    def close(self) -> None:
        """Go."""
        self._producer.close(timeout=PATIENCE)


class Librdkafka:
    """confluent-kafka's."""

    def __init__(self, kafka: str) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "transactional.id": f"librdkafka-{uuid.uuid4()}",
                "linger.ms": 1,
                "log_level": 2,  # a broker that has gone after the test is no news
            }
        )
        self._producer.init_transactions(PATIENCE)

    def begin(self) -> None:
        """Open a transaction."""
        self._producer.begin_transaction()

    def send(self, topic: str, values: Sequence[bytes], partition: int, key: bytes = b"k") -> None:
        """Append records, and return when they lie there, committed or not."""
        for value in values:
            self._producer.produce(topic, value, key, partition)
        assert self._producer.flush(PATIENCE) == 0

    def commit(self) -> None:
        """Let what was sent count."""
        self._producer.commit_transaction(PATIENCE)

    def abort(self) -> None:
        """Take back what was sent."""
        self._producer.abort_transaction(PATIENCE)

    def close(self) -> None:
        """Go; what is open is aborted."""


LIBRARIES: Final[dict[str, Any]] = {
    "aiokafka": Aiokafka,
    "kafka-python": KafkaPython,
    "librdkafka": Librdkafka,
}


def in_transactions(
    client: Transactional,
    topic: str,
    transactions: Iterable[tuple[bool, Sequence[bytes]]],
    *,
    partition: int = 0,
) -> None:
    """Send each of *transactions*, ``(is committed, records)``; one without records ends too."""
    for is_committed, values in transactions:
        client.begin()
        if values:
            client.send(topic, values, partition)
        (client.commit if is_committed else client.abort)()
