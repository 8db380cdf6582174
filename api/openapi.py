"""The OpenAPI document: stable names, and problems declared as what they are."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from api.problems import KINDS, MEDIA_TYPE, Problem

PROBLEM: Final = "#/components/schemas/Problem"
FRAMEWORKS: Final = "#/components/schemas/HTTPValidationError"
AS_PROBLEM: Final = {MEDIA_TYPE: {"schema": {"$ref": PROBLEM}}}

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


def document_of(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of *app*, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for item in document["paths"].values():
            for operation in item.values():
                _declare_problems(operation["responses"])
        _drop_the_frameworks_own(document["components"]["schemas"])
        app.openapi_schema = document
    return app.openapi_schema


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
