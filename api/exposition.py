"""Exposition: the state of autonomy as Prometheus reads it, gathered when it asks.

Nothing is kept up to date between two scrapes, so nothing can be stale. What the database holds
is left out while it does not answer, and ``database_up`` says so; a rate over nothing is left
out too, since 0 would read as perfect or as dead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.readiness_metrics import readiness_metrics
from api.trips import TripCounts
from governance import handlers
from governance.health import Role
from governance.metrics import Rates
from governance.service import StateService
from schemas.errors import Unavailable
from schemas.events import Severity
from schemas.governance import LADDER, Phase
from schemas.tallies import Column

RATE_WINDOW: Final = timedelta(minutes=5)
"""What the rate gauges look back on: the window of the default error rule, to agree with it."""

STATUSES: Final[dict[str, tuple[Column, ...]]] = {
    "proposed": (Column.PROPOSED,),
    "approved": (Column.APPROVED,),
    "succeeded": (Column.SUCCEEDED,),
    "failed": (Column.FAILED, Column.TIMED_OUT),
    "rejected": (Column.REJECTED,),
    "rolledBack": (Column.ROLLED_BACK,),
    "overridden": (Column.OVERRIDDEN,),
}
"""The values of the label ``status`` of commands, and what each counts."""

INCIDENTS: Final[dict[Severity, Column]] = {
    Severity.CRITICAL: Column.INCIDENT_CRITICAL,
    Severity.HIGH: Column.INCIDENT_HIGH,
    Severity.MEDIUM: Column.INCIDENT_MEDIUM,
    Severity.LOW: Column.INCIDENT_LOW,
}

SAFETY: Final[dict[str, Column]] = {
    "safety_constraint_violations": Column.CONSTRAINT_VIOLATION,
    "safety_emergency_aborts": Column.EMERGENCY_ABORT,
    "safety_gate_triggers": Column.SAFETY_GATE_TRIGGER,
}


class GovernanceMetrics(Collector):
    """Everything under the prefix of the settings, ``simcorp_governance_`` by default."""

    def __init__(self, service: StateService, prefix: str) -> None:
        self._service = service
        self._prefix = prefix
        self._trips = TripCounts(service.desk, prefix)

    def collect(self) -> Iterator[Metric]:
        """Gather all metrics; takes a few milliseconds of the database's time."""
        yield from self._counted()
        yield from self._stream()
        yield from self._leadership()
        writable = self._gauge("database_writable", "0 while the database is locked, full or away.")
        writable.add_metric([], int(self._service.store.trouble is None))
        yield writable
        database = self._gauge("database_up", "Whether the database answers.")
        try:
            stored = [
                *self._state(),
                *self._rates(),
                *self._trips.collect(),
                *readiness_metrics(self._service.desk, self._prefix),
            ]
        except Unavailable:
            stored = []
        database.add_metric([], int(bool(stored)))
        yield from (database, *stored)

    def _gauge(self, name: str, says: str, labels: Iterable[str] = ()) -> GaugeMetricFamily:
        """Return an empty gauge."""
        return GaugeMetricFamily(self._prefix + name, says, labels=tuple(labels))

    def _counter(self, name: str, says: str, labels: Iterable[str] = ()) -> CounterMetricFamily:
        """Return an empty counter; its exported name ends in ``_total``."""
        return CounterMetricFamily(self._prefix + name, says, labels=tuple(labels))

    def _state(self) -> Iterator[Metric]:
        """Yield the phase, how long it has lasted, and how often each was entered."""
        state = handlers.show_state(self._service.desk)
        info = self._gauge("current_phase_info", "1 for the present phase.", ["phase"])
        for phase in LADDER:
            info.add_metric([phase], int(phase is state.current_phase))
        days = self._gauge("days_since_phase_start", "Whole days in the present phase.")
        days.add_metric([], state.days_since_phase_start)
        paused = self._gauge("paused_command_types", "Command types that are paused by name.")
        paused.add_metric([], len(state.paused_command_types))
        everything = self._gauge("all_paused", "1 while every command type is paused.")
        everything.add_metric([], int(state.all_paused))
        epoch = self._gauge("autonomy_epoch", "How often autonomy was lowered, and once more.")
        epoch.add_metric([], state.autonomy_epoch)
        yield from (info, days, paused, everything, epoch, self._phase_changes())

    def _phase_changes(self) -> Metric:
        """Return how often each phase was moved to; the first start is no move."""
        changes = self._counter("phase_changes", "Moves to a phase.", ["phase"])
        for phase, entries in handlers.count_phase_entries(self._service.desk).items():
            first = 1 if phase is Phase.L3 else 0
            changes.add_metric([phase], max(0, entries - first))
        return changes

    def _rates(self) -> Iterator[Metric]:
        """Yield the rates of the last five minutes, those that stand on anything."""
        now = self._service.desk.clock()
        rates = self._service.metrics_between(now - RATE_WINDOW, now).rates
        for name in Rates.model_fields:
            gauge = self._gauge(f"command_{name}", "Share of commands, over the last 5 minutes.")
            value = getattr(rates, name)
            if value is not None:
                gauge.add_metric([], value)
                yield gauge

    def _counted(self) -> Iterator[Metric]:
        """Yield what executors did since this process began."""
        counts = self._service.counted_since_start()
        commands = self._counter("commands", "Commands by outcome.", ["status"])
        for status, columns in STATUSES.items():
            commands.add_metric([status], sum(counts[column] for column in columns))
        incidents = self._counter("incidents", "Incidents by severity.", ["severity"])
        for severity, column in INCIDENTS.items():
            incidents.add_metric([severity], counts[column])
        yield from (commands, incidents)
        for name, column in SAFETY.items():
            signals = self._counter(name, "How often a safety system reported it.")
            signals.add_metric([], counts[column])
            yield signals

    def _leadership(self) -> Iterator[Metric]:
        """Yield which of the services on one database this is."""
        standing = self._service.standing()
        active = self._gauge("service_active", "1 for the active service, 0 for a standby.")
        active.add_metric([], int(standing.role is Role.ACTIVE))
        fencing = self._gauge("service_fencing_number", "Grows with each take-over.")
        if standing.fencing is not None:
            fencing.add_metric([], standing.fencing)
        taken = self._counter("service_takeovers", "How often this process became active.")
        taken.add_metric([], self._service.election.terms)
        yield from (active, fencing, taken)

    def _stream(self) -> Iterator[Metric]:
        """Yield how far behind the judges and this service are."""
        service = self._service
        age = self._gauge("frontier_age_seconds", "How far the slowest judge is behind now.")
        behind = service.frontier_age()
        if behind is not None:
            age.add_metric([], behind.total_seconds())
        lag = self._gauge("state_lag_records", "Records not read yet, by topic.", ["topic"])
        for topic, reader in (("breaker-actions", service.consumer), ("tallies", service.tallies)):
            if reader.pulse is not None:
                lag.add_metric([topic], reader.pulse.lag)
        unread = self._counter("state_malformed_records", "Records nobody can read.", ["topic"])
        unread.add_metric(["breaker-actions"], service.consumer.malformed.count)
        unread.add_metric(["tallies"], service.tallies.malformed)
        applied = self._counter("state_actions", "Breaker actions by what became of them.", ["was"])
        applied.add_metric(["applied"], service.consumer.counted.applied)
        applied.add_metric(["repeated"], service.consumer.counted.repeated)
        yield from (age, lag, unread, applied)
