"""A real state service on a database of its own; its threads, which need Kafka, are not started.

Writes land in the database, and what Kafka would be told waits in the outbox.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from governance import handlers
from governance.service import StateService
from schemas.actions import BreakerAction, Evidence, Frontier, LogRange, Reading
from schemas.events import Severity
from schemas.rules import Action, RuleSummary
from schemas.settings import Settings

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOME = "http://localhost:4007"

Trip = Callable[..., str]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings that name a Kafka nobody asks, and files that nobody else has."""
    return Settings(
        kafka_bootstrap_servers="127.0.0.1:1",
        db_path=tmp_path / "governance.db",
        log_file=tmp_path / "logs" / "governance.log",
        pid_file=tmp_path / "governance.pid",
    )


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the database as the first start leaves it; made once, since it takes a while."""
    path = tmp_path_factory.mktemp("first") / "governance.db"
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1", db_path=path)
    service = StateService(settings, clock=lambda: NOON)
    service.store.migrate()
    handlers.create(service.desk)
    service.store.close()
    return path


@pytest.fixture
def service(settings: Settings, first_start: Path) -> Iterator[StateService]:
    """Return a state service as it is after its first start, at noon; its one judge is up to date.

    The judges report to a thread that does not run here.
    """
    shutil.copy(first_start, settings.db_path)
    service = StateService(settings, clock=lambda: NOON)
    service.frontiers.note(Frontier(partition=0, partitions=1, judged_until=NOON, worker="w-0"))
    yield service
    service.store.close()


@pytest.fixture
def app(service: StateService, settings: Settings) -> FastAPI:
    """Return the application over the service."""
    return create_app(service, settings)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """Return a client; a call that blocks the event loop fails the test."""
    with (
        blockbuster_ctx(scanned_modules=["api", "governance", "rules", "schemas"]),
        TestClient(app, base_url=HOME) as client,
    ):
        yield client


@pytest.fixture
def trip(service: StateService) -> Trip:
    """Return what makes a breaker trip, each time with an id and a moment of its own."""
    numbers = iter(range(10_000))

    def trip(**fields: Any) -> str:
        action = breaker_action(next(numbers), **fields)
        handlers.apply_action(service.desk, action)
        return action.id

    return trip


def breaker_action(number: int, **fields: Any) -> BreakerAction:
    """Return the *number*-th trip: a command type is paused, unless *fields* say otherwise."""
    kind = fields.pop("command_type", "SET_POWER")
    action = fields.pop("action", Action.PAUSE_COMMAND_TYPE)
    severity = fields.pop("severity", Severity.HIGH)
    name = fields.pop("rule", "Repeated Command Failures")
    at = NOON - timedelta(minutes=30) + timedelta(seconds=number)
    values = {
        "id": f"trip-{number:04}",
        "rule": RuleSummary(
            name=name,
            condition="commandType.failures >= 3",
            window="5m",
            action=action,
            alert_severity=severity,
        ),
        "rule_version": 1,
        "scope": kind or "*",
        "scope_key": f"commandType={kind}" if kind else "*",
        "command_type": kind,
        "action": action,
        "severity": severity,
        "decided_at": at,
        "metrics": {"failures": 3},
        "evidence": evidence(at),
        "epoch": 1,
    }
    return BreakerAction.model_validate({**values, **fields})


def evidence(at: datetime) -> Evidence:
    """Return what three failures leave behind."""
    return Evidence(
        rule_version=1,
        condition="commandType.failures >= 3",
        substituted="3 >= 3",
        window_start=at - timedelta(minutes=5),
        window_end=at,
        readings=[Reading(metric="failures", value=3, numerator=3, denominator=None, samples=3)],
        samples=3,
        command_ids=["c-1", "c-2", "c-3"],
        log=[LogRange(topic="governance.command-events", partition=2, from_=10, upto=99)],
    )
