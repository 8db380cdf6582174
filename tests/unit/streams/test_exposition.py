"""A worker's HTTP port: what Prometheus and a supervisor get to see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
from pydantic import SecretStr

from schemas.events import Reason
from streams.exposition import is_sent, serve
from streams.metrics import WorkerMetrics

TOKEN = "a-token-of-thirty-two-characters"


class Worker:
    """A worker as its port shows it; its health is what the test says."""

    def __init__(self, token: SecretStr | None = None) -> None:
        self.health: dict[str, Any] = {"status": "healthy"}
        self.metrics = WorkerMetrics("test_")
        self._server = serve(
            "127.0.0.1",
            0,
            registry=self.metrics.registry,
            health=lambda: self.health,
            token=token,
        )

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
        """Return status, content type and body of what *path* answers."""
        connection = HTTPConnection("127.0.0.1", self._server.server_address[1], timeout=60)
        try:
            connection.request(method, path, headers=headers)
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


@pytest.fixture
def guarded() -> Iterator[Worker]:
    """Return a worker that wants a token."""
    worker = Worker(SecretStr(TOKEN))
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


@pytest.mark.parametrize("path", ["/health", "/metrics", "/health?verbose=1", "/metrics?a=b&c"])
def test_probes_may_ask_with_a_query_and_without_wanting_the_body(
    worker: Worker, path: str
) -> None:
    """As at the API: HEAD answers as GET does, and what a query asks in vain hides nothing."""
    status, kind, body = worker.ask(path)
    assert (status, body != "") == (200, True)
    assert worker.ask(path, "HEAD") == (200, kind, "")


def test_a_scrape_may_name_the_metrics_that_it_wants(worker: Worker) -> None:
    """Prometheus asks with name[]; a name that nobody has gives nothing, not an error."""
    _, _, some = worker.ask("/metrics?name%5B%5D=test_worker_ticks_total")
    assert "test_worker_ticks_total 0.0" in some
    assert "test_worker_events_total" not in some
    assert worker.ask("/metrics?name[]=up")[::2] == (200, "")


def test_every_counter_is_there_before_it_counts(worker: Worker) -> None:
    """With each value of its label: what appears at 1 is no increase to Prometheus."""
    shown = worker.ask("/metrics")[2].splitlines()
    for reason in Reason:
        assert f'test_worker_dead_letters_total{{reason="{reason}"}} 0.0' in shown
    for name in ("gaps_healed", "batches", "records"):
        for agent in ("command-events", "tallies"):
            assert f'test_worker_{name}_total{{agent="{agent}"}} 0.0' in shown
    named = {line.split()[2] for line in shown if line.startswith("# TYPE") and "counter" in line}
    assert named == {
        line.split("{")[0].split()[0]
        for line in shown
        if "_total" in line[:60] and not line.startswith("#")
    }


def test_other_paths_are_not_found(worker: Worker) -> None:
    """The answer says which there are."""
    assert worker.ask("/")[::2] == (404, "try /metrics or /health\n")


@pytest.mark.parametrize("sent", [None, "", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}"])
def test_without_the_token_there_are_no_metrics(guarded: Worker, sent: str | None) -> None:
    """Nobody sees numbers, and nobody learns what the token is."""
    status, _, body = guarded.ask("/metrics", **({} if sent is None else {"Authorization": sent}))

    assert status == 401
    assert "worker" not in body
    assert TOKEN[:8] not in body


def test_whoever_sends_the_token_sees_everything(guarded: Worker) -> None:
    """As Prometheus does with its credentials file."""
    guarded.health = {"status": "degraded", "worker": "w-0", "partitions": [3]}
    known = {"Authorization": f"Bearer {TOKEN}"}

    assert guarded.ask("/metrics", **known)[0] == 200
    assert json.loads(guarded.ask("/health", **known)[2]) == guarded.health


@pytest.mark.parametrize(("status", "code"), [("healthy", 200), ("degraded", 503)])
def test_a_supervisor_without_the_token_sees_the_status_only(
    guarded: Worker, status: str, code: int
) -> None:
    """Whether to restart it is no secret; its name, its partitions and its lag are."""
    guarded.health = {"status": status, "worker": "w-0", "frontierAgeSeconds": 9.0}
    found, _, body = guarded.ask("/health")

    assert (found, json.loads(body)) == (code, {"status": status})


@pytest.mark.parametrize(
    "headers", [[f"Bearer {TOKEN}"] * 2, [f"Bearer {TOKEN}x"], ["Bearer \udcff"], [TOKEN], []]
)
def test_only_the_whole_token_once_is_the_token(headers: list[str]) -> None:
    """A second header, a longer word or bytes of another alphabet are something else."""
    assert not is_sent(SecretStr(TOKEN), headers)
    assert is_sent(SecretStr(TOKEN), [f"bearer {TOKEN}"])
