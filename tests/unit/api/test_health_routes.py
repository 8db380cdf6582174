"""Health and readiness over HTTP."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from governance.health import Check, Health
from governance.leadership.lease import Lease
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
        "role",
        "fencing",
        "active",
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


@pytest.fixture
def standby(service: StateService, monkeypatch: pytest.MonkeyPatch) -> StateService:
    """Return the service as a standby whose parts are all well."""
    other = service.fence.holder.model_copy(
        update={"instance": "another", "address": "http://other:4007"}
    )
    service.store.fence = service.fence
    service.fence.lose(Lease(7, 1, other))
    _put(monkeypatch, service)
    return service


@pytest.mark.usefixtures("standby")
def test_a_load_balancer_passes_a_standby_over(client: TestClient) -> None:
    """503 for whoever sends requests; 200 for whoever asks whether it could take over."""
    assert client.get("/ready").status_code == 503
    ready = client.get("/ready?standby=ok")
    assert ready.status_code == 200
    assert (ready.json()["role"], ready.json()["fencing"]) == ("standby", 7)
    assert client.get("/ready?standby=perhaps").status_code == 503
    health = client.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "healthy")
    assert health.json()["active"] == "http://other:4007"


@pytest.mark.usefixtures("standby")
def test_a_standby_that_is_ill_is_ready_for_nothing(
    client: TestClient, service: StateService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that could not take over says so to both."""
    _put(monkeypatch, service, database=Check(status=Health.UNHEALTHY, message="away"))
    assert client.get("/ready?standby=ok").status_code == 503


@pytest.mark.usefixtures("standby")
def test_what_a_standby_refuses_names_the_active_service(client: TestClient) -> None:
    """A program knows where to ask, a person reads it; what lowers autonomy is not refused."""
    refused = client.post("/api/governance/run-cycle")
    assert (refused.status_code, refused.json()["code"]) == (503, "standby")
    assert refused.json()["active"] == "http://other:4007"
    assert refused.headers["Retry-After"] == "5"
    down = {"targetPhase": "L3", "reason": "a precaution"}
    assert client.post("/api/governance/rollback", json=down).status_code == 200
    assert client.post("/api/kill-switch", headers={"Idempotency-Key": "k"}).status_code == 200
    assert client.get("/api/readiness/current").status_code == 200
