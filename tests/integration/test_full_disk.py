"""The database's disk is full to the last byte: what lowers autonomy still takes effect.

A real disk of a few mebibytes, the real API on it, and a real Kafka where judges speak.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from kafka import KafkaProducer

from embedded import topics
from schemas.topics import BREAKER_ACTIONS
from tests.desks import revert
from tests.full_disk import SmallDisk, small_disk
from tests.served import ROOT, served

pytestmark = pytest.mark.integration

RULE = "/api/circuit-breaker/rules/High%20Error%20Rate"
DOWN: dict[str, Any] = {"targetPhase": "L3", "reason": "a precaution"}
PATIENCE = 60.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Return an empty disk."""
    with small_disk(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def environment(disk: SmallDisk, tmp_path: Path) -> dict[str, str]:
    """Return what the API is told: only the database is on the disk."""
    return {
        "GOVERNANCE_DB_PATH": str(disk.path / "governance.db"),
        "GOVERNANCE_LOG_FILE": str(tmp_path / "governance.log"),
        "GOVERNANCE_PID_FILE": str(tmp_path / "governance.pid"),
    }


def eventually(done: Callable[[], bool]) -> None:
    """Wait until *done*."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.05)


def database(client: httpx2.Client) -> str:
    """Return what health says of the database; nothing is well."""
    reasons: list[str] = client.get("/health").json()["reasons"]
    return "".join(reason for reason in reasons if reason.startswith("database: "))


def epoch(client: httpx2.Client) -> int:
    """Return the autonomy epoch."""
    return int(client.get("/api/governance/state").json()["autonomyEpoch"])


def refused(client: httpx2.Client) -> bool:
    """Whether an edit of a rule is told that the disk is full."""
    answer = client.patch(RULE, json={"condition": f"errorRate > 0.{time.monotonic_ns()}"})
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.json()["code"]) == (503, "disk_full")
    assert int(answer.headers["Retry-After"]) > 0
    return True


def fill_up(disk: SmallDisk, client: httpx2.Client) -> None:
    """Take the last byte, and all the room that the database itself has left."""
    disk.fill()
    eventually(lambda: refused(client))
    assert disk.free == 0
    assert "full" in database(client)


def test_people_can_lower_autonomy_on_a_full_disk(
    disk: SmallDisk, environment: dict[str, str], tmp_path: Path
) -> None:
    """The ballast gives way to the rollback and the kill switch; the rest is told to wait.

    Both are in the audit log. Once there is room, everything works again by itself, and room
    is held ready again.
    """
    ballast = disk.outside / "governance.db.ballast"
    with served(tmp_path, within=disk.enter, **environment) as api, api.client() as client:
        assert ballast.stat().st_size == 2**20
        fill_up(disk, client)
        down = client.post("/api/governance/rollback", json=DOWN)
        kill = client.post("/api/kill-switch", headers={"Idempotency-Key": "k"})
        assert (down.status_code, kill.status_code) == (200, 200)
        assert not ballast.exists()
        assert epoch(client) == 3
        assert kill.json()["state"]["pausedCommandTypes"]
        assert refused(client)
        assert "only what lowers autonomy is written" in database(client)
        disk.make_room()
        eventually(lambda: not database(client))
        assert ballast.stat().st_size == 2**20
        assert not refused(client)


def test_a_judge_can_lower_autonomy_on_a_full_disk(
    disk: SmallDisk, environment: dict[str, str], tmp_path: Path, kafka: str, topic_prefix: str
) -> None:
    """A revert that comes from Kafka takes effect like one that people ask for."""
    topics.ensure(kafka, prefix=topic_prefix)
    environment |= {"KAFKA_BOOTSTRAP_SERVERS": kafka, "GOVERNANCE_TOPIC_PREFIX": topic_prefix}
    with served(tmp_path, within=disk.enter, **environment) as api, api.client() as client:
        fill_up(disk, client)
        producer: Any = KafkaProducer(bootstrap_servers=kafka)
        producer.send(topic_prefix + BREAKER_ACTIONS.name, revert().to_bytes(), key=b"*")
        producer.close()
        eventually(lambda: epoch(client) == 2)
        events = client.get("/api/circuit-breaker/events").json()
        assert [event["id"] for event in events] == [revert().id]
        assert "only what lowers autonomy is written" in database(client)


def test_a_full_disk_is_no_reason_not_to_start(
    disk: SmallDisk, environment: dict[str, str], tmp_path: Path
) -> None:
    """Killed and started again on the full disk, it still lowers autonomy."""
    with served(tmp_path, within=disk.enter, **environment) as api, api.client() as client:
        fill_up(disk, client)
    for _ in range(2):  # the second time there is no ballast any more
        with served(tmp_path, within=disk.enter, **environment) as api, api.client() as client:
            before = epoch(client)
            assert client.post("/api/governance/rollback", json=DOWN).status_code == 200
            assert epoch(client) == before + 1
            assert "only what lowers autonomy is written" in database(client)


@pytest.mark.parametrize("gives_up", [False, pytest.param(True, marks=pytest.mark.chaos)])
def test_what_finds_no_room_at_all_is_never_said_to_have_happened(
    disk: SmallDisk, environment: dict[str, str], tmp_path: Path, *, gives_up: bool
) -> None:
    """With the ballast used up, a rollback waits for room, and after a minute says that it failed.

    Nothing of it is half done; health has been saying why.
    """
    with (
        served(tmp_path, within=disk.enter, **environment) as api,
        api.client() as client,
        ThreadPoolExecutor(1) as person,
    ):
        fill_up(disk, client)
        client.post("/api/governance/rollback", json=DOWN)
        disk.fill()
        before = epoch(client)
        down = person.submit(client.post, "/api/governance/rollback", json=DOWN)
        eventually(lambda: "disk is full" in database(client))
        if gives_up:
            assert (down.result().status_code, down.result().json()["code"]) == (503, "disk_full")
            assert epoch(client) == before
        assert epoch(client) == before
        disk.make_room()
        if not gives_up:
            assert down.result().status_code == 200
            assert epoch(client) == before + 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize("rounds", [10, pytest.param(50, marks=pytest.mark.chaos)])
def test_a_disk_that_fills_up_mid_stream_leaves_nothing_half_applied(
    tmp_path: Path, rounds: int
) -> None:
    """Again and again: what was refused left nothing, and the offset is that of the last applied.

    Each time the database itself finds nothing wrong with its file.
    """
    with small_disk(tmp_path / "disk", megabytes=24) as disk:
        command = [sys.executable, "-m", "tests.disk_rounds", str(disk.path), str(rounds), "1"]
        done = subprocess.run(
            [*disk.enter, "env", "-C", str(ROOT), *command],
            stdout=subprocess.PIPE,
            check=True,
            timeout=500,
        )
    seen = json.loads(done.stdout)
    sys.stdout.write(f"\n{seen}\n")
    assert seen["refused"] >= rounds
    assert seen["released"] == rounds
