"""From the outbox to Kafka: everything at least once, in order per key, nearly never twice.

    commit ──► wake ──► oldest rows ──► send, in order ──► acknowledged ──► marked published

Killed between the last two, the relay would send those rows again. So each record carries its
number, and a relay that starts looks at the last record of each partition first: what is there
need not be sent. That is trusted only if the row of that number is the very record found and
still waits: so a database restored from a backup, whose numbers begin again, loses nothing by
it, and neither does a row that Kafka once refused.

A record that Kafka takes from nobody, such as one that is too large, is set aside in the outbox:
it holds nothing back, health names it, and it is tried again every minute until somebody has
mended the cause or a newer record of its key has made it untrue.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, NamedTuple

from kafka import KafkaProducer, TopicPartition
from kafka.errors import (
    CorruptRecordError,
    InvalidRecordError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from kafka.partitioner.default import murmur2

from governance.desk import Desk
from governance.handlers.insistence import insist
from governance.kafka_tail import last_records
from governance.store.outbox import OutboxRow
from schemas.alerts import CLOUD_EVENT
from schemas.errors import Unavailable
from schemas.topics import ALERTS, RULES, STATE, UNDIVIDED

log = logging.getLogger(__name__)

BATCH: Final = 500
"""Rows in flight at once: a killed relay has at most so many to look up."""

FALLBACK: Final = 2.0
"""Seconds after which the outbox is looked at although nobody woke the relay."""

PATIENCE: Final = 5_000
"""Milliseconds that one answer of Kafka is waited for: shorter than a stop may take."""

HELD_BACK: Final = 0.1
"""Seconds between two looks whether rows may be published yet."""

FOR_EVER: Final = 24 * 3_600_000
"""Milliseconds until a record in flight is given up: a day, since giving up loses the order."""

KEPT: Final = timedelta(days=1)
KEPT_ROWS: Final = 10_000
"""Published rows stay so long, and so many of them at least, for those who follow the feed."""

AGAIN: Final = 60.0
"""Seconds after which what was set aside is tried again; also at each start."""

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a record that the producer takes, so that the topic's own limit decides."""

DOUBTFUL: Final = 256 * 1024
"""Bytes from which a record is sent again after a restart: Kafka may have refused it."""

AT_FAULT: Final = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    CorruptRecordError,
    InvalidRecordError,
)
"""What Kafka says of a record that it will not take from anybody as things are."""

ORDER: Final = (STATE.name, RULES.name, ALERTS.name)
"""The topics in the order of their turns: what the state is goes before all that waits."""

PRUNE: Final = 600.0
"""Seconds between two prunings."""

WHOLE_STATE: Final = (STATE.name, "governance")
"""The topic and key of the one record whose last version is all that a subscriber reads."""

NUMBER: Final = "outboxSeq"
"""The header that carries a row's number."""

_HEADERS: Final = {ALERTS.name: (("content-type", CLOUD_EVENT.encode()),)}
"""What else a topic's records carry: CloudEvents tells its two modes apart by this header."""


class _Outcome(NamedTuple):
    """What became of rows: ``at_fault`` says why Kafka takes one from nobody, ``trouble`` else."""

    arrived: list[int]
    at_fault: dict[int, str]
    trouble: KafkaError | None


class OutboxRelay:
    """Takes turns at publishing what the outbox holds."""

    def __init__(
        self,
        desk: Desk,
        bootstrap_servers: str,
        *,
        is_stopping: Callable[[], bool],
        may_publish: Callable[[], bool] = lambda: True,
    ) -> None:
        self._desk = desk
        self._servers = bootstrap_servers
        self._is_stopping = is_stopping
        self._may_publish = may_publish
        self._woken = threading.Event()
        self._producer: Any = None
        self._pruned_at = time.monotonic()
        self._again_at = 0.0
        self._aside: set[int] = set()
        self._published: dict[TopicPartition, int] = {}
        self._tails: dict[TopicPartition, Any] = {}
        self._sent: list[OutboxRow] = []
        self.waiting_for_kafka = False
        desk.store.on_commit(self._woken.set)

    def turn(self) -> None:
        """Publish the oldest rows of each topic, or wait until there are some and they may be.

        Raises:
            Standby: another service is the active one, and publishes them.
            Unavailable: the database or a topic is not there.
            KafkaError: Kafka refused a record; it is sent again.
        """
        self._woken.clear()
        if not self._may_publish():
            self._woken.wait(HELD_BACK)
            return
        rows = self._set_aside()
        with self._desk.store.reading() as unit:
            self._desk.store.check_lease(unit)
            for topic in ORDER:
                rows += unit.outbox.unpublished(BATCH, topic=topic)
        if rows:
            self._publish(rows)
        else:
            self._prune()
            self._woken.wait(FALLBACK)

    def wake(self) -> None:
        """Look at the outbox at once."""
        self._woken.set()

    def close(self) -> None:
        """Let go of the producer; what it had not delivered is sent again by the next."""
        producer, self._producer = self._producer, None
        if producer is not None:
            _end(producer)

    def abandon(self) -> None:
        """Send nothing more, not even what is on its way: another service publishes now.

        What was on its way may have arrived behind newer records, if this process was stopped
        meanwhile. All but the state's own record may come late; so that one is told once more.
        """
        producer, self._producer = self._producer, None
        if producer is not None:
            producer._sender.force_close()  # its close would deliver for a second more
            _end(producer)
        if any((row.topic, row.key) == WHOLE_STATE for row in self._sent):
            insist(self._repeat_state)
        self._sent = []

    def _repeat_state(self) -> None:
        """Put the newest state into the outbox once more; the active service publishes it."""
        with self._desk.store.writing(needs_lease=False) as unit:
            unit.outbox.repeat(*WHOLE_STATE, at=self._desk.clock())

    def _set_aside(self) -> list[OutboxRow]:
        """Return what was set aside, if it is time to try it again."""
        if time.monotonic() < self._again_at:
            return []
        with self._desk.store.reading() as unit:
            waits = unit.outbox.count_refused()
        if waits:
            with self._desk.store.writing(keeps=False) as unit:
                unit.outbox.drop_superseded((STATE.name, RULES.name))
                rows = [one.row for one in unit.outbox.refused(BATCH)]
        self._again_at = time.monotonic() + AGAIN
        self._aside = {row.seq for row in rows} if waits else set()
        return rows if waits else []

    def _publish(self, rows: list[OutboxRow]) -> None:
        """Send *rows* in order, and mark those that arrived and those that Kafka never takes."""
        producer = self._producer or self._open()
        self._sent = rows
        sent = [(row, self._hand_over(producer, row)) for row in rows]
        outcome = self._outcome(sent)
        if outcome.arrived or outcome.at_fault:
            with self._desk.store.writing(keeps=False) as unit:
                unit.outbox.mark_published(outcome.arrived, self._desk.clock())
                for seq, why in outcome.at_fault.items():
                    unit.outbox.set_aside(seq, why)
        if len(outcome.arrived) + len(outcome.at_fault) == len(rows):
            self._sent = []
        if outcome.at_fault:
            self.close()  # a refusal makes the producer's numbers of its batches doubtful
        if outcome.trouble is not None:
            raise outcome.trouble

    def _hand_over(self, producer: Any, row: OutboxRow) -> Any:
        """Return the future of *row*, why the producer does not take it, or None if it is there."""
        place = self._place(producer, row)
        doubtful = row.seq in self._aside or len(row.value) >= DOUBTFUL
        if row.seq <= self._already(place) and not doubtful:
            return None
        try:
            return self._send(producer, place, row)
        except AT_FAULT as error:
            return error

    def _outcome(self, sent: list[tuple[OutboxRow, Any]]) -> _Outcome:
        """Wait for Kafka to have each row; return those that it has, and why not the others.

        Ends early when we are asked to stop. A row that Kafka refuses stays in the outbox and
        is tried again, but does not hold back those of other keys.
        """
        outcome = _Outcome([], {}, None)
        for row, future in sent:
            try:
                if future is not None and not self._has(future):
                    break
            except AT_FAULT as error:
                what = f"{row.topic} {row.key!r}, {len(row.value)} characters"
                log.error("Kafka does not take outbox row %d (%s): %s", row.seq, what, error)
                outcome.at_fault[row.seq] = f"{what}: {type(error).__name__}"
            except KafkaError as error:
                log.error("Kafka refused outbox row %d for %s: %s", row.seq, row.topic, error)
                outcome = outcome._replace(trouble=error)
            else:
                outcome.arrived.append(row.seq)
        return outcome

    def _has(self, future: Any) -> bool:
        """Wait until Kafka acknowledged a record, however long; False if asked to stop first."""
        if isinstance(future, KafkaError):
            raise future
        while True:
            try:
                future.get(timeout=1)
            except KafkaTimeoutError:
                if future.is_done:
                    raise
                self.waiting_for_kafka = True
                if self._is_stopping():
                    return False
            else:
                self.waiting_for_kafka = False
                return True

    def _send(self, producer: Any, place: TopicPartition, row: OutboxRow) -> Any:
        """Hand a row to the producer and return its future."""
        return producer.send(
            place.topic,
            partition=place.partition,
            key=row.key.encode(),
            value=row.value.encode(),
            headers=[(NUMBER, str(row.seq).encode()), *_HEADERS.get(row.topic, ())],
        )

    def _place(self, producer: Any, row: OutboxRow) -> TopicPartition:
        """Return the partition of a row's key, as every client library would choose it.

        Workers read the first partition of the topics that have one; were such a topic made, or
        widened, by somebody else, the first is still where they look.
        """
        topic = self._desk.settings.topic(row.topic)
        if row.topic in UNDIVIDED:
            return TopicPartition(topic, 0)
        partitions = sorted(producer.partitions_for(topic) or ())
        if not partitions:
            raise Unavailable("kafka", f"topic {topic} is not there")
        hashed = murmur2(row.key.encode()) & 0x7FFFFFFF
        return TopicPartition(topic, partitions[hashed % len(partitions)])

    def _open(self) -> Any:
        """Open an idempotent producer that never gives a record up while it lives."""
        topics = [self._desk.settings.topic(topic.name) for topic in (ALERTS, RULES, STATE)]
        self._published, self._tails = {}, last_records(self._servers, topics)
        self._producer = KafkaProducer(
            bootstrap_servers=self._servers.split(","),
            client_id="governance-outbox",
            acks="all",
            enable_idempotence=True,
            delivery_timeout_ms=FOR_EVER,
            bootstrap_timeout_ms=PATIENCE,
            request_timeout_ms=PATIENCE,
            max_block_ms=PATIENCE,
            max_request_size=LARGEST,
            reconnect_backoff_max_ms=1_000,
            allow_auto_create_topics=False,
        )
        return self._producer

    def _already(self, place: TopicPartition) -> int:
        """Return the number up to which the rows of a partition are known to be published."""
        if place not in self._published:
            self._published[place] = self._last_published(self._tails.get(place))
        return self._published[place]

    def _last_published(self, record: Any) -> int:
        """Return the number of a partition's last record if that very row still waits here."""
        number = _number(record)
        if number is None:
            return 0
        with self._desk.store.reading() as unit:
            row = unit.outbox.waiting_row(number)
        found = (record.key, record.value)
        same = row is not None and (row.key.encode(), row.value.encode()) == found
        return number if same else 0

    def _prune(self) -> None:
        """Forget old published rows, every ten minutes."""
        if time.monotonic() - self._pruned_at < PRUNE:
            return
        self._pruned_at = time.monotonic()
        with self._desk.store.writing(keeps=False) as unit:
            gone = unit.outbox.prune(self._desk.clock() - KEPT, keep=KEPT_ROWS)
        if gone:
            log.info("forgot %d published outbox rows", gone)


def _end(producer: Any) -> None:
    """Close *producer*; what it had not delivered by then, it shall not deliver later."""
    try:
        producer.close(timeout=1)
    except KafkaError:
        # Its close gives up before it has ended the thread that goes on delivering.
        producer._sender.force_close()


def _number(record: Any) -> int | None:
    """Return the outbox number that a record carries, or None if it is no record of ours."""
    for name, value in record.headers if record is not None else ():
        if name == NUMBER and value.isdigit():
            return int(value)
    return None
