"""What a worker counts of itself, per batch and never per event.

The catalogue of a worker's metrics; `docs/metrics.md` lists the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.events import Reason
from schemas.topics import COMMAND_EVENTS, JUDGE_CHANGELOG, TALLIES, TALLY_CHANGELOG

SOURCES = (COMMAND_EVENTS.name, TALLIES.name)
INTERNAL = (TALLIES.name, TALLY_CHANGELOG.name, JUDGE_CHANGELOG.name)
"""Topics that only workers write: a record that cannot be read is somebody else's."""


class WorkerMetrics:
    """One worker's metrics in a registry of their own."""

    def __init__(self, prefix: str) -> None:
        self.registry = CollectorRegistry()
        self._shown: dict[int, int] = {}
        self._held: set[str] = set()
        self.events = self._counter(prefix, "events", "Events counted.")
        self.batches = self._counter(prefix, "batches", "Partition batches taken.", agent=SOURCES)
        self.records = self._counter(prefix, "records", "Records read, ticks too.", agent=SOURCES)
        self.late = self._counter(prefix, "late_events", "Events too late to count.")
        self.early = self._counter(prefix, "early_events", "Events counted at the clock instead.")
        self.duplicates = self._counter(prefix, "duplicate_events", "Repeats of an event id.")
        self.dead = self._counter(
            prefix, "dead_letters", "Records refused, by reason.", reason=tuple(Reason)
        )
        self.ticks = self._counter(prefix, "ticks", "Ticks appended to quiet partitions.")
        self.actions = self._counter(prefix, "actions", "Breaker actions published.")
        self.overflow = self._counter(
            prefix, "overflowed_events", "Times that a value beyond the limit was counted."
        )
        self.seeks = self._counter(
            prefix, "gaps_healed", "Batches that began too late.", agent=SOURCES
        )
        self.invalid = self._counter(prefix, "invalid_control_records", "Rules left out as broken.")
        self.rules = Gauge(
            f"{prefix}worker_rules",
            "Rules that every judge of this worker judges by; 0 is blind.",
            registry=self.registry,
        )
        self.unreadable = self._counter(
            prefix, "unreadable_records", "Records of others in our topics.", topic=INTERNAL
        )
        self.lag = Gauge(
            f"{prefix}worker_lag_seconds",
            "Age of the moment up to which this worker has judged (its frontier).",
            ["partition"],
            registry=self.registry,
        )
        self.horizon = Gauge(
            f"{prefix}worker_id_horizon_seconds",
            "For how long event ids are remembered at least, as things are.",
            ["partition"],
            registry=self.registry,
        )
        self.scopes = Gauge(
            f"{prefix}worker_scopes", "Scopes kept.", ["partition"], registry=self.registry
        )
        self.overflowed = Gauge(
            f"{prefix}worker_overflowed_values",
            "Distinct values beyond the limit that were counted as one lately.",
            ["partition"],
            registry=self.registry,
        )
        self.transactions = Gauge(
            f"{prefix}worker_open_transaction_seconds",
            "For how long an open transaction has held a partition back, as far as seen.",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.detection = Histogram(
            f"{prefix}worker_detection_latency_seconds",
            "From the moment of a trip in the log to its action being handed to Kafka.",
            buckets=(0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 15, 60),
            registry=self.registry,
        )

    def _counter(self, prefix: str, name: str, text: str, **labels: Iterable[str]) -> Counter:
        """Return a counter of this worker, there from the start for all values of a label.

        What is not there before it first happens is no increase when it does.
        """
        counter = Counter(f"{prefix}worker_{name}", text, labels, registry=self.registry)
        for values in labels.values():
            for value in values:
                counter.labels(str(value))
        return counter

    def show_transactions(self, held: Mapping[str, float]) -> None:
        """Show for how many seconds each of *held* (``topic/partition``) waits, and no other."""
        for name in self._held - held.keys():
            self.transactions.remove(*name.rsplit("/", 1))
        for name, seconds in held.items():
            self.transactions.labels(*name.rsplit("/", 1)).set(seconds)
        self._held = set(held)

    def raise_to(self, counter: Counter, total: int) -> None:
        """Let *counter* show *total*, which never falls while the process lives."""
        before = self._shown.get(id(counter), 0)
        counter.inc(total - before)
        self._shown[id(counter)] = total
