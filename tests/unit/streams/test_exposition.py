"""A worker's HTTP port: what Prometheus and a supervisor get to see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from streams.exposition import serve
from streams.metrics import WorkerMetrics


class Worker:
    """A worker as its port shows it; its health is what the test says."""

    def __init__(self) -> None:
        self.health: dict[str, Any] = {"status": "healthy"}
        self.metrics = WorkerMetrics("test_")
        self._server = serve(
            "127.0.0.1", 0, registry=self.metrics.registry, health=lambda: self.health
        )

    def ask(self, path: str) -> tuple[int, str, str]:
        """Return status, content type and body of what *path* answers."""
        connection = HTTPConnection("127.0.0.1", self._server.server_address[1], timeout=10)
        try:
            connection.request("GET", path)
            answer: HTTPResponse = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
        finally:
            connection.close()

    def stop(self) -> None:
        """Give the port back."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Return a worker on a free port."""
    worker = Worker()
    yield worker
    worker.stop()


@pytest.mark.parametrize(("status", "code"), [("healthy", 200), ("degraded", 503)])
def test_health_is_the_answers_status(worker: Worker, status: str, code: int) -> None:
    """A supervisor needs no JSON to see blindness, and people see the reason."""
    worker.health = {"status": status, "frontierAgeSeconds": 4.2}
    found, kind, body = worker.ask("/health")
    assert (found, kind, json.loads(body)) == (code, "application/json", worker.health)


def test_metrics_are_there_from_the_start(worker: Worker) -> None:
    """A counter that has counted nothing shows 0, with the prefix that was asked for."""
    status, kind, body = worker.ask("/metrics")
    assert status == 200
    assert kind.startswith("text/plain")
    assert "test_worker_events_total 0.0" in body.splitlines()


def test_a_total_is_shown_as_it_is(worker: Worker) -> None:
    """However often it is brought up to date, a counter shows the number that was counted."""
    for total in (3, 3, 7):
        worker.metrics.raise_to(worker.metrics.events, total)
        worker.metrics.raise_to(worker.metrics.dead.labels("late"), total)
    lines = worker.ask("/metrics")[2].splitlines()
    assert "test_worker_events_total 7.0" in lines
    assert 'test_worker_dead_letters_total{reason="late"} 7.0' in lines


def test_other_paths_are_not_found(worker: Worker) -> None:
    """The answer says which there are."""
    assert worker.ask("/")[::2] == (404, "try /metrics or /health\n")
