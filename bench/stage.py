"""Where everything is measured: one Kafka, one topic of events, the default rules in force.

Each run of a worker begins with nothing but the events and the rules: the other topics are made
anew, so that nothing that an earlier run stored can help it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kafka import KafkaAdminClient, KafkaProducer

from bench.processes import Measured
from embedded.ports import choose
from embedded.topics import ensure
from rules.defaults import default_rules
from schemas.rules import RuleVersion
from schemas.topics import COMMAND_EVENTS, RULES, TOPICS

KEPT: Final = (COMMAND_EVENTS, RULES)


class Stage:
    """One set of topics on a Kafka, and the environment of the processes that use it."""

    def __init__(self, servers: str, prefix: str, folder: Path) -> None:
        self.servers = servers
        self.prefix = prefix
        self.folder = folder
        self.metrics_port = 0
        self._runs = 0

    @property
    def events_topic(self) -> str:
        """Return the full name of the topic of events."""
        return self.prefix + COMMAND_EVENTS.name

    def build(self) -> None:
        """Make the topics, and put the default rules in force from the beginning of time."""
        ensure(self.servers, prefix=self.prefix)
        producer = KafkaProducer(bootstrap_servers=self.servers.split(","))
        for rule in default_rules():
            version = RuleVersion(
                name=rule.name, version=1, effective_from=0, rule=rule, changed_at=datetime.now(UTC)
            )
            producer.send(self.prefix + RULES.name, version.to_bytes(), version.key.encode())
        producer.flush()
        producer.close()

    def clear(self) -> None:
        """Empty everything that workers write, and forget where they were."""
        gone = [self.prefix + topic.name for topic in TOPICS if topic not in KEPT]
        with KafkaAdminClient(bootstrap_servers=self.servers.split(",")) as admin:
            admin.delete_topics(gone)
            while set(admin.list_topics()) & set(gone):
                time.sleep(0.05)
        ensure(self.servers, prefix=self.prefix)
        self._runs += 1

    def environment(self) -> dict[str, str]:
        """Return the settings of a worker: the defaults but for where things are."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.servers,
            "GOVERNANCE_TOPIC_PREFIX": self.prefix,
            "GOVERNANCE_WORKER_GROUP": f"{self.prefix}{self._runs}",
            "GOVERNANCE_WORKER_ID": "bench-0",
            "GOVERNANCE_WORKER_METRICS_PORT": str(self.metrics_port),
            "GOVERNANCE_DATA_DIR": str(self.folder / "var"),
            "GOVERNANCE_LOG_FILE": str(self.folder / "governance.log"),
            "GOVERNANCE_DB_PATH": str(self.folder / "governance.db"),
            "LOG_LEVEL": "warning",
        }

    def produce(self, count: int, rate: float, shard: int = 0) -> Measured:
        """Start to append *count* events, *rate* a second; no two shards share an id."""
        where = [self.servers, self.events_topic]
        how = [str(count), str(rate), f"--shard={shard}"]
        return Measured(["bench.produce", *where, *how], {}, folder=self.folder)

    def worker(self, *options: str) -> Measured:
        """Start a worker with the production defaults."""
        self.metrics_port = choose([0])[0]
        return Measured(["bench.part", "worker", *options], self.environment(), folder=self.folder)
