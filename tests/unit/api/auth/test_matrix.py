"""The matrix: every route times every kind of caller, as the document lists the routes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.auth.matrix import MATRIX, PUBLIC
from governance import handlers
from governance.callers import EVERYBODY, Role, Scope
from governance.service import StateService
from schemas.settings import Settings
from tests.scripts.write_openapi import present_document
from tests.unit.api.auth.conftest import HOME

PAGES = [("GET", path) for path in ("/", "/docs", "/docs/problems", "/docs/style.css")]
ROUTES = [
    *PAGES,
    *(
        (method.upper(), path)
        for path, item in present_document()["paths"].items()
        for method in item
    ),
]
KINDS: dict[str, tuple[Role, tuple[Scope, ...]]] = {
    **{role.value: (role, ()) for role in sorted(EVERYBODY)},
    **{f"service:{scope}": (Role.SERVICE, (scope,)) for scope in Scope},
}
NOBODY = "nobody"

EXPECTED: dict[str, set[str]] = {
    "read": {*(role.value for role in EVERYBODY), "service:read"},
    "lower": {
        *("operator", "tech-lead", "ops-lead", "product-lead", "exec-sponsor"),
        "service:lower",
    },
    "attend": {
        *("operator", "tech-lead", "ops-lead", "product-lead", "exec-sponsor"),
        "service:lower",
    },
    "resolve": {"operator", "tech-lead", "ops-lead"},
    "resolve_grave": {"tech-lead", "ops-lead"},
    "resume": {"tech-lead", "ops-lead"},
    "change_rules": {"tech-lead", "ops-lead"},
    "change_checklist": {"tech-lead", "ops-lead"},
    "tighten_rules": {
        *("operator", "tech-lead", "ops-lead", "product-lead", "exec-sponsor"),
        "service:lower",
    },
    "sign": {"tech-lead", "ops-lead", "product-lead", "exec-sponsor"},
    "withdraw": {"operator", "tech-lead", "ops-lead", "product-lead", "exec-sponsor"},
    "attest": {"tech-lead", "ops-lead", "product-lead", "exec-sponsor"},
    "run_cycle": {"operator", "tech-lead", "ops-lead", "service:cycle"},
    "approve": {"tech-lead", "ops-lead", "product-lead", "exec-sponsor"},
    "reject": {"tech-lead", "ops-lead", "product-lead", "exec-sponsor"},
    "conclude": {"tech-lead", "ops-lead"},
    "manage_tokens": {"admin"},
}
"""Who may do what, once more and by hand: loosening the matrix takes two files."""

ASKED_BY: dict[str, set[str]] = {
    act: {"operator"} for act in ("resolve_grave", "resume", "change_rules", "change_checklist")
}
"""Who may only ask for what takes two people."""


@pytest.fixture(scope="module")
def door(
    tmp_path_factory: pytest.TempPathFactory, first_start: Path
) -> Iterator[tuple[TestClient, dict[str, dict[str, str]]]]:
    """Return one application in token mode, and the headers of each kind of caller."""
    path = tmp_path_factory.mktemp("matrix") / "governance.db"
    shutil.copy(first_start, path)
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1", db_path=path, auth="token")
    service = StateService(settings)
    headers: dict[str, dict[str, str]] = {NOBODY: {}}
    for kind, (role, scopes) in KINDS.items():
        _, spelling = handlers.create_token(
            service.desk, kind, [role], by="the test", scopes=scopes
        )
        headers[kind] = {"Authorization": f"Bearer {spelling}"}
    with TestClient(create_app(service, settings), base_url=HOME) as client:
        yield client, headers
    service.store.close()


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_has_a_row(method: str, path: str) -> None:
    """Nobody adds a route without saying who may use it."""
    assert f"{method} {path}" in MATRIX.routes, (
        f"{method} {path} has no row: add under `routes:` in api/auth/matrix.yaml the line\n"
        f"  {method} {path}: ACT\n"
        f"where ACT is one of {', '.join([PUBLIC, *MATRIX.acts])}; only what cannot raise "
        "autonomy may be `lower`"
    )


@pytest.mark.parametrize("act", MATRIX.acts)
def test_every_act_is_granted_as_it_is_written_here(act: str) -> None:
    """A change of who may do what is never an accident of one file."""
    grant = MATRIX.acts[act]
    granted = {role.value for role in grant.roles}

    assert granted | ({f"service:{grant.scope}"} if grant.scope else set()) == EXPECTED[act]
    assert {role.value for role in grant.asked_by} == ASKED_BY.get(act, set())


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_route_is_open_to_those_of_its_row_and_to_nobody_else(
    door: tuple[TestClient, dict[str, dict[str, str]]], method: str, path: str
) -> None:
    """401 without a token, 403 to all whom the row does not name, something else to the rest."""
    client, headers = door
    act = MATRIX.act_of(method, path)
    address = re.sub(r"\{\w+\}", "none", path)
    for kind, sent in headers.items():
        if path == "/api/stream" and kind in EXPECTED["read"]:
            answer = client.head(address, headers=sent)
        else:
            answer = client.request(
                method, address, headers={**sent, "X-No-Such": "1"}, follow_redirects=False
            )
        code = answer.json()["code"] if _is_problem(answer.headers) else ""
        expected = act == PUBLIC or kind in EXPECTED[act or ""] | ASKED_BY.get(act or "", set())
        if kind == NOBODY and act != PUBLIC:
            assert (answer.status_code, code) == (401, "not_authenticated"), kind
        else:
            assert (answer.status_code in (401, 403)) is not expected, (kind, answer.text)


def _is_problem(headers: object) -> bool:
    """Whether an answer says what is wrong."""
    return "application/problem+json" in str(headers)
