"""The ``dead-letters`` topic on a real Kafka: read whole, and marked as sent again.

The marks are the offsets of one consumer group for each reason, which never has a member. Kafka
forgets them seven days after the last replay of that reason (``offsets.retention.minutes``); by
then everything that could be read has long been too late to count, and is left out for that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from cli.letters import Letter, Marks, letter_of
from schemas.errors import Unavailable
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS

PATIENCE = 10_000
"""Milliseconds that Kafka has to answer for the first time."""


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
        try:
            with self._admin() as admin:
                return {reason: self._mark(admin, reason) for reason in reasons}
        except KafkaError as problem:
            raise Unavailable("Kafka", f"cannot read the marks: {problem}") from None

    def remember(self, marks: Marks) -> None:
        """Keep how far the letters of each reason were sent again."""
        try:
            with self._admin() as admin:
                for reason, offsets in marks.items():
                    admin.alter_group_offsets(
                        f"{self._group}-{reason}",
                        {
                            TopicPartition(self._topic, partition): OffsetAndMetadata(at, "", -1)
                            for partition, at in offsets.items()
                        },
                    )
        except KafkaError as problem:
            raise Unavailable("Kafka", f"cannot keep the marks: {problem}") from None

    def _open(self) -> Any:
        """Return a consumer of no group, before the first letter."""
        consumer = KafkaConsumer(
            bootstrap_servers=self._servers,
            group_id=None,
            enable_auto_commit=False,
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

    def _admin(self) -> Any:
        return KafkaAdminClient(bootstrap_servers=self._servers, bootstrap_timeout_ms=PATIENCE)
