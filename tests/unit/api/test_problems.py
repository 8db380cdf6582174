"""Problems: every error has a status, a page and an answer that says what to do."""

from __future__ import annotations

import pytest

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
