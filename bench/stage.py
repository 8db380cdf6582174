"""Where things are measured: topics of their own on one Kafka, and the processes that use them.

Kafka ── bench.throughput.* ── worker
      └─ bench.latency.* ───── worker, state service with API, producers
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
from kafka import KafkaAdminClient, KafkaProducer

from bench.processes import Measured, cpu_seconds
from bench.web import get
from embedded.kafka import KafkaCluster
from embedded.ports import choose
from embedded.topics import ensure
from rules.defaults import default_rules
from schemas.rules import RuleVersion
from schemas.topics import COMMAND_EVENTS, RULES, TOPICS

KEPT: Final = (COMMAND_EVENTS, RULES)
GLANCE: Final = 0.1
"""Seconds between two looks at whether something has come about."""


class Stage:
    """One set of topics on *kafka*, and the environment of the processes that use it."""

    def __init__(self, kafka: KafkaCluster, name: str, folder: Path) -> None:
        self.servers = kafka.bootstrap_servers
        self.prefix = f"bench.{name}."
        self.folder = folder
        self.worker_port, self.api_port = choose([0, 0])
        self.settings: dict[str, str] = {}
        """What a measurement sets otherwise."""
        self._broker = psutil.Process(kafka.nodes[0].pid)
        self._runs = 0

    @property
    def events_topic(self) -> str:
        """Return the full name of the topic of events."""
        return self.prefix + COMMAND_EVENTS.name

    @property
    def broker_cpu(self) -> float:
        """Return the CPU seconds that Kafka used since it began."""
        return cpu_seconds(self._broker)

    def build(self, *, rules: bool = True) -> None:
        """Make the topics; with *rules*, the default rules are in force from the beginning.

        Without, they come from the state service when it starts for the first time.
        """
        ensure(self.servers, prefix=self.prefix)
        if rules:
            self._publish_rules()

    def _publish_rules(self) -> None:
        producer = KafkaProducer(bootstrap_servers=self.servers.split(","))
        for rule in default_rules():
            version = RuleVersion(
                name=rule.name, version=1, effective_from=0, rule=rule, changed_at=datetime.now(UTC)
            )
            producer.send(self.prefix + RULES.name, version.to_bytes(), version.key.encode())
        producer.flush()
        producer.close()

    def clear(self) -> None:
        """Empty everything that workers write, and forget where they were.

        So nothing that an earlier run stored can help the next.
        """
        gone = [self.prefix + topic.name for topic in TOPICS if topic not in KEPT]
        with KafkaAdminClient(bootstrap_servers=self.servers.split(",")) as admin:
            admin.delete_topics(gone)
            while set(admin.list_topics()) & set(gone):
                time.sleep(GLANCE)
        ensure(self.servers, prefix=self.prefix)
        self._runs += 1

    def environment(self) -> dict[str, str]:
        """Return the settings of our processes: the defaults but for where things are."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.servers,
            "PORT": str(self.api_port),
            "GOVERNANCE_TOPIC_PREFIX": self.prefix,
            "GOVERNANCE_WORKER_GROUP": f"{self.prefix}{self._runs}",
            "GOVERNANCE_WORKER_ID": "bench-0",
            "GOVERNANCE_WORKER_METRICS_PORT": str(self.worker_port),
            "GOVERNANCE_DATA_DIR": str(self.folder / "var"),
            "GOVERNANCE_LOG_FILE": str(self.folder / "governance.log"),
            "GOVERNANCE_DB_PATH": str(self.folder / "governance.db"),
            "LOG_LEVEL": "warning",
            **self.settings,
        }

    # ---------------------------------------------------------------------------- processes

    def worker(self, *, profile: Path | None = None) -> Measured:
        """Start a worker with the defaults that it has in production."""
        self.worker_port = choose([0])[0]
        if profile is not None:
            return self._start("bench.profiled_worker", str(profile))
        return self._start("cli", "worker", "--assume-topics")

    def service(self) -> Measured:
        """Start the state service with the API; return when it answers."""
        service = self._start("cli", "api", "--assume-topics")
        while get(self.api_port, "/health")[0] != 200:
            service.check()
            time.sleep(GLANCE)
        return service

    def produce(self, count: int, rate: float, shard: int = 0) -> Measured:
        """Start to append *count* events, *rate* a second; no two shards share an id."""
        where = [self.servers, self.events_topic]
        return self._start("bench.produce", *where, str(count), str(rate), f"--shard={shard}")

    def peer(self, module: str, count: int, name: str) -> Measured:
        """Start one of the peers to read *count* events as the consumer group *name*."""
        return self._start(module, self.servers, self.events_topic, str(count), name)

    def is_sighted(self) -> bool:
        """Return whether the worker says that it has judged up to a moment ago."""
        return get(self.worker_port, "/health")[0] == 200

    def _start(self, *command: str) -> Measured:
        return Measured(list(command), self.environment(), folder=self.folder)
