"""Failures, alone: what an exception looks like from outside."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from api.failures import Failures, add_failures
from schemas.errors import Refused, Unavailable
from schemas.events import Severity


class Wish(BaseModel):
    """A body with one field of few values."""

    model_config = ConfigDict(extra="forbid")

    severity: Severity


def _application() -> FastAPI:
    app = FastAPI()
    add_failures(app)
    app.add_middleware(Failures)

    @app.get("/refused")
    def refused() -> None:
        raise Refused("not now", allowed_when="later")

    @app.get("/unavailable")
    def unavailable() -> None:
        raise Unavailable("database", "locked", retry_after=7)

    @app.get("/bug")
    def bug() -> None:
        raise ZeroDivisionError("a secret of the inside")

    @app.post("/wish")
    def wish(wish: Wish) -> None:
        del wish

    return app


@pytest.fixture
def client() -> TestClient:
    """A client of an application where everything fails."""
    return TestClient(_application())


def test_an_error_of_ours_keeps_its_status(client: TestClient) -> None:
    """A refusal is a 409 that says what would allow it."""
    answer = client.get("/refused")

    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["allowedWhen"] == "later"


def test_unavailable_says_when_to_come_back(client: TestClient) -> None:
    """A 503 carries ``Retry-After`` and that a retry may help."""
    answer = client.get("/unavailable")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "7"
    assert answer.json()["retryable"] is True


def test_a_bug_shows_nothing_of_the_inside(client: TestClient) -> None:
    """An unforeseen error is a 500 whose id leads to the log, which has the trace."""
    with capture_logs() as lines:
        answer = client.get("/bug")

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    (line,) = lines
    assert line["request_id"] == answer.json()["requestId"]
    assert isinstance(line["exc_info"], ZeroDivisionError)


def test_an_unknown_address_is_a_problem(client: TestClient) -> None:
    """404 of an address and 405 of a method are problems like any other."""
    assert client.get("/nowhere").json()["code"] == "unknown_path"
    answer = client.delete("/wish")
    assert answer.json()["code"] == "method_not_allowed"
    assert answer.headers["Allow"] == "POST"


def test_every_wrong_field_is_named(client: TestClient) -> None:
    """An unknown value and an unknown field are each named, the value too."""
    answer = client.post("/wish", json={"severity": "awful", "color": 1})

    assert answer.status_code == 422
    faults = {fault["field"]: fault["message"] for fault in answer.json()["errors"]}
    assert "'awful' is not one of" in faults["severity"]
    assert faults["color"] == "no such field"


@pytest.mark.parametrize(
    "body", ['{"severity": ', "not json", '{"severity": "low",}', b"\xff\xfe", "[" * 60_000]
)
def test_what_is_not_json_is_a_bad_request(client: TestClient, body: str | bytes) -> None:
    """Broken, garbled and endlessly nested JSON are the client's to mend."""
    answer = client.post("/wish", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert answer.json()["detail"]


def test_a_body_that_is_missing_is_a_wrong_field(client: TestClient) -> None:
    """Nothing was sent, and that is what the answer says."""
    answer = client.post("/wish", headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
