"""Health and readiness over HTTP."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from governance.health import Check, Health
from governance.service import StateService

FINE = {"database": Check(status=Health.HEALTHY, latency=0.4)}


def _put(monkeypatch: pytest.MonkeyPatch, service: StateService, **parts: Check) -> None:
    monkeypatch.setattr(service, "health", lambda: {**FINE, **parts})


def test_all_well_reads_as_the_runbook_expects(
    client: TestClient, service: StateService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer begins with what the runbook shows, and there are no reasons."""
    _put(monkeypatch, service)
    answer = client.get("/health")

    assert answer.text.startswith('{"status":"healthy","service":"governance",')
    assert set(answer.json()) == {
        "status",
        "service",
        "timestamp",
        "uptime",
        "version",
        "reasons",
    }
    assert answer.json()["reasons"] == []


def test_what_is_down_is_said_and_not_hidden(client: TestClient) -> None:
    """Without Kafka the service is unhealthy, says why, and still answers with 200."""
    answer = client.get("/health")

    assert answer.status_code == 200
    assert answer.json()["status"] == "unhealthy"
    assert any(reason.startswith("kafka: ") for reason in answer.json()["reasons"])


def test_ready_shows_every_part(client: TestClient) -> None:
    """A part that is down makes it 503; what does not apply to a part is left out."""
    answer = client.get("/ready")
    checks = answer.json()["checks"]

    assert answer.status_code == 503
    assert checks["kafka"]["status"] == "unhealthy"
    assert checks["kafka"]["bootstrapServers"] == "127.0.0.1:1"
    assert checks["database"]["status"] == "healthy"
    assert "message" not in checks["database"]


@pytest.mark.parametrize("status", [Health.HEALTHY, Health.DEGRADED])
def test_ready_is_200_while_no_part_is_down(
    client: TestClient, service: StateService, monkeypatch: pytest.MonkeyPatch, status: Health
) -> None:
    """A part that is merely worse than it should be is shown, and the service stays ready."""
    _put(monkeypatch, service, stream=Check(status=status, message="lag"))
    answer = client.get("/ready")

    assert (answer.status_code, answer.json()["status"]) == (200, status)
