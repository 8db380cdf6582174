"""What every answer carries, and ``HEAD``, alone."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from api.headers import ALWAYS, Heads, SafeHeaders


def _kept(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("kept", headers={"Cache-Control": "no-cache"})


@pytest.fixture
def client() -> TestClient:
    """A client of an application with one address and both layers."""
    return TestClient(SafeHeaders(Heads(Starlette(routes=[Route("/", _kept, methods=["GET"])]))))


@pytest.mark.parametrize("path", ["/", "/nowhere"])
def test_every_answer_is_dressed(client: TestClient, path: str) -> None:
    """An answer cannot be sniffed, framed or traced, whether there was anything or not."""
    answer = client.get(path)

    for name in ALWAYS:
        assert name in answer.headers


def test_an_answers_own_header_stays(client: TestClient) -> None:
    """A route that knows better is not overruled."""
    assert client.get("/").headers["Cache-Control"] == "no-cache"


def test_head_is_get_without_a_body(client: TestClient) -> None:
    """``HEAD`` gives the status, the type and the length of ``GET``, and nothing more."""
    answer = client.head("/")

    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == "4"
    assert answer.content == b""
