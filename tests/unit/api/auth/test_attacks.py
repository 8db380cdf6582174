"""Attacks on the gate itself: floods, doubled headers, and paths and methods in disguise."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient

from api.auth import tokens
from api.auth.friends import REMEMBERED, Friends
from api.auth.gate import FAILURES, STRANGERS
from governance import handlers, token_hashes
from governance.callers import Role
from governance.service import StateService
from tests.unit.api.auth.conftest import Bearer

STATE = "/api/governance/state"
WRONG = {"Authorization": "Bearer gov_0123456789abcdef_" + "x" * 43}


def test_a_guesser_does_not_shut_out_those_who_are_known(
    guarded: TestClient, bearer: Bearer
) -> None:
    """Behind a proxy all have one address, and the kill switch must not wait for a guesser."""
    anna = bearer("anna", Role.OPERATOR)
    guarded.get(STATE, headers=anna)
    body = {"reason": "something is wrong"}

    assert _until_hasty(guarded, WRONG) == {401}
    assert guarded.post("/api/kill-switch", json=body, headers=anna).status_code == 200


def test_those_who_are_known_are_proven_each_time(
    guarded: TestClient, service: StateService, bearer: Bearer
) -> None:
    """A revoked token is refused, and then it is as good as any that was made up."""
    anna = bearer("anna", Role.OPERATOR)
    guarded.get(STATE, headers=anna)
    (token,) = handlers.list_tokens(service.desk)
    handlers.revoke_token(service.desk, token.id, by="boot")

    assert _until_hasty(guarded, anna) == {401}


def _until_hasty(client: TestClient, headers: dict[str, str]) -> set[int]:
    """Ask until the answer is 429, and return how it was answered before."""
    before: set[int] = set()
    for _ in range(10 * FAILURES):
        status = client.get(STATE, headers=headers).status_code
        if status == 429:
            return before
        before.add(status)
    pytest.fail("nobody had to wait")


def test_a_flood_of_guesses_costs_few_hashes(
    guarded: TestClient, service: StateService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come at once with an id that exists, few are hashed, and fewer at a time."""
    token, _ = handlers.create_token(service.desk, "anna", [Role.VIEWER], by="boot")
    lock, hashing, most = threading.Lock(), [0, 0], [0]

    def counted(kept: str, secret: str) -> bool:
        with lock:
            hashing[0] += 1
            hashing[1] += 1
            most[0] = max(most[0], hashing[1])
        try:
            return token_hashes.is_of(kept, secret)
        finally:
            with lock:
                hashing[1] -= 1

    monkeypatch.setattr(tokens, "is_of", counted)

    def guess(number: int) -> int:
        sent = {"Authorization": f"Bearer gov_{token.id}_{number:043}"}
        return guarded.get(STATE, headers=sent).status_code

    with ThreadPoolExecutor(60) as pool:
        statuses = list(pool.map(guess, range(60)))

    assert set(statuses) == {401, 429}
    assert statuses.count(401) == hashing[0] < 60
    assert most[0] <= STRANGERS


def test_what_is_no_token_is_not_hashed(
    guarded: TestClient, service: StateService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is one whose id nobody has, however long it is."""
    token, _ = handlers.create_token(service.desk, "anna", [Role.VIEWER], by="boot")
    monkeypatch.setattr(tokens, "is_of", lambda *_: pytest.fail("hashed"))
    for sent in (WRONG["Authorization"], f"Bearer gov_{token.id}_" + "x" * 60_000, "Bearer gov_"):
        assert guarded.get(STATE, headers={"Authorization": sent}).status_code == 401


def test_two_proofs_are_none(guarded: TestClient, bearer: Bearer) -> None:
    """Whichever a proxy looked at, we would have to choose; so neither counts."""
    good = ("Authorization", bearer("anna", Role.VIEWER)["Authorization"])
    wrong = ("Authorization", WRONG["Authorization"])
    for both in ([good, wrong], [wrong, good], [good, good]):
        assert guarded.get(STATE, headers=both).status_code == 401


def test_nobody_writes_into_the_database(guarded: TestClient, service: StateService) -> None:
    """An unknown caller's keys are not kept: public addresses would take any number of them."""
    for number in range(3):
        answer = guarded.post("/health", headers={"Idempotency-Key": f"k-{number}"})
        assert answer.status_code == 405
    with create_engine(f"sqlite:///{service.settings.db_path}").connect() as connection:
        kept = connection.execute(text("SELECT count(*) FROM idempotency_keys")).scalar()

    assert kept == 0


def test_no_spelling_of_a_path_or_method_is_a_way_in(guarded: TestClient) -> None:
    """As they reach the application, decoded or not: nobody gets past the gate."""
    paths = (
        *("//api/governance/state", "/api//governance/state", "/api/governance/state/"),
        *("/api/governance/state;a=b", "/health;/../api/governance/state", "/health/"),
        *("/health/../api/governance/state", "/health/%2e%2e/api/governance/state"),
        *("/./api/governance/state", "/docs/problems/../../api/governance/state"),
        *("/API/governance/state", "/api/governance/state%00", "/health\x00", "/health?x"),
        *("/api/governance/state#/health", "\\api\\governance\\state", "", "*"),
        *("http://localhost/health", "/health\n/api/governance/state", "/openapi.json"),
    )
    methods = ("GET", "HEAD", "POST", "OPTIONS", "TRACE", "get", "CONNECT", "PROPFIND", "")
    statuses = {
        (method, path): asyncio.run(_status(guarded.app, method, path))
        for method, path in product(methods, paths)
    }

    assert {one: status for one, status in statuses.items() if status not in (401, 404, 405)} == {}


async def _status(app: Any, method: str, path: str) -> int:
    """Return how *app* answers a request that no client would send."""
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"governance.example")],
        "client": ("192.0.2.1", 1),
        "server": ("governance.example", 4007),
        "state": {},
    }
    await app(scope, receive, send)
    return statuses[0]


def test_friends_are_remembered_up_to_a_limit() -> None:
    """The one that was unused for longest is a stranger again; any bytes may be a proof."""
    friends = Friends()
    for number in range(REMEMBERED + 1):
        friends.meet(f"proof {number}")
    friends.meet("\udcff")
    friends.part(f"proof {REMEMBERED}")

    assert not friends.has_met("proof 0")
    assert not friends.has_met(f"proof {REMEMBERED}")
    assert friends.has_met("\udcff")
    assert friends.has_met("proof 2")
