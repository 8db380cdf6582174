"""``governance decide``: the runbook's decision trees, answered with their numbers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.client import Client, Url
from cli.output import AsJson, print_json, print_table
from schemas.terminals import printable

app = typer.Typer(
    no_args_is_help=True, help="The runbook's decision trees, each question with its number."
)


@app.command()
def approve(
    proposal: Annotated[str, typer.Argument(help="As `governance proposals` shows it.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say whether to approve a proposal."""
    _show(Client(url).get("/api/governance/proposals", proposal, "decision"), as_json=as_json)


@app.command()
def rollback(
    requested: Annotated[
        bool, typer.Option("--requested", help="A stakeholder asks for it.")
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say whether to roll back the present phase."""
    asked = Client(url).get("/api/governance/decisions/rollback", requested=str(requested).lower())
    _show(asked, as_json=as_json)


@app.command()
def adjust(
    rule: Annotated[str, typer.Argument(help="As `governance rules` shows it.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say whether to adjust a rule."""
    _show(Client(url).get("/api/circuit-breaker/rules", rule, "decision"), as_json=as_json)


def _show(decision: Any, *, as_json: bool) -> None:
    """Print a tree's questions, and what they come to."""
    if as_json:
        print_json(decision)
        return
    columns = {"question": "question", "answer": "answer", "value": "found", "limit": "limit"}
    print_table(decision["questions"], columns)
    typer.echo(printable(f"→ {decision['outcome'].replace('_', ' ')}"))
