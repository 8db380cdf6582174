"""What a run found, as a table for people and as JSON for whoever compares runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

RESULTS: Final = Path(__file__).with_name("results")

Result = dict[str, Any]
"""What one measurement found, in JSON's types."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: what, how much, and what is wanted of it."""

    what: str
    found: str
    wanted: str = ""


def show(title: str, lines: list[Line]) -> None:
    """Print one measurement's table."""
    table = Table("", "found", "wanted", title=title, title_justify="left", min_width=78)
    for line in lines:
        table.add_row(line.what, line.found, line.wanted)
    Console().print(table)


def write(found: Mapping[str, Result], *, machine: Result, name: str, quick: bool) -> Path:
    """Write what was found to ``bench/results/NAME.json``; return the file."""
    throughput = found.get("throughput", {})
    document = {
        "quick": quick,
        "machine": machine,
        "ratios": throughput.get("ratiosByCpu", {}),
        "measurements": dict(found),
    }
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return file
