"""Documents: the pages under ``/docs``, made here, so that they open without the internet.

They show the same OpenAPI document that ``/openapi.json`` gives to programs: each route's
docstring, parameters and answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from api.problems import KINDS

CODE: Final = re.compile(r"`([^`]+)`")
"""What docstrings and remedies set in backticks."""


def prose(text: str) -> Markup:
    """Return *text* for a page, escaped, with what is in backticks as code.

    >>> prose("Mend `<this>`.")
    Markup('Mend <code>&lt;this&gt;</code>.')
    """
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - just escaped


PAGES = Environment(loader=PackageLoader("api"), autoescape=True, trim_blocks=True)
PAGES.filters["prose"] = prose

METHODS = ("get", "post", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as the page shows it."""

    name: str
    place: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One route as the page shows it."""

    id: str
    tag: str
    method: str
    path: str
    paragraphs: list[str]
    parameters: list[Parameter]
    answers: list[tuple[str, str]]


def addresses_page(document: dict[str, Any]) -> str:
    """Return the page of all routes in an OpenAPI document, grouped by tag."""
    groups: dict[str, list[Operation]] = {}
    for operation in _operations(document):
        groups.setdefault(operation.tag, []).append(operation)
    info = document["info"]
    return PAGES.get_template("addresses.html").render(
        title="Addresses", version=info["version"], description=info["description"], groups=groups
    )


def problems_page() -> str:
    """Return the page that every problem's ``type`` points into."""
    return PAGES.get_template("problems.html").render(title="Problems", kinds=sorted(KINDS.items()))


def style_sheet() -> str:
    """Return the pages' style."""
    return PAGES.get_template("style.css").render()


def _operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Yield the operations in the order in which the routes were declared."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield _operation(item[method], method=method, path=path)


def _operation(described: dict[str, Any], *, method: str, path: str) -> Operation:
    """Return one operation from its OpenAPI description."""
    return Operation(
        id=described["operationId"],
        tag=described["tags"][0],
        method=method.upper(),
        path=path,
        paragraphs=described["description"].split("\n\n"),
        parameters=[
            Parameter(p["name"], p["in"], p.get("description", ""))
            for p in described.get("parameters", [])
        ],
        answers=[
            (status, answer["description"]) for status, answer in described["responses"].items()
        ],
    )
