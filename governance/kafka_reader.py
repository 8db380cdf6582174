"""Reads whole partitions of one topic from given offsets, without a consumer group.

There is one reader of each of these topics and its positions live in the database, beside what
they stand for. A group would add rebalances, a second opinion about the position, and nothing:
so partitions are assigned, never subscribed to, and nothing is committed to Kafka.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordError, UnsupportedCodecError

from schemas.errors import Unavailable

UNREADABLE: Final = (UnsupportedCodecError, CorruptRecordError)
"""What the client says of records that it cannot unpack; it does not say where they are."""

log = logging.getLogger(__name__)

POLL: Final = 500
"""Milliseconds that a poll waits for records."""

PULSE: Final = 2.0
"""Seconds between two looks at the end of the log, which show lag and that Kafka answers."""

PATIENCE: Final = 5_000
"""Milliseconds that any one answer of Kafka is waited for: shorter than a stop may take."""


STANDS: Final = 15.0
"""Seconds for which records may wait and none come; clients are known to stand for good."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """When Kafka last answered (monotonic s), how fast (s), and how many records are unread.

    What an open transaction holds back is not there to be read, and so not among them.
    """

    at: float
    latency: float
    lag: int


class KafkaReader:
    """An open reader; belongs to one thread, save for `pulse`."""

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        *,
        client_id: str,
        next_offset: Callable[[int], int | None],
        partitions: int | None = None,
    ) -> None:
        """Open *topic* where *next_offset* (by partition) says, or at its beginning.

        Raises:
            Unavailable: the topic is not there (yet), or has fewer than *partitions*.
            KafkaError: Kafka does not answer.
        """
        self.topic = topic
        self.pulse: Pulse | None = None
        self._moved_at = time.monotonic()
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap_servers.split(","),
            client_id=client_id,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=PATIENCE,
            request_timeout_ms=PATIENCE,
            reconnect_backoff_max_ms=1_000,
            # The pulse waits behind a fetch that waits for records.
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=8 * 1024 * 1024,
        )
        try:
            self.partitions = self._assign(partitions)
            self._seek(next_offset)
        except BaseException:
            self.close()
            raise

    def poll(self, limit: int) -> dict[int, list[Any]]:
        """Return new records by partition, after half a second at most; possibly none.

        Raises:
            Unavailable: records wait and none has come for long; opening anew gets them. Or one
                is there that nobody can unpack.
            KafkaError: Kafka does not answer.
        """
        try:
            records: Mapping[TopicPartition, list[Any]] = self._consumer.poll(
                timeout_ms=POLL, max_records=limit
            )
        except UNREADABLE as error:
            raise Unavailable("kafka", f"cannot read a record of {self.topic}: {error}") from error
        self._feel_pulse()
        self._check_progress(came=bool(records))
        return {where.partition: batch for where, batch in records.items()}

    def close(self) -> None:
        """Let go of the connection, soon."""
        self._consumer.close(autocommit=False, timeout_ms=1_000)

    def _assign(self, wanted: int | None) -> list[int]:
        """Assign all partitions of the topic to this reader and return them."""
        found = sorted(self._consumer.partitions_for_topic(self.topic))
        if not found or (wanted is not None and len(found) < wanted):
            raise Unavailable("kafka", f"topic {self.topic} has {len(found)} partitions")
        self._consumer.assign([TopicPartition(self.topic, number) for number in found])
        return found

    def _seek(self, next_offset: Callable[[int], int | None]) -> None:
        """Go to the database's offsets, saying aloud when the log no longer holds them."""
        places = self._consumer.assignment()
        first = self._consumer.beginning_offsets(places)
        end = self._consumer.end_offsets(places)
        for place in places:
            wanted = next_offset(place.partition)
            self._consumer.seek(place, self._start(place, wanted, first[place], end[place]))

    def _start(self, place: Any, wanted: int | None, first: int, end: int) -> int:
        """Return the offset to begin at: the wanted one if the log still has it."""
        if wanted is None or first <= wanted <= end:
            return first if wanted is None else wanted
        if wanted < first:
            log.error("%s: records %d to %d expired before they were read", place, wanted, first)
        else:
            log.error("%s: ends at %d, before %d: it was made anew", place, end, wanted)
        return first

    def _check_progress(self, *, came: bool) -> None:
        """Check that what waits is also read.

        Raises:
            Unavailable: it was not, for long.
        """
        now, lag = time.monotonic(), self.pulse.lag if self.pulse else 0
        if came or not lag:
            self._moved_at = now
        elif now - self._moved_at > STANDS:
            raise Unavailable("kafka", f"{lag} records of {self.topic} wait and none comes")

    def _feel_pulse(self) -> None:
        """Ask for the end of the log every two seconds."""
        began = time.monotonic()
        if self.pulse is not None and began - self.pulse.at < PULSE:
            return
        places = self._consumer.assignment()
        ends = self._consumer.end_offsets(places, timeout_ms=PATIENCE)
        now = time.monotonic()
        lag = sum(ends[place] - self._consumer.position(place) for place in places)
        self.pulse = Pulse(at=now, latency=now - began, lag=max(0, lag))
