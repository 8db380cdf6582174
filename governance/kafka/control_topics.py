"""The control topics, read whole without a group, and followed from then on.

    opened ──► all records, by key ──► refresh ──► what is new ──► refresh ──► ...
       ▲                                  │
       └──── made anew, cut, or away ◄────┘

A topic that was deleted and created again has the same name and another id; one whose records
were deleted begins later. Either is read from its beginning, and so is all after an error.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from schemas.errors import Unavailable

log = logging.getLogger(__name__)

PATIENCE: Final = 5_000
"""Milliseconds that one answer of Kafka is waited for."""

SILENCE: Final = 15.0
"""Seconds without a record after which reading is given up."""

Identity = dict[str, tuple[str, int]]
"""Each topic's id and how many partitions it has."""


class ControlTopics:
    """The newest record of each key of some compacted topics; belongs to one thread."""

    def __init__(self, bootstrap_servers: str, topics: Sequence[str]) -> None:
        self.records: dict[str, dict[str, bytes]] = {topic: {} for topic in topics}
        self._servers = bootstrap_servers.split(",")
        self._topics = list(topics)
        self._admin: Any = None
        self._consumer: Any = None
        self._identity: Identity = {}
        self._begins: dict[TopicPartition, int] = {}

    def refresh(self) -> bool:
        """Read to the present ends; return whether the topics were read anew, from the beginning.

        Raises:
            Unavailable: a topic is not there.
            KafkaError: Kafka does not answer.
        """
        identity = self._found()
        anew = self._consumer is None or identity != self._identity or self._is_cut()
        if anew:
            self._open(identity)
        self._read()
        return anew

    def close(self) -> None:
        """Let go of the connections; the next `refresh` begins anew."""
        admin, self._admin = self._admin, None
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=1_000)
        if admin is not None:
            admin.close()

    def _found(self) -> Identity:
        """Return the topics as they are there now."""
        if self._admin is None:
            self._admin = KafkaAdminClient(
                bootstrap_servers=self._servers,
                bootstrap_timeout_ms=PATIENCE,
                request_timeout_ms=PATIENCE,
            )
        found: Identity = {}
        for topic in self._admin.describe_topics(self._topics):
            if topic["error_code"] or not topic["partitions"]:
                raise Unavailable("kafka", f"topic {topic['name']} is not there")
            found[topic["name"]] = str(topic.get("topic_id")), len(topic["partitions"])
        return found

    def _open(self, identity: Identity) -> None:
        """Begin at the beginning of every partition."""
        if self._identity and identity != self._identity:
            log.warning("control topics were made anew, or are wider: they are read again")
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=1_000)
        self._consumer = KafkaConsumer(
            bootstrap_servers=self._servers,
            client_id="governance-control-topics",
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=PATIENCE,
            request_timeout_ms=PATIENCE,
        )
        places = [
            TopicPartition(topic, number)
            for topic, (_, width) in identity.items()
            for number in range(width)
        ]
        self._consumer.assign(places)
        self._consumer.seek_to_beginning(*places)
        self._begins = self._consumer.beginning_offsets(places)
        self._identity = identity
        self.records = {topic: {} for topic in self._topics}

    def _is_cut(self) -> bool:
        """Whether records were deleted at a beginning, or an end lies before what was read."""
        places = list(self._begins)
        ends = self._consumer.end_offsets(places)
        return bool(
            self._consumer.beginning_offsets(places) != self._begins
            or any(ends[place] < self._consumer.position(place) for place in places)
        )

    def _read(self) -> None:
        """Take up what is new, to the present ends."""
        places = list(self._begins)
        ends = self._consumer.end_offsets(places)
        deadline = time.monotonic() + SILENCE
        while any(self._consumer.position(place) < ends[place] for place in places):
            if time.monotonic() > deadline:
                raise KafkaTimeoutError("the records of the control topics do not come")
            for place, records in self._consumer.poll(timeout_ms=500).items():
                deadline = time.monotonic() + SILENCE
                for record in records:
                    self._take(place.topic, record)

    def _take(self, topic: str, record: Any) -> None:
        """Keep *record* as the newest of its key; an empty one ends the key."""
        key = (record.key or b"").decode("utf-8", "replace")
        if record.value:
            self.records[topic][key] = record.value
        else:
            self.records[topic].pop(key, None)
