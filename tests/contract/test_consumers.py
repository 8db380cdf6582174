"""Every consumer of ours says which records it reads: those that were committed.

The default of each client library is to read what producers aborted.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
OURS: Final = ("streams", "governance", "api", "cli", "embedded", "bench")
CLIENTS: Final = {"KafkaConsumer", "AIOKafkaConsumer"}


def made() -> Iterator[tuple[str, ast.Call]]:
    """Yield where consumers are made, and how."""
    for folder in OURS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                name = (
                    node.func.id
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
                    else ""
                )
                if isinstance(node, ast.Call) and name in CLIENTS:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


@pytest.mark.parametrize(("place", "call"), [pytest.param(*one, id=one[0]) for one in made()])
def test_a_consumer_reads_what_was_committed(place: str, call: ast.Call) -> None:
    """By a word in the call; only questions for a log's end are asked otherwise."""
    levels = [one.value for one in call.keywords if one.arg == "isolation_level"]
    assert levels, f"{place} reads what producers abort"
    [level] = levels
    assert isinstance(level, ast.Name) or ast.literal_eval(level) == "read_committed"


def test_consumers_are_found() -> None:
    """A rename would leave nothing to check."""
    assert len(list(made())) >= 5
