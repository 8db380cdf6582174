"""Whatever is sent to whatever address, the answer is one that the document declares."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.app import create_app
from governance import handlers
from governance.service import StateService
from schemas.settings import Settings
from tests.scripts.write_openapi import present_document

OPERATIONS = [
    (method.upper(), path, operation)
    for path, item in present_document()["paths"].items()
    for method, operation in item.items()
    if path != "/api/stream"
]
WORDS = st.sampled_from(
    [
        "High Error Rate",
        "errorRate > 0.05",
        "commandType.failures >= 3 and",
        "5m",
        "10min",
        "L3",
        "L5",
        "revert_to_l3",
        "alert_only",
        "critical",
        "labels.x",
        "0s",
        "\ud800",
        "\x00",
        "2026-11-23T00:00:00Z",
        "9" * 400,
    ]
)
TEXT = WORDS | st.text(st.characters(codec=None), max_size=40)
LEAF = TEXT | st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=True)
FIELDS = st.sampled_from(
    sorted(
        {
            field
            for name, model in present_document()["components"]["schemas"].items()
            if name in {"NewRule", "RulePatch", "ResolveRequest", "RollbackRequest"}
            for field in model["properties"]
        }
    )
)
ANYTHING = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | TEXT, inner, max_size=8),
    max_leaves=12,
)
BODIES = st.one_of(
    ANYTHING.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(FIELDS, LEAF, max_size=12).map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=60),
    st.sampled_from([b"[" * 60_000, b'{"a":' * 10_000, b"", b"\xef\xbb\xbf{}", b"1e999"]),
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Return a client of an application over a database of its own, without Kafka."""
    path: Path = tmp_path_factory.mktemp("fuzz") / "governance.db"
    chosen = Settings(kafka_bootstrap_servers="127.0.0.1:1", db_path=path)
    service = StateService(chosen)
    service.store.migrate()
    handlers.create(service.desk)
    with TestClient(create_app(service, chosen), base_url="http://localhost:4007") as client:
        yield client
    service.store.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(operation=st.sampled_from(OPERATIONS), names=st.lists(TEXT, min_size=3), body=BODIES)
def test_no_body_breaks_the_service(
    client: TestClient, operation: tuple[str, str, Any], names: list[str], body: bytes
) -> None:
    """No name and no body makes a 5xx, and every refusal is a problem that says what is wrong."""
    method, path, described = operation
    spelled = [quote(name, safe="", errors="replace") or "x" for name in names]
    address = re.sub(r"\{\w+\}", lambda _: spelled.pop(), path)
    headers = {"Content-Type": "application/json"}
    answer = client.request(method, address, content=body, headers=headers)

    _is_declared(answer, described)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    operation=st.sampled_from([o for o in OPERATIONS if o[2].get("parameters") and o[0] == "GET"]),
    value=TEXT | st.integers().map(str),
)
def test_no_parameter_breaks_the_service(
    client: TestClient, operation: tuple[str, str, Any], value: str
) -> None:
    """No value of any parameter makes a 5xx."""
    method, path, described = operation
    clean = value.encode("utf-8", "replace").decode()
    asked = {parameter["name"]: clean for parameter in described["parameters"]}
    answer = client.request(method, re.sub(r"\{\w+\}", "e", path), params=asked)

    _is_declared(answer, described)


def _is_declared(answer: Any, described: dict[str, Any]) -> None:
    """Check that the document knows the answer, by its status or as the default problem."""
    declared = described["responses"]
    assert answer.status_code < 500 or str(answer.status_code) == "503", answer.text
    content = declared.get(str(answer.status_code), declared["default"])["content"]
    assert answer.headers["Content-Type"].split(";")[0] in content
    if answer.headers["Content-Type"] == "application/problem+json":
        assert answer.json()["detail"]
