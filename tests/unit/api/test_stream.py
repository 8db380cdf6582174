"""The live stream, from a server that really listens."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, sse

from api.app import create_app
from api.live import FOLLOWERS, Live
from api.server import Server, listening
from governance import handlers
from governance.callers import Role
from governance.service import StateService
from schemas.errors import Unavailable
from schemas.settings import Settings
from tests.unit.api.conftest import Trip


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    name: str
    number: int
    data: dict[str, Any]


def _events(answer: httpx2.Response) -> Iterator[Event]:
    """Yield the events as they come."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            yield Event(fields["event"], int(fields["id"]), json.loads(fields["data"]))
            fields = {}


@pytest.fixture
def server(app: FastAPI, settings: Settings) -> Iterator[str]:
    """Serve the application on a free port, and end in good order."""
    with _served(app, settings) as url:
        yield url


@contextmanager
def _served(app: FastAPI, settings: Settings) -> Iterator[str]:
    """Serve *app* on a free port."""
    free = settings.model_copy(update={"port": 0})
    with listening(free) as listener:
        server = Server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/stream"
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


@contextmanager
def _following(url: str, last: int | None = None, *, token: str = "") -> Iterator[Iterator[Event]]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    with httpx2.stream("GET", url, headers=headers, timeout=60) as answer:
        assert answer.status_code == 200
        yield _events(answer)


def _until(events: Iterator[Event], wanted: Callable[[Event], bool]) -> Event:
    return next(event for event in events if wanted(event))


def test_the_state_comes_first(server: str) -> None:
    """Whoever connects knows at once where things stand."""
    with _following(server) as events:
        first = next(events)

    assert first.name == "governance.state"
    assert (first.data["currentPhase"], first.data["autonomyEpoch"]) == ("L3", 1)


def test_a_trip_is_told_as_it_happens(server: str, trip: Trip) -> None:
    """A pause is told as the trip, the new state and the pause, under rising numbers."""
    with _following(server) as events:
        first = next(events)
        event = trip()
        told = [next(events) for _ in range(3)]

    assert {kind.name for kind in told} == {
        "governance.breaker.tripped",
        "governance.state",
        "governance.command_type.paused",
    }
    by_name = {kind.name: kind.data for kind in told}
    assert by_name["governance.breaker.tripped"]["data"]["eventId"] == event
    assert by_name["governance.state"]["pausedCommandTypes"] == ["SET_POWER"]
    numbers = [first.number, *(kind.number for kind in told)]
    assert numbers == sorted(set(numbers))


def test_a_follower_that_comes_back_misses_nothing(server: str, trip: Trip) -> None:
    """Everything that happened since the last number is told again, in order, once."""
    with _following(server) as events:
        last = next(events).number
    trips = [trip(command_type=f"T{number}") for number in range(5)]
    told: list[str] = []
    while len(told) < len(trips):
        with _following(server, last) as events:
            event = next(events)
        last = event.number
        told += [event.data["data"]["eventId"]] if event.name.endswith("tripped") else []

    assert told == trips


@pytest.mark.parametrize("last", ["999999999", "many", "-1", "²", ""])
def test_a_number_of_another_database_begins_anew(server: str, last: str) -> None:
    """A number that cannot be ours is answered with the state, not with silence."""
    headers = [(b"Last-Event-ID", last.encode())]
    with httpx2.stream("GET", server, headers=headers, timeout=60) as answer:
        assert next(_events(answer)).name == "governance.state"


def test_a_stream_ends_with_the_token_that_opened_it(
    service: StateService, settings: Settings, trip: Trip
) -> None:
    """Whoever is shut out hears of nothing that happens afterwards."""
    chosen = settings.model_copy(update={"auth": "token"})
    token, spelling = handlers.create_token(service.desk, "anna", [Role.VIEWER], by="boot")
    app = create_app(service, chosen)
    with _served(app, chosen) as url, _following(url, token=spelling) as events:
        next(events)
        trip(command_type="BEFORE")
        told = [next(events) for _ in range(3)]
        handlers.revoke_token(service.desk, token.id, by="boot")
        trip(command_type="AFTER")
        rest = list(events)

    assert len(told) == 3
    assert rest == []


def test_the_connection_is_kept_open(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing happens a comment is sent, which no proxy takes for silence."""
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.05)
    with httpx2.stream("GET", server, timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert next(line for line in answer.iter_lines() if line == ": ping")
    assert sse.KEEPALIVE_COMMENT == b": ping\n\n"


def test_the_end_of_the_server_ends_the_streams(app: FastAPI, settings: Settings) -> None:
    """An open stream does not hold up a stop: it is ended, not waited for and not cut."""
    with listening(settings.model_copy(update={"port": 0})) as listener:
        server = Server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/stream"
        with _following(url) as events:
            next(events)
            server.should_exit = True
            rest = list(events)
        thread.join(60)

    assert rest == []
    assert not thread.is_alive()


def test_head_ends_at_once(server: str) -> None:
    """A health check of the stream is not a follower."""
    answer = httpx2.head(server, timeout=60)

    assert (answer.status_code, answer.content) == (200, b"")


async def test_only_so_many_may_follow(service: StateService) -> None:
    """The hundred-and-first is told to come back later, and a place that is left is free."""
    live = Live(service.feed, service.desk)
    with ExitStack() as seats:
        for _ in range(FOLLOWERS):
            seats.enter_context(live.seat())
        with pytest.raises(Unavailable, match="100 clients"), live.seat():
            pass
    with live.seat():
        pass


def test_one_too_many_is_a_problem(server: str, app: FastAPI) -> None:
    """A full house is a 503 with ``Retry-After``, before any stream begins."""
    with ExitStack() as seats:
        for _ in range(FOLLOWERS):
            seats.enter_context(app.state.live.seat())
        answer = httpx2.get(server, timeout=60)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"
    assert answer.json()["part"] == "stream"


def test_a_follower_that_left_frees_its_place(server: str, app: FastAPI) -> None:
    """A hundred visitors one after another never fill the house."""
    with ExitStack() as seats:
        for _ in range(FOLLOWERS - 1):
            seats.enter_context(app.state.live.seat())
        with _following(server) as events:
            next(events)
        while httpx2.head(server, timeout=60).status_code == 503:
            pass
