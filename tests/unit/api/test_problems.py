"""Problems: every error has a status, a page and an answer that says what to do."""

from __future__ import annotations

import re

import pytest
from markupsafe import escape
from starlette.testclient import TestClient

from api.documents import problems_page
from api.problems import KINDS, problem, problem_of
from schemas import errors
from schemas.errors import GovernanceError, NotFound, RuleError, StaleEpoch


def _tree(root: type[GovernanceError]) -> list[type[GovernanceError]]:
    return [root, *(below for child in root.__subclasses__() for below in _tree(child))]


TREE = _tree(GovernanceError)


def test_every_error_has_a_code_of_its_own() -> None:
    """Two errors never share a code, and each is declared in the one tree."""
    codes = [error.code for error in TREE]

    assert len(set(codes)) == len(codes)
    assert all(error.__module__ == errors.__name__ for error in TREE)


@pytest.mark.parametrize("error", TREE)
def test_every_error_has_a_status(error: type[GovernanceError]) -> None:
    """No error can leave a route without a row in the table."""
    assert error.__doc__
    assert 400 <= KINDS[error.code].status < 600


@pytest.mark.parametrize("code", KINDS)
def test_every_problem_type_opens_its_page(code: str) -> None:
    """The ``type`` of each problem is an address of ours with that very anchor."""
    path, anchor = problem(code, "detail", instance="/here").type.split("#")

    assert path == "/docs/problems"
    assert f'id="{anchor}"' in problems_page()


def test_every_remedy_leads_somewhere(client: TestClient) -> None:
    """An address that a remedy names is served, and what is not there yet is not named."""
    assert "unknown_path" in client.get("/nowhere").text
    for kind in KINDS.values():
        for address in re.findall(r"`(/[^`]*)`", kind.remedy):
            assert "unknown_path" not in client.get(address).text, address
        assert "console" not in kind.remedy


def test_the_documents_show_what_the_readme_says(client: TestClient) -> None:
    """Each address with its parameters is on the page, each body's fields are in the document."""
    page, document = client.get("/docs").text, client.get("/openapi.json").json()
    for path, item in document["paths"].items():
        assert f"<code>{escape(path)}</code>" in page
        for operation in item.values():
            for parameter in operation.get("parameters", []):
                assert f"<code>{parameter['name']}</code>" in page
    assert "cause" in document["components"]["schemas"]["ResolveRequest"]["properties"]


def test_a_problem_speaks_both_dialects() -> None:
    """The fields of RFC 9457 and those of the earlier service say the same."""
    answer = problem_of(NotFound("rule", "High Eror Rate", ["High Error Rate"]), instance="/x y")

    assert (
        answer.to_wire()
        | {
            "type": "/docs/problems#not_found",
            "status": 404,
            "statusCode": 404,
            "error": "Not Found",
            "message": answer.detail,
            "instance": "/x%20y",
            "near": ["High Error Rate"],
        }
        == answer.to_wire()
    )


def test_a_rule_error_points_at_the_fault() -> None:
    """Position, caret and suggestion survive, so that an editor can underline."""
    error = RuleError("unknown metric", source="eror > 1", position=0, suggestion="errorRate")
    answer = problem_of(error, instance="/")

    assert (answer.position, answer.caret) == (0, "eror > 1\n^")
    assert (answer.suggestion, answer.field) == ("errorRate", "condition")


def test_a_stale_epoch_tells_the_present_one() -> None:
    """The caller learns both epochs and what to do."""
    answer = problem_of(StaleEpoch(3, 5), instance="/")

    assert (answer.status, answer.seen_epoch, answer.autonomy_epoch) == (409, 3, 5)
    assert answer.allowed_when
