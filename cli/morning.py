"""``governance morning``: the runbook's morning checks, as one verdict."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from cli.client import Client, Url
from cli.output import AsJson, print_json
from cli.verdict import Morning, level_of, matters, sentence
from schemas.terminals import printable


def add_to(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command()(morning)


def morning(url: Url = None, as_json: AsJson = False) -> None:
    """Say whether anything needs you; ends with 0 if not, 1 to have a look, 2 to act.

    It asks what the runbook's morning checks ask: health, what is unresolved, the rates of the
    last day, readiness, and what waits for a decision.
    """
    client = Client(url)
    asked = Morning(
        health=client.get("/health"),
        events=client.get("/api/circuit-breaker/events/unresolved"),
        score=client.get("/api/readiness/score"),
        metrics=client.get("/api/metrics/latest"),
        proposals=client.get("/api/governance/proposals"),
        acts=client.get("/api/governance/joint-acts"),
    )
    found = matters(asked, datetime.now(UTC))
    if as_json:
        things = [{"level": one.level.name.lower(), "text": one.text} for one in found]
        print_json({"level": level_of(found).name.lower(), "matters": things})
    else:
        typer.echo(printable(sentence(found)))
        for one in found[1:]:
            typer.echo(printable(f"  {one.text}"))
    raise typer.Exit(level_of(found))
