"""Traffic: how many requests, how fast, by route; and what the process itself uses.

The names begin with the prefix of the settings without its ``governance_``, so ``simcorp_`` by
default: they concern the process, not autonomy. Routes are counted by their template, and what
matches none as ``unmatched``: a scanner's guesses must not become labels.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.connections import Connections
from api.headers import HEAD_FLAG

SERVICE: Final = "governance"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"})
LABELS: Final = ("service", "method", "route", "status_code")


class TrafficMetrics:
    """The counters of the HTTP layer, on a registry of the application's own."""

    def __init__(self, registry: CollectorRegistry, prefix: str) -> None:
        self.requests = Counter(
            f"{prefix}http_requests", "Requests answered.", LABELS, registry=registry
        )
        self.durations = Histogram(
            f"{prefix}http_request_duration_seconds",
            "From the first byte of a request to the last of its answer.",
            LABELS,
            registry=registry,
        )
        registry.register(ProcessMetrics(prefix))

    def count(self, scope: Scope, *, status: int, seconds: float) -> None:
        """Count one answered request."""
        labels = (SERVICE, _method_of(scope), _route_of(scope), str(status))
        self.requests.labels(*labels).inc()
        self.durations.labels(*labels).observe(seconds)


class Traffic:
    """The layer that counts; a request whose client went away before any answer is not counted."""

    def __init__(self, app: ASGIApp, metrics: TrafficMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count its answer."""
        began = perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            if status and scope["type"] == "http":
                self.metrics.count(scope, status=status, seconds=perf_counter() - began)


class ProcessMetrics(Collector):
    """Memory and processor time of this process, read when asked."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def collect(self) -> Iterable[Metric]:
        """Read them from the kernel."""
        memory = GaugeMetricFamily(
            f"{self.prefix}process_resident_memory_bytes", "Memory that is resident."
        )
        memory.add_metric([], resident_bytes())
        cpu = CounterMetricFamily(
            f"{self.prefix}process_cpu_user_seconds", "Processor time in user mode."
        )
        cpu.add_metric([], resource.getrusage(resource.RUSAGE_SELF).ru_utime)
        return (memory, cpu)


class ConnectionMetrics(Collector):
    """Connections that are open, and those that were ended for the sake of others."""

    def __init__(self, prefix: str, connections: Connections) -> None:
        self.prefix = prefix
        self.connections = connections

    def collect(self) -> Iterable[Metric]:
        """Read them as they are."""
        found = GaugeMetricFamily(f"{self.prefix}http_connections", "Connections that are open.")
        found.add_metric([], len(self.connections))
        ended = CounterMetricFamily(
            f"{self.prefix}http_connections_ended",
            "Connections that were ended because their client let us wait.",
            labels=["reason"],
        )
        for reason, count in self.connections.ended.items():
            ended.add_metric([reason], count)
        return (found, ended)


def resident_bytes() -> int:
    """Return how much of this process is in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _method_of(scope: Scope) -> str:
    """Return the method as the client sent it, or ``other`` for one that HTTP does not know."""
    method = "HEAD" if HEAD_FLAG in scope else str(scope["method"])
    return method if method in METHODS else "other"


def _route_of(scope: Scope) -> str:
    """Return the template of the route that took the request."""
    return getattr(scope.get("route"), "path", "unmatched")
