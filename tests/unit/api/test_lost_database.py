"""What callers are answered when the database was lost under the service."""

from __future__ import annotations

import shutil

import pytest
from fastapi.testclient import TestClient

from governance.service import StateService
from schemas.settings import Settings

KILL = "/api/kill-switch"
RULE = "/api/circuit-breaker/rules/High%20Error%20Rate"


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "one"}])
def test_a_kill_switch_is_not_reported_as_done(
    client: TestClient, service: StateService, settings: Settings, key: dict[str, str]
) -> None:
    """The answer is an error that names the file; what Kafka is to be told waits all the same."""
    client.get("/api/governance/state")
    settings.db_path.unlink()
    answer = client.post(KILL, json={"reason": "fire"}, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_replaced")
    assert str(settings.db_path) in answer.json()["detail"]
    with service.store.reading() as unit:
        told = [row.value for row in unit.outbox.unpublished(100) if row.topic == "state"]
    assert '"pausedCommandTypes":[]' not in told[-1]


def test_health_names_the_file_and_what_to_do(client: TestClient, settings: Settings) -> None:
    """At once, and until the service is on the right database again."""
    assert client.patch(RULE, json={"window": "10m"}).status_code == 200
    shutil.copy(settings.db_path, settings.db_path.with_suffix(".copy"))
    settings.db_path.with_suffix(".copy").replace(settings.db_path)
    found = client.get("/health").json()
    assert found["status"] == "unhealthy"
    [reason] = [one for one in found["reasons"] if one.startswith("database: ")]
    assert f"{settings.db_path} was replaced by another file" in reason
    assert "restart the service" in reason
    assert client.patch(RULE, json={"window": "5m"}).json()["code"] == "database_replaced"
