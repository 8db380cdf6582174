"""The whole application: what holds for every route."""

from __future__ import annotations

import re
import sqlite3
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.bodies import MAX_BODY
from api.headers import ALWAYS
from governance import handlers
from schemas.errors import Unavailable
from tests.scripts.write_openapi import present_document

OPERATIONS = [
    (method.upper(), re.sub(r"\{\w+\}", "n", path))
    for path, item in present_document()["paths"].items()
    for method in item
    if path != "/api/stream"
]
PAGES = [("GET", path) for path in ("/", "/docs", "/docs/problems", "/docs/style.css")]
WRONG = [("GET", "/nowhere"), ("PUT", "/health"), ("BREW", "/health"), ("GET", "/openapi.json")]


@pytest.mark.parametrize(("method", "path"), [*OPERATIONS, *PAGES, *WRONG])
def test_every_answer_is_dressed(client: TestClient, method: str, path: str) -> None:
    """Whatever is asked, however wrongly, the answer cannot be sniffed, framed or traced."""
    answer = client.request(method, path, follow_redirects=False)

    assert set(ALWAYS) <= {name.title() for name in answer.headers} | set(answer.headers)
    for name, value in ALWAYS.items():
        assert answer.headers[name] == value
    assert "server" not in answer.headers


@pytest.mark.parametrize(("method", "path"), [*OPERATIONS, *WRONG])
def test_every_error_is_a_problem(client: TestClient, method: str, path: str) -> None:
    """No answer of 400 or more is anything else, save the report of ``/ready``."""
    answer = client.request(method, path)

    if answer.status_code >= 400 and path != "/ready":
        assert answer.headers["Content-Type"] == "application/problem+json"
        said = answer.json()
        assert said["status"] == said["statusCode"] == answer.status_code
        assert said["message"] == said["detail"] != ""


@pytest.mark.parametrize("path", [path for method, path in OPERATIONS if method == "GET"])
def test_head_works_wherever_get_does(client: TestClient, path: str) -> None:
    """A health check by ``HEAD`` gets the status and type of ``GET``, and no body."""
    asked, read = client.head(path), client.get(path)

    assert asked.status_code == read.status_code
    assert asked.headers["Content-Type"] == read.headers["Content-Type"]
    assert asked.content == b""


@pytest.mark.parametrize(("method", "path"), [o for o in OPERATIONS if o[0] != "GET"])
def test_a_body_that_is_too_large_reaches_no_route(
    client: TestClient, method: str, path: str
) -> None:
    """64 KiB and one byte is too much for any route."""
    headers = {"Content-Type": "application/json"}
    answer = client.request(method, path, content=b" " * (MAX_BODY + 1), headers=headers)

    assert answer.status_code == 413


@pytest.mark.parametrize(("method", "path"), [o for o in OPERATIONS if o[0] != "GET"])
def test_no_page_of_another_site_may_act(client: TestClient, method: str, path: str) -> None:
    """Every route that acts is behind the guard."""
    answer = client.request(method, path, headers={"Origin": "https://example.org"})

    assert answer.json()["code"] == "cross_site"


@pytest.mark.parametrize(("method", "path"), [*OPERATIONS, *PAGES])
def test_no_foreign_name_is_answered(client: TestClient, method: str, path: str) -> None:
    """Every address is behind the guard."""
    answer = client.request(method, path, headers={"Host": "rebound.example.org"})

    assert answer.status_code == 421


def test_a_refusal_is_counted(client: TestClient) -> None:
    """An attack shows in the metrics."""
    client.get("/health", headers={"Host": "rebound.example.org"})

    assert 'status_code="421"' in client.get("/metrics").text


def test_no_other_site_is_let_in(client: TestClient) -> None:
    """CORS is off: a browser shows no page of another site what we answered."""
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
    answers = client.options("/health", headers=headers), client.get("/health", headers=headers)

    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_bug_is_answered_without_its_insides(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unforeseen error is a dressed 500 that names the line in the log and nothing else."""

    def broken(*_: Any, **__: Any) -> None:
        raise sqlite3.IntegrityError("INSERT INTO secrets")

    monkeypatch.setattr(handlers, "explain_event", broken)
    answer = client.get("/api/circuit-breaker/events/any")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secrets" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert 'status_code="500"' in client.get("/metrics").text


def test_a_busy_database_says_when_to_come_back(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that another process holds is a 503 with ``Retry-After``."""

    def busy(*_: Any, **__: Any) -> None:
        raise Unavailable("database", "database is locked")

    monkeypatch.setattr(handlers, "roll_back", busy)
    answer = client.post(
        "/api/governance/rollback", json={"targetPhase": "L3", "reason": "A precaution."}
    )

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["retryable"] is True


def test_the_documents_show_every_route(client: TestClient) -> None:
    """Each operation has its section with its docstring, and nothing comes from elsewhere."""
    page = client.get("/docs").text

    for item in present_document()["paths"].values():
        for operation in item.values():
            assert f'id="{operation["operationId"]}"' in page
    assert "The body may be left out" in page
    assert "<code>If-Match</code>" in page
    assert "`" not in page
    assert not re.findall(r'(?:src|href)="(?!/)', page)
    assert client.get("/docs/style.css").headers["Content-Type"].startswith("text/css")


def test_a_browser_that_knows_only_the_port_finds_the_documents(client: TestClient) -> None:
    """``/`` leads to ``/docs``."""
    assert client.get("/").url.path == "/docs"


def test_requests_do_not_share_a_database_transaction(app: FastAPI, client: TestClient) -> None:
    """A request that failed half-way leaves nothing behind for the next."""
    before = client.get("/api/circuit-breaker/rules").json()
    client.patch(
        "/api/circuit-breaker/rules/High%20Error%20Rate",
        json={"window": "10m", "condition": "errorRate >"},
    )

    assert client.get("/api/circuit-breaker/rules").json() == before
    assert app.state.service.feed.commits == 0
