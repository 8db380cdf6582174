"""Bodies of requests: from options, or as JSON from a file or from standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

BodyFile = Annotated[
    str | None,
    typer.Option(
        "--file", "-f", help="Fields as a JSON object, - for standard input; options win over it."
    ),
]

LONGEST: Final = 64 * 1024
"""Bytes that the API takes."""


def body_of(file: str | None, **options: object) -> dict[str, Any]:
    """Return the fields of *file*, and those of *options* that were given.

    Raises:
        NotFound: there is no such file, or it may not be read.
        Refused: it holds no JSON object.
    """
    found = {} if file is None else _read(file)
    return {**found, **{name: value for name, value in options.items() if value is not None}}


def _read(file: str) -> dict[str, Any]:
    """Return the JSON object in *file*; the errors are those of `body_of`."""
    from schemas.errors import NotFound, Refused

    try:
        if file == "-":
            raw = sys.stdin.buffer.read(LONGEST + 1)
        else:
            with Path(file).open("rb") as opened:
                raw = opened.read(LONGEST + 1)
    except (OSError, ValueError) as problem:
        raise NotFound("readable file", file) from problem
    if len(raw) > LONGEST:
        raise Refused(f"{file} is longer than {LONGEST} bytes, which is all that the API takes")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as problem:
        raise Refused(f"{file} is no JSON: {problem}") from None
    if not isinstance(found, dict):
        raise Refused(f"{file} holds no JSON object, but a {type(found).__name__}")
    return found
