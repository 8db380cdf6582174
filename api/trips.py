"""Trips as Prometheus counts them: one family that grows, and one that shows when it was last.

The client library refuses a gauge ``circuit_breaker_events`` beside the counter
``circuit_breaker_events_total``, so both come from here, under the names that dashboards use.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from governance import handlers
from governance.desk import Desk
from governance.store.events import EventCount
from schemas.wire import to_ms

LABELS: Final = ("rule_name", "action", "alert_severity")


class Kind(NamedTuple):
    """The labels of a trip."""

    rule_name: str
    action: str
    alert_severity: str


class Seen(NamedTuple):
    """What the database held of one kind: how many, and when the newest tripped."""

    number: int = 0
    latest: datetime | None = None


class TripCounts:
    """Counts trips so that the number never falls, although old events may be deleted.

    The runbook deletes resolved events after 90 days. A counter that fell would read as a
    restart, and every trip that is left as a new one.
    """

    def __init__(self, desk: Desk, prefix: str) -> None:
        self._desk = desk
        self._prefix = prefix
        self._lock = threading.Lock()
        self._seen: dict[Kind, Seen] = {}
        self._totals: dict[Kind, int] = {}

    def collect(self) -> Iterator[Metric]:
        """Read the events and yield the four families.

        Raises:
            Unavailable: the database does not answer.
        """
        counts = handlers.count_events(self._desk)
        with self._lock:
            self._grow(seen_of(counts))
            yield self._total()
        yield self._newest(counts)
        yield self._unresolved(counts)
        yield self._overdue()

    def _grow(self, found: dict[Kind, Seen]) -> None:
        """Add what came since the last time; enabled rules begin at 0."""
        for rule in handlers.list_rules(self._desk, enabled_only=True):
            self._totals.setdefault(Kind(rule.name, rule.action, rule.alert_severity), 0)
        for kind, now in found.items():
            grown = added(self._seen.get(kind, Seen()), now)
            self._totals[kind] = self._totals.get(kind, 0) + grown
        self._seen = found

    def _total(self) -> Metric:
        """Return the counter."""
        family = CounterMetricFamily(
            f"{self._prefix}circuit_breaker_events", "Trips.", labels=LABELS
        )
        for kind, total in sorted(self._totals.items()):
            family.add_metric(list(kind), total)
        return family

    def _newest(self, counts: Iterable[EventCount]) -> Metric:
        """Return when each kind last tripped, in ms since 1970, as dashboards show moments."""
        family = GaugeMetricFamily(
            f"{self._prefix}circuit_breaker_events",
            "When the newest trip was, in milliseconds since 1970.",
            labels=("resolved", *LABELS),
        )
        for count in counts:
            resolved = "true" if count.resolved else "false"
            family.add_metric([resolved, *kind_of(count)], to_ms(count.latest))
        return family

    def _unresolved(self, counts: Iterable[EventCount]) -> Metric:
        """Return how many events people have still to resolve."""
        waiting = sum(count.count for count in counts if not count.resolved)
        family = GaugeMetricFamily(
            f"{self._prefix}circuit_breaker_events_unresolved", "Events to resolve."
        )
        family.add_metric([], waiting)
        return family

    def _overdue(self) -> Metric:
        """Return how many events nobody answered by when they were due."""
        family = GaugeMetricFamily(
            f"{self._prefix}circuit_breaker_events_overdue", "Events nobody answered in time."
        )
        family.add_metric([], handlers.count_overdue(self._desk))
        return family


def kind_of(count: EventCount) -> Kind:
    """Return the labels of what was counted."""
    return Kind(count.rule_name, count.action, count.severity)


def seen_of(counts: Iterable[EventCount]) -> dict[Kind, Seen]:
    """Return what is there of each kind, resolved or not."""
    found: dict[Kind, Seen] = {}
    for count in counts:
        before = found.get(kind_of(count), Seen())
        latest = max(before.latest or count.latest, count.latest)
        found[kind_of(count)] = Seen(before.number + count.count, latest)
    return found


def added(before: Seen, now: Seen) -> int:
    """Return how many trips came between two looks, as far as deletions let one know.

    >>> noon = datetime.fromisoformat("2026-11-23T12:00:00+00:00")
    >>> added(Seen(50, noon), Seen(30, noon)), added(Seen(2, noon), Seen(3, noon))
    (0, 1)
    """
    newer = now.latest is not None and (before.latest is None or now.latest > before.latest)
    return max(now.number - before.number, int(newer))
