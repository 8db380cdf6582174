"""Bodies, alone: how much is read, of what type, and from whom."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from api.bodies import MAX_BODY, Bodies

JSON = {"Content-Type": "application/json"}


async def _echo(request: Request) -> Response:
    return Response(await request.body())


@pytest.fixture
def client() -> TestClient:
    """A client of an application that gives bodies back."""
    return TestClient(Bodies(Starlette(routes=[Route("/echo", _echo, methods=["POST"])])))


def _chunks(size: int) -> Iterator[bytes]:
    for _ in range(0, size, 1024):
        yield b" " * 1024


def test_a_body_of_the_limit_arrives_whole(client: TestClient) -> None:
    """Exactly 64 KiB still fit, byte for byte."""
    body = b"[" + b" " * (MAX_BODY - 2) + b"]"

    assert client.post("/echo", content=body, headers=JSON).content == body


def test_an_announced_length_is_enough_to_refuse(client: TestClient) -> None:
    """One byte too many is answered with 413 and says how much would fit."""
    answer = client.post("/echo", content=b" " * (MAX_BODY + 1), headers=JSON)

    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert str(MAX_BODY) in answer.json()["detail"]


def test_a_chunked_body_is_counted_as_it_comes(client: TestClient) -> None:
    """A body without a length is refused at the limit all the same."""
    answer = client.post("/echo", content=_chunks(MAX_BODY + 1024), headers=JSON)

    assert answer.status_code == 413


def test_a_chunked_body_within_the_limit_arrives_whole(client: TestClient) -> None:
    """Chunks are joined in order."""
    answer = client.post("/echo", content=_chunks(MAX_BODY), headers=JSON)

    assert len(answer.content) == MAX_BODY


def test_an_absurd_length_is_refused(client: TestClient) -> None:
    """A length of a thousand digits is compared, not computed with."""
    answer = client.post("/echo", content=b"{}", headers={**JSON, "Content-Length": "9" * 1000})

    assert answer.status_code == 413


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/x-www-form-urlencoded"}])
def test_an_empty_body_needs_no_type(client: TestClient, headers: dict[str, str]) -> None:
    """``curl -X POST`` and ``curl -d ''`` both pass."""
    assert client.post("/echo", headers=headers).status_code == 200


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "jsonish", ""])
def test_a_body_that_is_not_declared_as_json_is_refused(client: TestClient, kind: str) -> None:
    """A forgotten ``Content-Type`` is answered with the option that adds it."""
    answer = client.post("/echo", content=b"{}", headers={"Content-Type": kind})

    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["detail"]


async def test_half_a_body_reaches_no_route() -> None:
    """A client that hangs up half-way has asked for nothing; half a body may look like none."""
    messages: list[Message] = [
        {"type": "http.request", "body": b"", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def never(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("the route was reached")

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError(f"answered {message}")

    await Bodies(never)({"type": "http", "path": "/", "headers": []}, receive, send)

    assert not messages
