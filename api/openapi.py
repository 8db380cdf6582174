"""The OpenAPI document: stable names, and problems declared as what they are."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from api.problems import KINDS, MEDIA_TYPE, Problem

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
    """Give every answer of 400 or more our model and its media type, in the order of status."""
    for status, answer in responses.items():
        if status.isdecimal() and int(status) >= 400:
            answer["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            if answer["description"] == "Validation Error":
                answer["description"] = KINDS["invalid_request"].title
    ordered = sorted(responses.items())
    responses.clear()
    responses.update(ordered)


def _drop_the_frameworks_own(schemas: dict[str, Any]) -> None:
    """Remove the models of the validation answers that we replaced."""
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
