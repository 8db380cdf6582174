"""Two APIs on one database: what people see of each, and what happens when one of them ends.

Real processes, and no Kafka: the kill switch needs none, and neither does a take-over.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from governance import handlers
from governance.desk import Desk
from governance.store import Store
from rules.escalation_reference import decide
from tests.database_holder import held
from tests.desks import settings_for
from tests.full_disk import small_disk
from tests.served import Served, served

pytestmark = pytest.mark.integration

RULE = "/api/circuit-breaker/rules/High%20Error%20Rate"
DOWN: dict[str, Any] = {"targetPhase": "L3", "reason": "a precaution"}
PROMISED = 10.0
"""Seconds that a take-over may take."""

PACE = threading.Event()
"""Never set: what is awaited is looked for ten times a second."""


@dataclass(frozen=True)
class Pair:
    """The active API and its standby, and their database."""

    active: Served
    standby: Served
    url: str

    def acts(self) -> list[str]:
        """Return what the audit log tells, newest first, once its chain was verified."""
        with closing(Store(self.url)) as store:
            desk = Desk(store, settings_for(), decide)
            assert handlers.verify_audit(desk).intact
            return [row.act for row in handlers.list_audit(desk, limit=500)]


@contextmanager
def pair_in(folder: Path, **environment: str) -> Iterator[Pair]:
    """Run two in one folder, as somebody may who starts `governance api` twice."""
    with served(folder, **environment) as active, served(folder, **environment) as standby:
        yield Pair(active, standby, f"sqlite:///{folder / 'governance.db'}")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Return two on one file."""
    with pair_in(tmp_path, GOVERNANCE_DB_PATH=str(tmp_path / "governance.db")) as pair:
        yield pair


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Return two that stay as they are, for tests that take neither down."""
    folder = tmp_path_factory.mktemp("lasting")
    with pair_in(folder, GOVERNANCE_DB_PATH=str(folder / "governance.db")) as pair:
        yield pair


def ask(api: Served, method: str, path: str, **more: Any) -> httpx2.Response:
    """Ask *api*."""
    return httpx2.request(method, f"{api.url}{path}", timeout=90, **more)


def role(api: Served) -> str:
    """Return what *api* says that it is."""
    return str(ask(api, "GET", "/health").json()["role"])


def until(happened: Callable[[], bool], *, within: float = 60) -> float:
    """Wait until *happened* says so; return after how many seconds."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < within
        PACE.wait(0.1)
    return time.monotonic() - began


def test_a_standby_says_what_it_is_and_where_to_go(lasting: Pair) -> None:
    """It reads; what it may not write it refuses with the address of the one that may."""
    health = ask(lasting.standby, "GET", "/health").json()
    active = ask(lasting.active, "GET", "/health").json()
    assert (active["role"], health["role"]) == ("active", "standby")
    assert health["active"] == active["active"]
    assert health["fencing"] == active["fencing"] == 1
    ready = ask(lasting.standby, "GET", "/ready")
    assert (ready.status_code, ready.json()["role"]) == (503, "standby")
    assert "standby: http://" in ready.json()["checks"]["lease"]["message"]
    metrics = ask(lasting.standby, "GET", "/metrics").text
    assert "simcorp_governance_service_active 0.0" in metrics
    assert "simcorp_governance_service_fencing_number 1.0" in metrics

    for path in ("/api/governance/state", "/api/readiness/current", "/api/metrics/latest"):
        assert ask(lasting.standby, "GET", path).status_code == 200, path
    refused = ask(lasting.standby, "PATCH", RULE, json={"condition": "errorRate > 0.2"})
    assert (refused.status_code, refused.json()["code"]) == (503, "standby")
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["active"] == active["active"]
    assert refused.json()["retryable"]
    assert ask(lasting.active, "PATCH", RULE, json={"condition": "errorRate > 0.2"}).is_success
    rules = ask(lasting.standby, "GET", "/api/circuit-breaker/rules").json()
    assert "errorRate > 0.2" in [rule["condition"] for rule in rules]


def test_a_standby_lowers_at_once(lasting: Pair) -> None:
    """A kill switch that reaches it is in force, audited, and repeated by either under its key."""
    key = {"Idempotency-Key": "smoke"}
    killed = ask(lasting.standby, "POST", "/api/kill-switch", headers=key)
    assert killed.status_code == 200
    again = ask(lasting.active, "POST", "/api/kill-switch", headers=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.content == killed.content
    down = ask(lasting.standby, "POST", "/api/governance/rollback", json=DOWN)
    assert down.status_code == 200
    state = ask(lasting.active, "GET", "/api/governance/state").json()
    assert state["autonomyEpoch"] == down.json()["state"]["autonomyEpoch"] >= 3
    assert state["pausedCommandTypes"]
    assert {"kill_switch.pulled", "phase.rolled_back"} <= {*lasting.acts()}
    assert role(lasting.standby) == "standby"


def test_whoever_follows_one_hears_of_what_the_other_did(lasting: Pair) -> None:
    """The stream of a standby tells what the active service commits, and the other way round."""
    for told, done in ((lasting.standby, lasting.active), (lasting.active, lasting.standby)):
        with httpx2.stream("GET", f"{told.url}/api/stream", timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(line for line in lines if line.startswith("event:"))
            assert ask(done, "POST", "/api/governance/rollback", json=DOWN).is_success
            assert next(line for line in lines if line == "event: governance.state")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP])
def test_the_standby_takes_over(pair: Pair, how: signal.Signals) -> None:
    """At once after a clean stop or a kill; within ten seconds of one that hangs.

    The one that hung finds itself a standby when it wakes up, and writes nothing more.
    """
    pair.active.process.send_signal(how)
    if how is not signal.SIGSTOP:
        pair.active.process.wait(60)
    taken = until(lambda: role(pair.standby) == "active")
    sys.stdout.write(f"\n{how.name}: took over after {taken:.1f} s\n")
    assert taken < PROMISED
    assert ask(pair.standby, "PATCH", RULE, json={"condition": "errorRate > 0.3"}).is_success
    if how is signal.SIGSTOP:
        os.kill(pair.active.process.pid, signal.SIGCONT)
        refused = ask(pair.active, "PATCH", RULE, json={"condition": "errorRate > 0.4"})
        assert refused.json()["code"] == "standby"
        assert role(pair.active) == "standby"
        assert ask(pair.active, "POST", "/api/kill-switch").is_success
    assert pair.acts().count("rule.changed") == 1


@pytest.mark.parametrize("seconds", [12, pytest.param(60, marks=pytest.mark.chaos)])
def test_a_lock_of_somebody_else_costs_nobody_the_lease(pair: Pair, seconds: float) -> None:
    """Neither can write, so neither is replaced; a kill switch at the standby waits for its end."""
    with held(pair.url) as holder, ThreadPoolExecutor(1) as person:
        began = time.monotonic()
        kill = person.submit(ask, pair.standby, "POST", "/api/kill-switch")
        PACE.wait(max(0.0, seconds - (time.monotonic() - began)))
        assert not kill.done()
        assert role(pair.standby) == "standby"
        holder.release()
        assert kill.result().is_success
    PACE.wait(PROMISED)
    assert (role(pair.active), role(pair.standby)) == ("active", "standby")
    assert ask(pair.active, "GET", "/health").json()["fencing"] == 1


def test_a_full_disk_costs_nobody_the_lease(tmp_path: Path) -> None:
    """Nobody is replaced for want of room, and both lower autonomy in what is held ready."""
    with small_disk(tmp_path / "disk") as disk:
        environment = {
            "GOVERNANCE_DB_PATH": str(disk.path / "governance.db"),
            "GOVERNANCE_LOG_FILE": str(tmp_path / "governance.log"),
            "GOVERNANCE_PID_FILE": str(tmp_path / "governance.pid"),
        }
        with (
            served(tmp_path, within=disk.enter, **environment) as active,
            served(tmp_path, within=disk.enter, **environment) as standby,
        ):
            disk.fill()
            change = {"condition": "errorRate > 0.2"}
            until(lambda: not ask(active, "PATCH", RULE, json=change | {"window": "9m"}).is_success)
            PACE.wait(PROMISED)
            assert (role(active), role(standby)) == ("active", "standby")
            for number, api in enumerate((standby, active), 2):
                down = ask(api, "POST", "/api/governance/rollback", json=DOWN)
                assert down.json()["state"]["autonomyEpoch"] == number
            PACE.wait(PROMISED)
            assert (role(active), role(standby)) == ("active", "standby")


def test_a_holder_that_was_stopped_in_a_write_is_ended(pair: Pair) -> None:
    """It would keep the file for ever, from the kill switch too; so the standby ends it."""
    stop_in_a_write(pair.active)
    assert until(lambda: role(pair.standby) == "active") < PROMISED
    assert pair.active.process.wait(10) == -signal.SIGKILL
    assert ask(pair.standby, "POST", "/api/kill-switch").is_success


def stop_in_a_write(api: Served) -> None:
    """Stop *api* at a moment at which it holds the file."""
    people = ThreadPoolExecutor(8)
    for _ in range(1_000):
        asked = [
            people.submit(ask, api, "PATCH", RULE, json={"condition": f"errorRate > 0.{n}"})
            for n in range(1, 9)
        ]
        PACE.wait(0.01)
        os.kill(api.process.pid, signal.SIGSTOP)
        if holds(api):
            people.shutdown(wait=False)
            return
        os.kill(api.process.pid, signal.SIGCONT)
        wait(asked)
    raise AssertionError("it never held the file")


def holds(api: Served) -> bool:
    """Whether *api* holds a write lock: the kernel's list says so."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any(f" WRITE {api.process.pid} " in line and line.endswith(" 120 120") for line in lines)
