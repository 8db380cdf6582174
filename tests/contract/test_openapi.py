"""The API's document: the same as the committed one, and complete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from api.auth.matrix import MATRIX, PUBLIC
from api.openapi import BEARER
from api.problems import MEDIA_TYPE
from tests.scripts.write_openapi import SNAPSHOT, document_in, present_document

DOCUMENT = present_document()
CONTRACT = {
    ("get", "/health"),
    ("get", "/ready"),
    ("get", "/metrics"),
    ("get", "/api/metrics/latest"),
    ("get", "/api/metrics/weekly"),
    ("get", "/api/metrics/current"),
    ("get", "/api/metrics/catalog"),
    ("get", "/api/governance/state"),
    ("post", "/api/governance/rollback"),
    ("get", "/api/circuit-breaker/events"),
    ("get", "/api/circuit-breaker/events/unresolved"),
    ("get", "/api/circuit-breaker/events/{event_id}"),
    ("post", "/api/circuit-breaker/events/{event_id}/resolve"),
    ("post", "/api/circuit-breaker/command-types/{command_type}/resume"),
    ("get", "/api/circuit-breaker/rules"),
    ("get", "/api/circuit-breaker/rules/enabled"),
    ("post", "/api/circuit-breaker/rules"),
    ("patch", "/api/circuit-breaker/rules/{name}"),
    ("delete", "/api/circuit-breaker/rules/{name}"),
    ("get", "/api/stream"),
}
"""The addresses that clients rely on."""


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


OPERATIONS = [pytest.param(operation, id=f"{m} {p}") for m, p, operation in _operations()]


def test_the_committed_document_is_that_of_the_code() -> None:
    """A change of the API shows in review; `python -m tests.scripts.write_openapi` writes it."""
    assert json.loads(SNAPSHOT.read_text(encoding="utf-8")) == DOCUMENT


def test_no_address_of_the_contract_is_missing() -> None:
    """What clients rely on is there."""
    assert {(method, path) for method, path, _ in _operations()} >= CONTRACT


def test_names_for_clients_are_unique() -> None:
    """Each operation has an id of its own, written as clients write names."""
    ids = [operation["operationId"] for _, _, operation in _operations()]

    assert len(set(ids)) == len(ids)
    assert all(name.isidentifier() and name[0].islower() and "_" not in name for name in ids)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_says_what_it_does(operation: dict[str, Any]) -> None:
    """The operator reads a sentence for each, under a heading."""
    assert operation["description"].endswith(".")
    assert len(operation["tags"]) == 1


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_declares_its_answers(operation: dict[str, Any]) -> None:
    """Each success has a schema, and whatever else comes is a problem.

    What takes two people has a second one: it waits.
    """
    answers = operation["responses"]
    successes = {status: answer for status, answer in answers.items() if status.startswith("2")}

    assert len(successes.keys() - {"202"}) == 1
    for success in successes.values():
        assert all(content for content in success["content"].values())
    assert MEDIA_TYPE in answers["default"]["content"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_parameter_says_what_it_means(operation: dict[str, Any]) -> None:
    """No parameter is left to guessing."""
    assert all(parameter["description"] for parameter in operation.get("parameters", []))


def test_fields_are_written_as_json_writes_them() -> None:
    """Every field of every model is camelCase."""
    fields = {
        field
        for model in DOCUMENT["components"]["schemas"].values()
        for field in model.get("properties", {})
    }

    assert not [field for field in fields if "_" in field]


@pytest.mark.parametrize(
    ("mode", "needed"),
    [("open", [{}, {BEARER: []}]), ("token", [{BEARER: []}]), ("oidc", [{BEARER: []}])],
)
def test_an_operation_says_whether_it_needs_a_token(mode: Any, needed: list[Any]) -> None:
    """As the matrix has it: public ones need none, and in open mode none is needed anywhere."""
    document = document_in(mode)
    found = {
        f"{method.upper()} {path}": operation["security"]
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }

    assert document["components"]["securitySchemes"][BEARER]["scheme"] == "bearer"
    assert found == {route: [] if MATRIX.routes[route] == PUBLIC else needed for route in found}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_declares_what_the_gate_answers(operation: dict[str, Any]) -> None:
    """429 everywhere, and 401 and 403 wherever somebody must be known."""
    secured = {"401", "403"} if operation["security"] else set()

    assert operation["responses"].keys() >= {"429", *secured}
