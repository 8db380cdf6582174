"""What there is to ask: every GET of the OpenAPI document, with ids that exist.

So a new address is measured by itself; one whose ids are not known here ends the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

ENDLESS: Final = "text/event-stream"
"""The type of an answer that does not end."""

PAGES: Final = ("/docs", "/docs/problems", "/openapi.json")
"""Documents that are no part of the API."""

MORE: Final = (
    "/api/circuit-breaker/events?limit=100&cursor=5000",
    "/api/metrics/history?step=hour",
    "/api/metrics/history?step=day&scope=commandType%3DCOMMAND_07",
    "/api/metrics/compare?days=45",
)
"""Lists as operators ask for them, beside each as it comes."""

HTML: Final = "text/html"


def addresses(document: Mapping[str, Any], ids: Mapping[str, str]) -> list[str]:
    """Return what to ask, in the order of *document*; *ids* are by the parameters' names.

    Where a list has a bound, it is asked for as it comes and once more at its longest.
    """
    return [*_described(document, ids), *MORE, *PAGES]


def pages(document: Mapping[str, Any], ids: Mapping[str, str]) -> set[str]:
    """Return those of the addresses whose answers are pages for people."""
    return {
        _filled(path, operation, ids)
        for path, operation in _operations(document)
        if HTML in _types(operation)
    }


def _described(document: Mapping[str, Any], ids: Mapping[str, str]) -> Iterator[str]:
    """Yield the addresses of *document*."""
    for path, operation in _operations(document):
        address = _filled(path, operation, ids)
        yield address
        for parameter in operation.get("parameters", ()):
            if parameter["name"] == "limit":
                yield f"{address}?limit={parameter['schema']['maximum']}"


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each path with its GET, where there is one and its answer ends."""
    for path, item in document["paths"].items():
        operation = item.get("get")
        if operation is not None and ENDLESS not in _types(operation):
            yield path, operation


def _filled(path: str, operation: Mapping[str, Any], ids: Mapping[str, str]) -> str:
    """Return *path* with an id for each parameter."""
    names = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"]
    return path.format(**{name: quote(ids[name], safe="") for name in names})


def _types(operation: Mapping[str, Any]) -> set[str]:
    """Return the types of an operation's good answer."""
    return set(operation["responses"].get("200", {}).get("content", ()))
