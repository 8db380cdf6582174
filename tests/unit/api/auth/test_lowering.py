"""Lowering: neither guesses from the same address nor one's own reads cost it its turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from api.app import create_app
from api.auth import tokens
from api.auth.gate import FAILURES
from api.auth.matrix import MATRIX
from governance import handlers, token_hashes
from governance.callers import Role, Scope
from governance.service import StateService
from schemas.settings import Settings
from tests.served import Served, served
from tests.spelled import secret_of
from tests.unit.api.auth.conftest import HOME, Bearer

STATE = "/api/governance/state"
KILL = "/api/kill-switch"
BACK = "/api/governance/rollback"
DOWN = {"targetPhase": "L3", "reason": "something is wrong"}
WRONG = {"Authorization": "Bearer gov_0123456789abcdef_" + "x" * 43}
UNREADABLE = {"Authorization": "Bearer not-a-token"}

Ask = Callable[[Mapping[str, str]], int]


def _until_hasty(ask: Ask, headers: Mapping[str, str]) -> int:
    """Ask until the answer is 429, and return how often it was another one."""
    for number in range(10 * FAILURES):
        if ask(headers) == 429:
            return number
    pytest.fail("nobody had to wait")


def _given_since(began: float) -> float:
    """Return how many guesses there may have been at most since then, and one or two more."""
    return FAILURES + 2 + (time.monotonic() - began) * FAILURES / 60


def _asks(client: TestClient | httpx2.Client, path: str) -> Ask:
    """Return what reads *path*, or lowers there, under some headers."""
    if path == STATE:
        return lambda headers: client.get(path, headers=headers).status_code
    body = DOWN if path == BACK else {"reason": DOWN["reason"]}
    return lambda headers: client.post(path, json=body, headers=headers).status_code


def _half_right(spelling: str) -> dict[str, str]:
    """Return a header with the id of a token and another secret."""
    return {"Authorization": spelling[:-43] + "x" * 43}


@pytest.mark.parametrize("path", [STATE, KILL, BACK])
@pytest.mark.parametrize("known", [True, False])
def test_a_guesser_never_costs_a_lowering_its_turn(
    guarded: TestClient, bearer: Bearer, path: str, known: bool
) -> None:
    """Wherever the guesses go, and whether or not they know the id of the token that is right."""
    olga = bearer("olga", Role.OPERATOR)
    guess = _half_right(olga["Authorization"]) if known else WRONG
    _until_hasty(_asks(guarded, path), guess)
    _until_hasty(_asks(guarded, STATE), UNREADABLE)

    assert _asks(guarded, KILL)(olga) == 200
    assert _asks(guarded, BACK)(bearer("robot", Role.SERVICE, scopes=(Scope.LOWER,))) == 200


def test_guessing_at_what_lowers_is_no_way_around_the_limit(
    guarded: TestClient, bearer: Bearer
) -> None:
    """All addresses count together, and none of the guesses is hashed slowly."""
    guess = _half_right(bearer("olga", Role.OPERATOR)["Authorization"])

    began = time.monotonic()
    assert FAILURES <= _until_hasty(_asks(guarded, KILL), guess) <= _given_since(began)
    for path in (KILL, BACK, STATE):
        _until_hasty(_asks(guarded, path), guess)
    looked_at = sum(_asks(guarded, path)(guess) == 401 for path in 20 * (KILL, BACK, STATE))
    assert looked_at <= _given_since(began) - FAILURES


def test_a_wrong_secret_costs_no_slow_hash(
    service: StateService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told by the salt; a right one is proven by the hash as well."""
    _, spelling = handlers.create_token(service.desk, "olga", [Role.OPERATOR], by="boot")
    (shown,) = handlers.list_tokens(service.desk)
    kept = handlers.find_token(service.desk, shown.id)
    assert kept is not None
    assert token_hashes.is_of(kept.hash, secret_of(spelling))
    monkeypatch.setattr(token_hashes, "_HASHER", None)

    assert not token_hashes.is_of(kept.hash, "x" * 43)


def test_a_token_of_an_older_version_holds_still(
    guarded: TestClient, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hash is slow, so few guesses at it are hashed; those who are known get through."""
    monkeypatch.setattr("governance.handlers.tokens.hash_of", PasswordHasher().hash)
    olga = bearer("olga", Role.OPERATOR)
    hashed: list[str] = []

    def counted(kept: str, secret: str) -> bool:
        hashed.append(secret)
        return token_hashes.is_of(kept, secret)

    monkeypatch.setattr(tokens, "is_of", counted)
    assert _asks(guarded, KILL)(olga) == 200
    guess = _half_right(olga["Authorization"])
    began = time.monotonic()
    for _ in range(3 * FAILURES):
        _asks(guarded, KILL)(guess)

    assert len(hashed) <= _given_since(began)
    assert _asks(guarded, KILL)(olga) == 200


def test_reading_costs_no_lowering_its_turn(service: StateService, settings: Settings) -> None:
    """A script of the operator's own that reads too fast waits; the kill switch does not."""
    few = settings.model_copy(update={"requests_per_minute": 10})
    with TestClient(create_app(service, few), base_url="http://localhost:4007") as client:
        _until_hasty(_asks(client, STATE), {})
        assert _asks(client, KILL)({}) == 200


@pytest.fixture
def hasty(service: StateService, settings: Settings) -> Iterator[TestClient]:
    """Return a client of the application in token mode, where ten requests are a minute's share."""
    few = settings.model_copy(update={"auth": "token", "requests_per_minute": 10})
    with TestClient(create_app(service, few), base_url=HOME) as client:
        yield client


def test_only_those_who_may_lower_use_up_that_share(hasty: TestClient, bearer: Bearer) -> None:
    """Each has their own; who may not lower spends what they may read with."""
    viewer, olga = bearer("vera", Role.VIEWER), bearer("olga", Role.OPERATOR)
    assert _until_hasty(_asks(hasty, KILL), viewer) >= 10
    assert 429 in [_asks(hasty, STATE)(viewer) for _ in range(3)]
    _until_hasty(_asks(hasty, KILL), {})
    _until_hasty(_asks(hasty, STATE), olga)
    assert _asks(hasty, KILL)(olga) == 200
    _until_hasty(_asks(hasty, KILL), olga)
    assert _asks(hasty, KILL)(bearer("otto", Role.OPERATOR)) == 200


def test_what_lowers_is_said_in_one_place() -> None:
    """The two routes that take autonomy away at once, and no other method or route."""
    lowering = {
        (method, path)
        for method, path in (route.split(" ", 1) for route in MATRIX.routes)
        if MATRIX.lowers(method, path)
    }

    assert lowering == {("POST", KILL), ("POST", BACK)}


@pytest.fixture
def listening(tmp_path: Path, first_start: Path) -> Iterator[tuple[Served, dict[str, str]]]:
    """Return a server in token mode on a socket, and the header of an operator it never saw."""
    path = tmp_path / "governance.db"
    path.write_bytes(first_start.read_bytes())
    service = StateService(Settings(kafka_bootstrap_servers="127.0.0.1:1", db_path=path))
    _, spelling = handlers.create_token(service.desk, "olga", [Role.OPERATOR], by="boot")
    service.store.close()
    with served(tmp_path, GOVERNANCE_AUTH="token", GOVERNANCE_DB_PATH=str(path)) as running:
        yield running, {"Authorization": f"Bearer {spelling}"}


def test_over_a_socket_the_kill_switch_answers_amid_guesses(
    listening: tuple[Served, dict[str, str]],
) -> None:
    """A process that has just started knows nobody yet, and a guesser has the same address."""
    running, olga = listening
    with running.client() as client:
        for guess in (WRONG, UNREADABLE, _half_right(olga["Authorization"])):
            _until_hasty(_asks(client, KILL), guess)
        assert _asks(client, KILL)(olga) == 200
        assert _asks(client, STATE)(olga) == 200
