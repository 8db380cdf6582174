"""The runbook, run word for word: what it says about health, state, events and rules is so."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from kafka import KafkaProducer

from embedded.topics import ensure
from schemas.actions import BreakerAction, Evidence, Frontier, action_id
from schemas.events import Severity
from schemas.rules import Action, RuleSummary
from schemas.topics import BREAKER_ACTIONS
from schemas.wire import Wire, to_ms
from tests.e2e.runbook import Command, commands, install_tools, run

PORT = 4007
LATER = ("/api/readiness", "/api/governance/proposals")
"""What the runbook asks of parts that are not built yet."""

SPINE = [command for command in commands() if not any(part in command.address for part in LATER)]
RUN = "from api.server import serve; from schemas.settings import load_settings as s; serve(s())"
PACE = threading.Event()
"""Never set: what is asked again and again is asked at most twenty times a second."""
SUMMARY = {"name", "enabled", "condition", "window", "action", "alertSeverity"}


@dataclass(frozen=True)
class Running:
    """A service that runs, and the means to make it trip."""

    port: int
    folder: Path
    publish: Callable[[Wire], None]

    def ask(self, path: str) -> Any:
        """Return what the service answers."""
        return httpx2.get(f"http://localhost:{self.port}{path}", timeout=30).json()

    def until(self, path: str, wanted: Callable[[Any], bool]) -> Any:
        """Ask until the answer is the wanted one; the test's time limit ends it otherwise."""
        while not wanted(answer := self.ask(path)):
            PACE.wait(0.05)
        return answer

    def trip(self) -> str:
        """Make a breaker trip, and return its event's id once people can see it."""
        now = datetime.now(UTC)
        action = _paused("SET_POWER", now)
        self.publish(action)
        self.until("/api/circuit-breaker/events", lambda found: _has(found, action.id))
        return action.id

    def run(self, command: Command, event: str) -> str:
        """Run a command of the runbook as it stands, about *event*."""
        told = {"<event-id>": event, "<triggering-rule-name>": "High Error Rate"}
        return run(command.script(placeholders=told, port=self.port), self.folder)


@pytest.fixture(scope="module")
def running(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run the service on its own port over a real Kafka, with a judge that reports."""
    install_tools()
    folder, prefix, port = tmp_path_factory.mktemp("runbook"), f"runbook{os.getpid()}.", _port()
    ensure(kafka, prefix=prefix)
    env = {
        **os.environ,
        "PORT": str(port),
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "GOVERNANCE_TOPIC_PREFIX": prefix,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    topic = f"{prefix}{BREAKER_ACTIONS.name}"
    with closing(KafkaProducer(bootstrap_servers=kafka.split(","))) as producer:

        def publish(record: Wire) -> None:
            producer.send(topic, record.to_bytes()).get(timeout=30)

        with Judge(publish), ServiceProcess(folder, env):
            running = Running(port, folder, publish)
            _wait_until_ready(running)
            yield running


@pytest.mark.parametrize("command", SPINE, ids=str)
def test_a_command_of_the_runbook_works(running: Running, command: Command) -> None:
    """Each command runs as it is written, and prints what a person or jq can read."""
    printed = running.run(command, running.trip())
    if command.text.endswith("> report.json"):
        printed = (running.folder / "report.json").read_text("utf-8")

    if "/metrics" in command.address and "/api/" not in command.address:
        assert "simcorp_governance_current_phase_info" in printed
    else:
        assert printed.strip()
        json.loads(printed)


def test_no_command_was_overlooked() -> None:
    """The cutting finds every command of the runbook that asks what is built by now."""
    addresses = [command.address for command in SPINE]

    assert len(addresses) >= 17
    assert set(addresses) == {
        "/health",
        "/metrics",
        "/api/metrics/latest",
        "/api/governance/state",
        "/api/governance/run-cycle",
        "/api/governance/reports/latest",
        "/api/circuit-breaker/events",
        "/api/circuit-breaker/events/unresolved",
        "/api/circuit-breaker/events/$EVENT_ID/resolve",
        "/api/circuit-breaker/rules",
        "/api/circuit-breaker/rules/enabled",
        "/api/circuit-breaker/rules/$RULE_NAME",
    }


def test_health_is_as_the_runbook_expects(running: Running) -> None:
    """The morning's first check prints what the runbook prints."""
    for command in _asking("/health"):
        printed = running.run(command, "")
        assert printed.startswith('{"status":"healthy","service":"governance",')


def test_all_clear_is_an_empty_list(running: Running) -> None:
    """Once everything is resolved, the morning's check prints ``[]`` and the count is 0."""
    (resolve, *_) = _asking("/api/circuit-breaker/events/$EVENT_ID/resolve")
    for event in running.ask("/api/circuit-breaker/events/unresolved"):
        running.run(resolve, event["id"])
    first, *_, last = _asking("/api/circuit-breaker/events/unresolved")

    assert running.run(first, "") == "[]"
    assert "length" in last.text
    assert running.run(last, "").strip() == "0"


def test_the_state_shows_phase_and_whitelist(running: Running) -> None:
    """``.currentPhase`` prints ``"L3"`` and ``.commandWhitelist`` prints ``[]``."""
    printed = {
        command.text.split("jq ")[1]: running.run(command, "").strip()
        for command in _asking("/api/governance/state")
    }

    assert printed == {"'.currentPhase'": '"L3"', "'.commandWhitelist'": "[]"}


def test_resolving_clears_the_event(running: Running) -> None:
    """Without a body and without a type, the event is resolved and says so."""
    for command in _asking("/api/circuit-breaker/events/$EVENT_ID/resolve"):
        event = running.trip()
        answer = json.loads(running.run(command, event))

        assert answer.items() >= {"success": True, "id": event}.items()
        assert not _has(running.ask("/api/circuit-breaker/events/unresolved"), event)


def test_rules_are_listed_with_their_six_fields(running: Running) -> None:
    """Reviewing the rules shows all that the runbook's procedures change."""
    for command in _asking("/api/circuit-breaker/rules"):
        shown = json.loads(running.run(command, ""))
        for rule in shown if isinstance(shown, list) else [shown]:
            assert rule.keys() >= SUMMARY


def test_a_rule_is_adjusted_and_disabled(running: Running) -> None:
    """After the two PATCH commands the rules are as the runbook wrote them, and stay known."""
    for command in _asking("/api/circuit-breaker/rules/$RULE_NAME"):
        assert json.loads(running.run(command, ""))["success"] is True
    rules = {rule["name"]: rule for rule in running.ask("/api/circuit-breaker/rules")}

    adjusted = {"condition": "errorRate > 0.08", "window": "10m", "alertSeverity": "high"}
    assert rules["High Error Rate"].items() >= adjusted.items()
    assert rules["High Rollback Rate"]["enabled"] is False
    (enabled,) = _asking("/api/circuit-breaker/rules/enabled")
    names = [rule["name"] for rule in json.loads(running.run(enabled, ""))]
    assert "High Rollback Rate" not in names


def _asking(address: str) -> list[Command]:
    """Return the runbook's commands that ask *address*."""
    return [command for command in SPINE if command.address == address]


def _has(events: list[dict[str, Any]], event_id: str) -> bool:
    return any(event["id"] == event_id for event in events)


def _port() -> int:
    """Return the runbook's port, or a free one while somebody has it."""
    for wanted in (PORT, 0):
        try:
            with socket.create_server(("127.0.0.1", wanted)) as listener:
                return int(listener.getsockname()[1])
        except OSError:
            continue
    raise AssertionError("no port is free")


def _wait_until_ready(running: Running) -> None:
    """Wait until every part is there."""
    while True:
        try:
            running.until("/health", lambda health: health["status"] == "healthy")
        except httpx2.ConnectError:
            PACE.wait(0.05)
            continue
        return


class Judge:
    """Reports what a judge reports, again and again: everything up to now is decided."""

    def __init__(self, publish: Callable[[Wire], None]) -> None:
        self._publish = publish
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._report)

    def _report(self) -> None:
        while not self._stop.wait(0.2):
            now = datetime.now(UTC)
            self._publish(Frontier(partition=0, partitions=1, judged_until=now, worker="w-0"))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


class ServiceProcess:
    """The service in a process of its own, ended as a service manager ends it."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", RUN], cwd=folder, env=env)

    def __enter__(self) -> None:
        assert self._process.poll() is None

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        assert self._process.wait(60) == 0


def _paused(kind: str, now: datetime) -> BreakerAction:
    """Return the trip of the default rule on three failures of *kind*, decided *now*."""
    rule = RuleSummary(
        name="Repeated Command Failures",
        condition="commandType.failures >= 3",
        window="5m",
        action=Action.PAUSE_COMMAND_TYPE,
        alert_severity=Severity.HIGH,
    )
    scope = f"commandType={kind}"
    return BreakerAction(
        id=action_id(rule.name, 1, scope, to_ms(now), rule.action),
        rule=rule,
        rule_version=1,
        scope=kind,
        scope_key=scope,
        command_type=kind,
        action=rule.action,
        severity=rule.alert_severity,
        decided_at=now,
        metrics={"commandType.failures": 3},
        evidence=Evidence(
            rule_version=1,
            condition=rule.condition,
            substituted="3 >= 3",
            window_start=now,
            window_end=now,
            readings=[],
            samples=3,
            command_ids=["c-1", "c-2", "c-3"],
            log=[],
        ),
    )
