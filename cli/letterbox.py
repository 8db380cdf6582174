"""The ``dead-letters`` topic on a real Kafka: read whole, and marked as sent again.

The marks are the offsets of one consumer group for each reason, which never has a member. Kafka
forgets them seven days after the last replay of that reason (``offsets.retention.minutes``); by
then everything that could be read has long been too late to count, and is left out for that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from cli.letters import Letter, Marks, letter_of
from schemas.errors import Unavailable
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS

PATIENCE: Final = 10_000
"""Milliseconds that Kafka has to answer for the first time."""

PAUSE: Final = 0.2
"""Seconds between two questions to a broker that is not ready yet."""

T = TypeVar("T")


class Letterbox:
    """The dead letters of one installation."""

    def __init__(self, settings: Settings, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers.split(",")
        self._topic = settings.topic(DEAD_LETTERS.name)
        self._group = f"{settings.worker_group}-dlq"

    def letters(self) -> list[Letter]:
        """Return all dead letters that are there now, each partition in order.

        Raises:
            Unavailable: Kafka or the topic is not there.
        """
        try:
            consumer = self._open()
            try:
                return list(self._read(consumer))
            finally:
                consumer.close(autocommit=False)
        except KafkaError as problem:
            raise Unavailable("Kafka", f"cannot read {self._topic}: {problem}") from None

    def marks(self, reasons: Iterable[str]) -> dict[str, dict[int, int]]:
        """Return how far the letters of each reason were sent again."""
        return self._ask(lambda admin: {reason: self._mark(admin, reason) for reason in reasons})

    def remember(self, marks: Marks) -> None:
        """Keep how far the letters of each reason were sent again."""
        self._ask(lambda admin: self._keep(admin, marks))

    def _open(self) -> Any:
        """Return a consumer of no group, before the first letter."""
        consumer = KafkaConsumer(
            bootstrap_servers=self._servers,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=PATIENCE,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        partitions = consumer.partitions_for_topic(self._topic)
        if not partitions:
            consumer.close(autocommit=False)
            raise Unavailable("Kafka", f"there is no topic {self._topic}: `governance topics`")
        consumer.assign([TopicPartition(self._topic, number) for number in sorted(partitions)])
        consumer.seek_to_beginning()
        return consumer

    def _read(self, consumer: Any) -> Iterable[Letter]:
        """Yield the letters up to the end as it is now, not what we ourselves bring about."""
        ends = consumer.end_offsets(list(consumer.assignment()))
        left = {tp for tp in ends if consumer.position(tp) < ends[tp]}
        while left:
            for tp, records in consumer.poll(timeout_ms=500).items():
                for record in records:
                    if record.offset < ends[tp]:
                        yield letter_of(
                            tp.partition,
                            record.offset,
                            key=record.key,
                            value=record.value,
                            headers=record.headers,
                        )
            left = {tp for tp in left if consumer.position(tp) < ends[tp]}

    def _mark(self, admin: Any, reason: str) -> dict[int, int]:
        """Return the offsets that one reason's group holds."""
        group = f"{self._group}-{reason}"
        found = admin.list_group_offsets(group)
        return {
            tp.partition: at.offset
            for tp, at in found.get(group, found).items()
            if tp.topic == self._topic and at.offset >= 0
        }

    def _keep(self, admin: Any, marks: Marks) -> None:
        """Let each reason's group hold its offsets."""
        for reason, offsets in marks.items():
            places = {
                TopicPartition(self._topic, partition): OffsetAndMetadata(at, "", -1)
                for partition, at in offsets.items()
            }
            admin.alter_group_offsets(f"{self._group}-{reason}", places)

    def _ask(self, question: Callable[[Any], T]) -> T:
        """Return what Kafka answers; a new broker's first group has to wait for its coordinator.

        Raises:
            Unavailable: it does not answer in time.
        """
        deadline = time.monotonic() + 2 * PATIENCE / 1000
        while True:
            try:
                with KafkaAdminClient(
                    bootstrap_servers=self._servers, bootstrap_timeout_ms=PATIENCE
                ) as admin:
                    return question(admin)
            except KafkaError as problem:
                if not problem.retriable or time.monotonic() > deadline:
                    raise Unavailable("Kafka", f"cannot keep its marks: {problem}") from None
                time.sleep(PAUSE)
