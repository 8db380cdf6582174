"""The tables of metrics are the code: each name that is exported is documented, and no other."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from api.app import create_app
from governance import handlers
from governance.service import StateService
from schemas.actions import Frontier
from schemas.settings import Settings
from schemas.tallies import WIDTH
from schemas.wire import to_ms
from streams.metrics import WorkerMetrics

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
PREFIX = "simcorp_governance"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def documented() -> dict[str, str]:
    """Return every documented name and its type."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and cells[1] in ("gauge", "counter", "histogram"):
            for name in re.findall(r"`([^`]+)`", cells[0]):
                found[PREFIX + name if name.startswith("_") else name] = cells[1]
    return found


def exported(registry: CollectorRegistry) -> dict[str, str]:
    """Return every name that a registry exports and its type."""
    return {
        family.name + ("_total" if family.type == "counter" else ""): family.type
        for family in registry.collect()
    }


def is_workers(name: str) -> bool:
    """Tell whether a metric is one of a worker's."""
    return name.startswith(f"{PREFIX}_worker_")


def test_workers_metrics_are_documented() -> None:
    """Names and types, both ways."""
    table = {name: kind for name, kind in documented().items() if is_workers(name)}
    assert exported(WorkerMetrics(f"{PREFIX}_").registry) == table


def test_the_state_services_metrics_are_documented(tmp_path: Path) -> None:
    """Names and types, both ways, on a service that has seen and assessed something."""
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1", db_path=tmp_path / "governance.db")
    service = StateService(settings, clock=lambda: NOON)
    service.store.migrate()
    handlers.create(service.desk)
    service.frontiers.note(Frontier(partition=0, partitions=1, judged_until=NOON, worker="w"))
    with service.store.writing() as unit:
        minute = to_ms(NOON - timedelta(minutes=1)) // 60_000
        unit.minutes.add({(minute, "*"): [1] * WIDTH})
    app = create_app(service, settings)
    with TestClient(app, base_url="http://localhost:4007") as client:
        assert client.get("/api/readiness/current").status_code == 200
        found = exported(app.state.registry)
    service.store.close()

    table = {name: kind for name, kind in documented().items() if not is_workers(name)}
    assert found == table
