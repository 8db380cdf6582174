"""Another process holds the database, and Kafka is not there: what then still works, and when.

The real API in a process of its own, the lock in another. The short form holds for longer than
an ordinary request waits; the long ones for as long as a backup does, or a forgotten session.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from governance import handlers
from governance.desk import Desk
from governance.store import Store
from rules.escalation_reference import decide
from schemas.settings import Settings
from tests.database_holder import held
from tests.desks import settings_for
from tests.served import Served, served

pytestmark = pytest.mark.integration

SHORT, LONG, LONGER = 12.0, 30.0, 60.0
"""Seconds: an ordinary writer gives up after ten at most; T19 asks for 30, T20 for 60."""

HELD = [
    SHORT,
    *(pytest.param(seconds, marks=pytest.mark.chaos) for seconds in (LONG, LONGER)),
]
RULE = "/api/circuit-breaker/rules/High%20Error%20Rate"
DOWN: dict[str, Any] = {"targetPhase": "L3", "reason": "a precaution"}
LOWERED = ("phase.rolled_back", "kill_switch.pulled")


@pytest.fixture(params=["sqlite", "postgresql", "postgresql-table"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Return the address of an empty database, and what of it is to be held."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'governance.db'}", "writer"
    url: str = request.getfixturevalue("postgres_url")
    kind = "table" if request.param.endswith("table") else "writer"
    return Settings(_env_file=None, database_url=url).sql_url, kind


@pytest.fixture
def api(database: tuple[str, str], tmp_path: Path) -> Iterator[Served]:
    """Return the API over the database, without a Kafka."""
    url = database[0].replace("+psycopg", "")
    named = {} if url.startswith("sqlite") else {"DATABASE_URL": url}
    with served(tmp_path, GOVERNANCE_DB_PATH=str(tmp_path / "governance.db"), **named) as running:
        yield running


class Crowd:
    """Requests that run at once, each with the moment of its answer."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        self._threads = ThreadPoolExecutor(80)

    def send(self, method: str, path: str, **more: Any) -> Future[tuple[httpx2.Response, float]]:
        """Send a request; its answer comes later."""

        def ask() -> tuple[httpx2.Response, float]:
            return self._client.request(method, path, **more), time.monotonic()

        return self._threads.submit(ask)

    def close(self) -> None:
        """Wait for all answers."""
        self._threads.shutdown()


@pytest.fixture
def crowd(api: Served) -> Iterator[Crowd]:
    """Return what sends many requests at once."""
    with api.client() as client:
        crowd = Crowd(client)
        yield crowd
        crowd.close()


def acts(url: str) -> list[str]:
    """Return what the audit log of a database tells, oldest first, once its chain was verified."""
    store = Store(url)
    desk = Desk(store, settings_for(), decide)
    try:
        assert handlers.verify_audit(desk).intact
        return [row.act for row in reversed(handlers.list_audit(desk, limit=500))]
    finally:
        store.close()


def until(moment: float, look: Callable[[], None]) -> None:
    """Look again and again until *moment* of the monotonic clock."""
    while time.monotonic() < moment:
        look()
        time.sleep(0.2)  # a probe comes at its own pace


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seconds", HELD)
def test_lowering_takes_effect_as_soon_as_a_lock_is_gone(
    database: tuple[str, str], api: Served, crowd: Crowd, seconds: float
) -> None:
    """While sixty ordinary writers wait and give up, readers are answered and told why.

    The rollback and the kill switch wait as well, and are the first to be written.
    """
    url, kind = database
    with api.client() as probe, held(url, kind) as holder:
        began = time.monotonic()
        patches = [
            crowd.send("PATCH", RULE, json={"condition": f"errorRate > 0.{n:03}"})
            for n in range(101, 161)
        ]
        said: list[dict[str, Any]] = []
        until(began + seconds - LONG, lambda: said.append(read_all(probe)))
        down = crowd.send("POST", "/api/governance/rollback", json=DOWN)
        kill = crowd.send("POST", "/api/kill-switch", headers={"Idempotency-Key": "k"})
        until(began + seconds, lambda: said.append(read_all(probe)))
        assert not down.done()
        assert not kill.done()
        released = holder.release()
        answers = [down.result(), kill.result()]
    after = [f"{at - released:.2f}" for _, at in answers]
    sys.stdout.write(f"\n{url.split(':')[0]} {kind}: in force after {after} s\n")

    assert [answer.status_code for answer, _ in answers] == [200, 200]
    assert any("database" in " ".join(health["reasons"]) for health in said)
    assert all(health["status"] != "healthy" for health in said)
    refused = check_ordinary([one.result()[0] for one in patches])
    assert refused or kind == "table", "nobody was told that the database is held"
    told = acts(url)
    assert {*LOWERED} <= {*told}
    first = min(told.index(act) for act in LOWERED)
    if kind == "writer":
        before = told[:first].count("rule.changed")
        assert before <= 1, "more than the one that stood at the lock went before a lowering"
    check_recovered(api)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_a_kill_switch_passes_everybody_who_waits(
    database: tuple[str, str], api: Served, crowd: Crowd
) -> None:
    """Sixty ordinary writers at a lock take neither the threads nor the turn of what lowers.

    Health answers while none of them was answered; and once the lock is gone, at most the one
    that stood at it is written before the kill switch, which came last.
    """
    url, kind = database
    with api.client() as probe, held(url, kind) as holder:
        patches = [
            crowd.send("PATCH", RULE, json={"condition": f"errorRate > 0.{n:03}"})
            for n in range(101, 161)
        ]
        time.sleep(1)  # all of them are there by then, and their patience is five seconds
        assert probe.get("/health").status_code == 200
        assert not [patch for patch in patches if patch.done()], "health waited behind writers"
        kill = crowd.send("POST", "/api/kill-switch")
        time.sleep(0.5)
        holder.release()
        assert kill.result()[0].status_code == 200
    crowd.close()
    told = acts(url)
    assert "rule.changed" in told
    assert told[: told.index("kill_switch.pulled")].count("rule.changed") <= 1


def read_all(probe: httpx2.Client) -> dict[str, Any]:
    """Read what must be readable while nobody can write; return what health says."""
    for path in ("/metrics", "/api/governance/state", "/api/circuit-breaker/events"):
        assert probe.get(path).status_code == 200, path
    assert probe.get("/ready").status_code == 503
    found: dict[str, Any] = probe.get("/health").json()
    return found


def check_ordinary(answers: Sequence[httpx2.Response]) -> int:
    """Who writes as usual is told to come again, in the form of a problem, or was in time.

    Returns how many were told.
    """
    refused = [answer for answer in answers if answer.status_code != 200]
    for answer in refused:
        assert answer.status_code == 503, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert int(answer.headers["Retry-After"]) > 0
        assert (answer.json()["code"], answer.json()["part"]) == ("unavailable", "database")
    return len(refused)


def check_recovered(api: Served) -> None:
    """What failed works again, with nobody's help, and health says so."""
    deadline = time.monotonic() + 60
    with api.client() as client:
        answer = client.patch(RULE, json={"condition": "errorRate > 0.2"})
        assert answer.status_code == 200
        while client.get("/ready").json()["checks"]["database"]["status"] != "healthy":
            assert time.monotonic() < deadline, "health does not recover"
            time.sleep(0.1)
