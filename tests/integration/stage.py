"""A small set of topics on which tests send events, change rules, and watch what is decided."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from embedded.provision import provision
from schemas.actions import DECISION, BreakerAction
from schemas.rules import Rule, RuleVersion
from schemas.settings import Settings
from schemas.tallies import OVERALL, Column
from schemas.wire import from_ms, to_ms
from tests.integration.topics import cuts_of, read_topic
from tests.integration.workers import Worker
from tests.oracle.comparing import summed_cuts
from tests.unit.rules.facts import rule
from tests.unit.streams.facts import command

UNPACKED: Final = 64 * 1024 * 1024
"""Bytes that a compressed batch may unpack to, more than a worker publishes at once."""

PATIENCE: Final = 150.0
"""Seconds to wait for what takes a few on an idle machine."""

LEAD: Final = 5_000
"""How far ahead (ms) changes take effect: they must lie on Kafka by then, however busy it is."""


def now() -> int:
    """Return the time of day in ms."""
    return time.time_ns() // 1_000_000


@dataclass
class Stage:
    """Topics under one prefix: two source partitions, as many judges; and who uses them."""

    kafka: str
    prefix: str
    folder: Path
    actions: dict[str, BreakerAction] = field(default_factory=dict)
    judged: dict[int, tuple[int, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = {"GOVERNANCE_EVENT_PARTITIONS": "2", "GOVERNANCE_TALLY_PARTITIONS": "2"}
        provision(
            Settings(
                _env_file=None, topic_prefix=self.prefix, event_partitions=2, tally_partitions=2
            ),
            self.kafka,
        )

    def __enter__(self) -> Self:
        # A broker that was killed is knocked on twice a second, not every half minute.
        patience = {"bootstrap_servers": self.kafka, "reconnect_backoff_max_ms": 500}
        self._producer = KafkaProducer(**patience, acks="all", metadata_max_age_ms=500)
        self._consumer = KafkaConsumer(**patience, enable_auto_commit=False)
        decisions = TopicPartition(f"{self.prefix}breaker-actions", 0)
        self._consumer.assign([decisions])
        self._consumer.seek_to_beginning(decisions)
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()
        self._producer.close()

    def worker(self, name: str = "w0", **settings: str) -> Worker:
        """Return a worker that is not started yet and flushes often."""
        often = {"GOVERNANCE_FLUSH_MILLISECONDS": "200"}
        more = self.settings | often | settings
        return Worker(self.kafka, self.prefix, f"{self.prefix}{name}", self.folder, more=more)

    # ---------------------------------------------------------------------------- what goes in

    def send(self, *values: bytes, partition: int = 0) -> None:
        """Append records to one partition, and wait until they lie there."""
        topic = f"{self.prefix}command-events"
        self.wait(lambda: partition in self._producer.partitions_for(topic))  # it may be new
        for sent in [self._producer.send(topic, one, partition=partition) for one in values]:
            sent.get(timeout=PATIENCE)

    def send_packed(self, values: Sequence[bytes]) -> None:
        """Append records to partition 0 as one compressed batch, which is small on the way."""
        asyncio.run(self._send_packed(values))

    async def _send_packed(self, values: Sequence[bytes]) -> None:
        """Let aiokafka do it: it hands a batch over as a whole, however large it is unpacked."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka,
            compression_type="gzip",
            max_batch_size=UNPACKED,
            max_request_size=UNPACKED,
        )
        await producer.start()
        try:
            batch = producer.create_batch()
            for value in values:
                assert batch.append(key=None, value=value, timestamp=None) is not None
            await (await producer.send_batch(batch, f"{self.prefix}command-events", partition=0))
        finally:
            await producer.stop()

    def fail(self, *ids: str, kind: str = "FAN", partition: int = 0) -> None:
        """Send a failure that happens now for each of *ids*."""
        values = (command(one, at=now(), commandType=kind, status="failed") for one in ids)
        self.send(*values, partition=partition)

    def change(self, version: int = 1, *, since: int = 0, **fields: Any) -> None:
        """Publish a version of the rule, in force from *since*."""
        written: Rule = rule(**({"condition": "failures >= 5", "window": "10m"} | fields))
        record = RuleVersion(
            name=written.name,
            version=version,
            effective_from=since,
            rule=written,
            changed_at=from_ms(now()),
        )
        sent = self._producer.send(
            f"{self.prefix}rules", record.to_bytes(), key=record.key.encode(), partition=0
        )
        sent.get(timeout=PATIENCE)

    def write(self, topic: str, value: bytes, partition: int = 0) -> None:
        """Append a record to any topic, as somebody may who should not."""
        name = f"{self.prefix}{topic}"
        self._producer.send(name, value, partition=partition).get(timeout=PATIENCE)

    def cut_off(self, topic: str) -> None:
        """Append a record that says nothing, and delete all, as too short a retention does."""
        found = [TopicPartition(self.prefix + topic, number) for number in range(2)]
        if not topic.endswith("changelog"):
            for tp in found:
                self._producer.send(tp.topic, b"", partition=tp.partition).get(timeout=PATIENCE)
        admin = KafkaAdminClient(bootstrap_servers=self.kafka)
        try:
            admin.delete_records(self._consumer.end_offsets(found))
        finally:
            admin.close()

    # -------------------------------------------------------------------------- what comes out

    def wait(self, done: Callable[[], bool], worker: Worker | None = None) -> None:
        """Read decisions until *done*; meanwhile be the supervisor of *worker*."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, worker.said() if worker else "it does not happen"
            self._read()
            if worker is not None:
                worker.supervise()

    def wait_judged(self, worker: Worker | None = None) -> None:
        """Return when both judges have decided on everything up to this moment."""
        moment = now()
        self.wait(
            lambda: (
                len(self.judged) == 2 and all(until > moment for until, _ in self.judged.values())
            ),
            worker,
        )

    def wait_committed(self, group: str) -> None:
        """Return when positions of both topics are committed."""
        admin = KafkaAdminClient(bootstrap_servers=self.kafka)
        try:
            self.wait(lambda: len(committed_topics(admin, group)) == 2)
        finally:
            admin.close()

    def _read(self) -> None:
        """Take up what the judges have said."""
        for records in self._consumer.poll(timeout_ms=100).values():
            for record in records:
                decision = DECISION.validate_json(record.value)
                if isinstance(decision, BreakerAction):
                    self.actions[decision.id] = decision
                else:
                    until = to_ms(decision.judged_until)
                    self.judged[decision.partition] = (until, decision.worker)

    def counted(self) -> dict[str, int]:
        """Return what the tallies add up to overall, by column; every cut is there once."""
        total: Counter[str] = Counter()
        for records in read_topic(self.kafka, f"{self.prefix}tallies").values():
            for (scope, _, _), cell in summed_cuts(cuts_of(records)).items():
                if scope == OVERALL:
                    total.update({Column(column).name: number for column, number in cell.items()})
        return dict(total)


def committed_topics(admin: Any, group: str) -> set[str]:
    """Return the topics of which *group* has committed a position that is not the beginning."""
    found = admin.list_group_offsets(group)[group]
    return {tp.topic for tp, committed in found.items() if committed.offset > 0}
