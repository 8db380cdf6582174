"""When a worker calls itself healthy, and how a process that must not go on ends."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.settings import Settings
from streams.exits import EXIT_BROKEN, EXIT_STALLED
from streams.judge import Judge
from streams.rulebook import Entry
from streams.stretch import Ends
from streams.transactions import OpenTransactions
from streams.worker import health
from tests.unit.streams.facts import entry

NOW = 1_795_435_200.0


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be noon."""
    monkeypatch.setattr("streams.worker.time", SimpleNamespace(time=lambda: NOW))


def worker(*judges: Judge, transactions: OpenTransactions | None = None) -> Any:
    """Return as much of a worker's app as its health looks at."""
    return SimpleNamespace(
        judging=SimpleNamespace(states=list(judges)),
        settings=Settings(_env_file=None, worker_id="w-0", blind_after_seconds=3),
        transactions=transactions or OpenTransactions(),
    )


def judge(partition: int, age: float | None, *, rules: int = 2) -> Judge:
    """Return a judge that has decided up to *age* seconds ago, or on nothing yet."""
    state = Judge(partition, source_partitions=1)
    if age is not None:
        state.first, state.at = 0, round((NOW - age) * 1000)
    state._use([entry(1, name=f"rule {number}") for number in range(rules)], 0)
    return state


@pytest.mark.parametrize(
    ("ages", "status", "age"),
    [
        ([], "healthy", None),
        ([0.2, 3.0], "healthy", 3.0),
        ([0.2, 3.1], "degraded", 3.1),
        ([0.2, None], "degraded", 0.2),
        ([None], "degraded", None),
    ],
)
def test_a_worker_is_as_healthy_as_its_blindest_judge(
    ages: list[float | None], status: str, age: float | None
) -> None:
    """It says by how much it is behind; without partitions there is nothing to be behind with."""
    found = health(worker(*(judge(number, one) for number, one in enumerate(ages))))
    assert found == {
        "status": status,
        "worker": "w-0",
        "frontierAgeSeconds": age,
        "overflowedValues": 0,
        "partitions": list(range(len(ages))),
        "rules": 2 if ages else 0,
        "reason": None if status == "healthy" else "behind what executors do",
        "openTransactions": {},
    }


def test_a_worker_without_rules_is_blind() -> None:
    """However far it has come: it would see anything and do nothing."""
    found = health(worker(judge(0, 0.2), judge(1, 0.2, rules=0)))
    assert (found["status"], found["rules"]) == ("degraded", 0)
    assert "no rule is known" in found["reason"]


def test_a_worker_that_waits_for_its_rules_names_them() -> None:
    """Its rules were on the topic and are not any more."""
    waits = judge(0, 0.2)
    waits.lacking = {"High Error Rate": 3}
    found = health(worker(waits))
    assert found["status"] == "degraded"
    assert "High Error Rate@3" in found["reason"]


def test_a_worker_whose_rules_people_disabled_is_healthy() -> None:
    """To judge by nothing may be what people want, and then it is known."""
    state = judge(0, 0.2, rules=0)
    state._use([Entry("High Error Rate", 2, 0, None)], 0)
    assert health(worker(state))["status"] == "healthy"


def test_a_worker_says_for_how_long_a_transaction_has_been_open() -> None:
    """Whoever asks why it is behind learns the place and the age of what it waits for."""
    transactions = OpenTransactions()
    for now in (5.0, 12.5):
        transactions.see({"t.command-events/3": Ends(7, 9, NOW)}, now)
    found = health(worker(transactions=transactions))
    assert found["openTransactions"] == {"t.command-events/3": 7.5}


def test_a_worker_that_has_not_begun_yet_is_healthy() -> None:
    """It is asked before it has joined its group."""
    app = worker()
    del app.judging
    assert health(app)["status"] == "healthy"


@pytest.mark.parametrize("status", [EXIT_BROKEN, EXIT_STALLED])
def test_leaving_is_at_once_and_says_why(status: int) -> None:
    """No clean-up runs that could make a wrong state durable; the reason is in the log."""
    program = (
        "import atexit, logging; from streams.exits import leave; logging.basicConfig();"
        "atexit.register(print, 'cleaned up');"
        f"leave(ValueError('the reason'), {status})"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (status, "")
    assert "leaving: the reason" in ended.stderr
