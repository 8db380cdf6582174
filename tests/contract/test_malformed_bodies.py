"""What is no JSON is a bad request on every route that takes a body, and nothing happens."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from governance import handlers
from governance.service import StateService
from schemas.settings import Settings
from tests.scripts.write_openapi import present_document

TAKES_A_BODY = [
    (method.upper(), path)
    for path, item in present_document()["paths"].items()
    for method, operation in item.items()
    if "requestBody" in operation
]
MALFORMED = (b"{", b"no json", b'{"reason": "x",}', b"{'reason': 'x'}", b"\xff", b"[" * 60_000)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Return a client of the application as it is after its first start."""
    path = tmp_path_factory.mktemp("malformed") / "governance.db"
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1", db_path=path)
    service = StateService(settings)
    service.store.migrate()
    handlers.create(service.desk)
    with TestClient(create_app(service, settings), base_url="http://localhost:4007") as client:
        yield client
    service.store.close()


@pytest.mark.parametrize(("method", "path"), TAKES_A_BODY)
def test_what_is_no_json_is_a_bad_request(client: TestClient, method: str, path: str) -> None:
    """Every way in which it is none is a 400, never a 422; the document says so too."""
    address = re.sub(r"\{\w+\}", "none", path)
    before = client.get("/api/governance/state").json()
    for body in MALFORMED:
        answer = client.request(
            method, address, content=body, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), body[:20]
        assert answer.json()["detail"]

    assert client.get("/api/governance/state").json() == before
    assert "400" in present_document()["paths"][path][method.lower()]["responses"]


def test_more_than_a_few_routes_are_meant() -> None:
    """The list is made from the document, and is not empty by accident."""
    assert len(TAKES_A_BODY) > 10
