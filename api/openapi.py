"""The OpenAPI document: stable names, and problems declared as what they are."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from api.auth.matrix import MATRIX, PUBLIC
from api.problems import KINDS, MEDIA_TYPE, Problem

PROBLEM: Final = "#/components/schemas/Problem"
FRAMEWORKS: Final = "#/components/schemas/HTTPValidationError"
AS_PROBLEM: Final = {MEDIA_TYPE: {"schema": {"$ref": PROBLEM}}}

BEARER: Final = "bearer"
"""The name of the one scheme by which callers prove who they are."""

SCHEMES: Final = {
    "open": "Needless while `GOVERNANCE_AUTH` is `open`: everybody on this machine may ask.",
    "token": "An API token; `governance token create` makes one.",
    "oidc": "A JWT of the identity provider; programs send an API token of role `service`.",
}
"""What is sent after ``Bearer``, by mode."""

HASTY: Final = {
    "Retry-After": {
        "description": "Seconds to wait.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
}
UNKNOWN: Final = {
    "WWW-Authenticate": {
        "description": "The scheme that is wanted.",
        "required": True,
        "schema": {"type": "string"},
    }
}

Responses = dict[int | str, dict[str, Any]]


def problems(*codes: str) -> Responses:
    """Return the declaration of the problems that a route may answer, by their codes."""
    answers: Responses = {}
    for code in codes:
        kind = KINDS[code]
        also = f"{answers[kind.status]['description']}; " if kind.status in answers else ""
        answers[kind.status] = {"model": Problem, "description": f"{also}{kind.title}"}
    return answers


def operation_id(route: APIRoute) -> str:
    """Return a route's stable id: its function's name, as clients write names."""
    return to_camel(route.name)


def document_of(app: FastAPI, *, mode: str) -> dict[str, Any]:
    """Return the OpenAPI document of *app*, made once; *mode* is how callers are known."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for path, item in document["paths"].items():
            for method, operation in item.items():
                _declare_security(operation, f"{method.upper()} {path}", mode=mode)
                if "requestBody" in operation:
                    _also(operation["responses"], "bad_request")
                _declare_problems(operation["responses"])
        _drop_the_frameworks_own(document["components"]["schemas"])
        document["components"]["securitySchemes"] = {
            BEARER: {"type": "http", "scheme": "bearer", "description": SCHEMES[mode]}
        }
        app.openapi_schema = document
    return app.openapi_schema


def _declare_security(operation: dict[str, Any], route: str, *, mode: str) -> None:
    """Say whether a route wants to know who asks, and what the gate answers where it does.

    A route without a row in the matrix is not public. In open mode a token may be sent and is
    not looked at, which a client reads as optional.
    """
    answers = operation["responses"]
    if MATRIX.routes.get(route) == PUBLIC:
        operation["security"] = []
    else:
        needed: dict[str, list[str]] = {BEARER: []}
        operation["security"] = [{}, needed] if mode == "open" else [needed]
        _also(answers, "not_authenticated")["headers"] = UNKNOWN
        _also(answers, "not_permitted")
    _also(answers, "too_many_requests")["headers"] = HASTY


def _also(answers: dict[str, Any], code: str) -> dict[str, Any]:
    """Return the answer that tells of *code* too, beside what the route declares itself."""
    kind = KINDS[code]
    answer: dict[str, Any] = answers.setdefault(
        str(kind.status), {"description": kind.title, "content": AS_PROBLEM}
    )
    if kind.title not in answer["description"]:
        answer["description"] = f"{kind.title}; {answer['description']}"
    return answer


def _declare_problems(responses: dict[str, Any]) -> None:
    """Give every problem its media type, and the answers the order of their status.

    Whatever the layers around the routes may answer is a problem too: the default.
    """
    for answer in responses.values():
        if _is_problem(answer):
            answer["content"] = AS_PROBLEM
        if answer["description"] == "Validation Error":
            answer["description"] = KINDS["invalid_request"].title
    ordered = sorted(responses.items())
    responses.clear()
    responses.update(ordered)
    responses["default"] = {"description": "Any other problem", "content": AS_PROBLEM}


def _is_problem(answer: dict[str, Any]) -> bool:
    """Return whether an answer is one of our problems, or what the framework has for one."""
    declared = [content.get("schema", {}) for content in answer.get("content", {}).values()]
    return any(schema.get("$ref") in (PROBLEM, FRAMEWORKS) for schema in declared)


def _drop_the_frameworks_own(schemas: dict[str, Any]) -> None:
    """Remove the models of the validation answers that we replaced."""
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
