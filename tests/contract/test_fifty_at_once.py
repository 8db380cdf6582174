"""Fifty people do one thing at once: it happens once, on both databases.

What is older stands beside what it is about: approvals, resolutions, resumptions, patches of
rules and of the checklist, and the kill switch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from governance import handlers
from governance.audit import Act
from governance.desk import Desk
from governance.service import StateService
from governance.validation import ValidationStatus
from schemas.errors import GovernanceError
from schemas.governance import Phase
from tests.contract.test_store_proposals import acts
from tests.desks import NOON, at, settings_for, trip
from tests.ladders import TECH, clock_of, executors_of, proposed, ready_desk

FIFTY = 50
BACK = "/api/governance/rollback"
RULE = "/api/circuit-breaker/rules/High%20Error%20Rate"
DOWN: dict[str, Any] = {"targetPhase": "L3", "reason": "a precaution"}


@pytest.fixture
def ready(database_url: str) -> Iterator[Desk]:
    """Return a desk over an installation that is ready for L3+."""
    desk = ready_desk(database_url)
    yield desk
    desk.store.close()


def all_at_once(do: Callable[[int], Any]) -> Counter[Any]:
    """Let fifty people do it; return what became of it, errors by their code."""

    def one(number: int) -> Any:
        try:
            return do(number)
        except GovernanceError as refused:
            return refused.code

    with ThreadPoolExecutor(FIFTY) as people:
        return Counter(people.map(one, range(FIFTY)))


def test_a_proposal_is_rejected_once(ready: Desk) -> None:
    """The first reason stands, and all are told it."""
    found = proposed(ready)
    said = all_at_once(
        lambda n: handlers.reject_proposal(ready, found.id, by=f"p{n}", reason=f"r{n}").reason
    )
    assert len(said) == 1
    assert acts(ready).count(Act.PROPOSAL_REJECTED) == 1


def test_a_proposal_is_approved_or_rejected_and_never_both(ready: Desk) -> None:
    """Of twenty-five who approve and as many who reject, one side wins, and the other is told."""
    found = proposed(ready)

    def decide(number: int) -> str:
        if number % 2:
            handlers.approve_proposal(ready, found.id, TECH)
            return "approved"
        handlers.reject_proposal(ready, found.id, by=f"p{number}")
        return "rejected"

    said = all_at_once(decide)
    done = Counter(acts(ready))
    assert done[Act.PHASE_PROMOTED] + done[Act.PROPOSAL_REJECTED] == 1
    assert set(said) in ({"approved", "proposal_closed"}, {"rejected", "proposal_closed"})
    rose = handlers.show_state(ready).current_phase is Phase.L3_PLUS
    assert rose == (done[Act.PHASE_PROMOTED] == 1)


def test_an_event_is_acknowledged_and_reopened_once(desk: Desk) -> None:
    """The first who looks after it is named to all; so it is with opening it again."""
    handlers.apply_action(desk, trip())
    event = trip().id
    said = all_at_once(lambda n: handlers.acknowledge_event(desk, event, by=f"p{n}").already)
    assert said == {False: 1, True: FIFTY - 1}
    handlers.resolve_event(desk, event, by="anna")
    said = all_at_once(lambda n: handlers.reopen_event(desk, event, by=f"p{n}", reason="r").already)
    assert said == {False: 1, True: FIFTY - 1}
    done = Counter(acts(desk))
    assert (done[Act.EVENT_ACKNOWLEDGED], done[Act.EVENT_REOPENED]) == (1, 1)


def test_a_validation_is_concluded_once(ready: Desk) -> None:
    """Of those who keep the phase and those who give it up, the first decides."""
    handlers.approve_proposal(ready, proposed(ready).id, TECH)
    executors_of(ready).columns = {"succeeded": 1}
    clock_of(ready).pass_(timedelta(days=15))
    handlers.judge_validation(ready)
    clock_of(ready).pass_(timedelta(days=60))
    handlers.judge_validation(ready)
    assert handlers.show_validation(ready).status is ValidationStatus.INCONCLUSIVE

    def conclude(number: int) -> ValidationStatus:
        keep = bool(number % 2)
        return handlers.conclude_validation(ready, keep=keep, reason="r", by=f"p{number}").status

    said = all_at_once(conclude)
    assert sorted(said.values()) == [1, FIFTY - 1]
    assert said["not_found"] == FIFTY - 1
    assert acts(ready).count(Act.VALIDATION_ENDED) == 1
    assert len({*said} & {ValidationStatus.SUCCESSFUL, ValidationStatus.FAILED}) == 1


def test_the_cycle_of_a_week_is_run_once(desk: Desk) -> None:
    """Fifty scheduled runs are one report, and all of them get it."""
    friday = at(desk, NOON + timedelta(days=5))
    said = all_at_once(lambda _: handlers.run_cycle(friday, scheduled=True).id)
    assert said == {"week-2026-W48": FIFTY}
    assert acts(desk).count(Act.CYCLE_RUN) == 1


@pytest.fixture
def client(database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    """Return a client of the application over the database."""
    settings = settings_for(
        kafka_bootstrap_servers="127.0.0.1:1",
        db_path=tmp_path / "governance.db",
        database_url=database_url.replace("+psycopg", "") if "psycopg" in database_url else None,
    )
    service = StateService(settings)
    service.store.migrate()
    handlers.create(service.desk)
    handlers.apply_action(service.desk, trip())
    with TestClient(create_app(service, settings), base_url="http://localhost:4007") as client:
        yield client
    service.store.close()


def statuses(answer: Callable[[int], Any]) -> Counter[int]:
    """Return how often which status was answered to fifty requests at once."""
    return all_at_once(lambda number: answer(number).status_code)


def test_of_fifty_who_saw_the_same_one_acts(client: TestClient) -> None:
    """A rollback and a changed rule take what was seen; everybody else is told to look again."""
    seen = {"If-Match": client.get("/api/governance/state").headers["ETag"]}
    said = statuses(lambda _: client.post(BACK, json=DOWN, headers=seen))
    assert said == {200: 1, 412: FIFTY - 1}
    seen = {"If-Match": client.get(RULE).headers["ETag"]}
    said = statuses(
        lambda n: client.patch(RULE, json={"condition": f"errorRate > 0.2{n:02}"}, headers=seen)
    )
    assert said == {200: 1, 412: FIFTY - 1}


def test_fifty_clicks_are_one_act(client: TestClient) -> None:
    """Under one key one rollback is made; who asks again later gets the answer to the byte."""
    before = client.get("/api/governance/state").json()["autonomyEpoch"]
    key = {"Idempotency-Key": "k"}
    said = statuses(lambda _: client.post(BACK, json=DOWN, headers=key))
    assert set(said) <= {200, 409}
    assert client.get("/api/governance/state").json()["autonomyEpoch"] == before + 1
    again = [client.post(BACK, json=DOWN, headers=key) for _ in range(2)]
    assert again[0].content == again[1].content
    assert {answer.headers["Idempotent-Replayed"] for answer in again} == {"true"}


def test_fifty_resolutions_over_http_are_one(client: TestClient) -> None:
    """All are answered, and by what the first one wrote."""
    path = f"/api/circuit-breaker/events/{trip().id}/resolve"
    bodies = all_at_once(
        lambda n: client.post(path, json={"notes": f"n{n}"}).json()["event"]["notes"]
    )
    assert len(bodies) == 1
