"""How commands answer: JSON for programs, tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.encodings import can_show
from schemas.terminals import printable

if TYPE_CHECKING:
    from cli.client import ApiAnswer

AsJson = Annotated[bool, typer.Option("--json", help="ApiAnswer in JSON, for programs.")]

LARGEST: Final = 2**63 - 1
"""The largest number of an option that has no bound of its own: what databases and clients hold."""

Row = Mapping[str, Any]


def print_json(answer: Any) -> None:
    """Print *answer* as JSON that people can read too, and that programs read exactly."""
    text = json.dumps(answer, indent=2, ensure_ascii=False)
    if not can_show(text, sys.stdout):
        text = json.dumps(answer, indent=2)
    typer.echo(text)


def print_table(rows: Sequence[Row], columns: Mapping[str, str], *, empty: str = "none") -> None:
    """Print the *columns* (key to heading) of *rows*, or *empty* where there are none.

    A pipe gets whole cells, however long; a terminal gets them wrapped.
    """
    if not rows:
        typer.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        # Text as it is: a producer's [brackets] are not our markup.
        table.add_row(*(_cell(row.get(key)) for key in columns))
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, width=1_000)
    console.print(table)


def _cell(value: Any) -> str:
    """Return a value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return printable(", ".join(map(str, value))) or "none"
    return "" if value is None else printable(str(value))


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print one thing, a line for each of its *fields* that says something."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        if value not in (None, "", []):
            typer.echo(f"{name:<{width}}  {_cell(value)}")


def told(answer: ApiAnswer, said: str, *, as_json: bool = False) -> None:
    """Print what came of an act: *said*, or what a second person has to do first."""
    if as_json:
        print_json(answer.body)
    elif answer.waits:
        act = answer.body["jointAct"]
        typer.echo(f"waits for a second person: {printable(act['summary'])}")
        typer.echo(f"another person signs it: governance acts sign {act['id']}", err=True)
    else:
        typer.echo(printable(said))
