"""``governance readiness``: how near the next phase is, why, and what people attest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cli.client import Client, Url
from cli.output import AsJson, print_json, print_table, told
from schemas.terminals import printable

READINESS = "/api/readiness"

app = typer.Typer(invoke_without_command=True)


@app.callback()
def readiness(context: typer.Context, url: Url = None, as_json: AsJson = False) -> None:
    """Show the score, each item of the checklist, and what blocks the next phase."""
    if context.invoked_subcommand is not None:
        return
    found = Client(url).get(READINESS, "current")
    if as_json:
        print_json(found)
        return
    items = [item for part in ("technical", "process", "organizational")
             for item in found[part]["items"]]  # fmt: skip
    columns = {"name": "item", "weight": "points", "required": "required", "status": "met",
               "details": "why"}  # fmt: skip
    print_table(items, columns)
    overall = found["overall"]
    ready = (
        "ready" if overall["ready"] else f"not ready: {', '.join(overall['blockers']) or 'score'}"
    )
    typer.echo(printable(f"{overall['score']:.2%} of the points, {ready}"))


@app.command()
def explain(
    days: Annotated[int, typer.Option(help="Since so many days ago.", min=1, max=365)] = 1,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say what moved the score, by how many points, when and why."""
    since = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    found = Client(url).get(READINESS, "diff", since=since)
    if as_json:
        print_json(found)
        return
    columns = {"at": "when", "name": "item", "points": "points", "why": "why", "by": "by"}
    print_table(found["changes"], columns, empty="Nothing moved.")
    before, after = found["before"]["score"], found["after"]["score"]
    typer.echo(f"{before:.2%} → {after:.2%}")


@app.command()
def attest(
    item: Annotated[str, typer.Argument(help="As the checklist names it.", metavar="ITEM")],
    met: Annotated[bool, typer.Option("--met/--not-met", help="Whether it is met.")] = True,
    evidence: Annotated[str | None, typer.Option(help="Where that can be seen: a URL.")] = None,
    note: Annotated[str | None, typer.Option(help="What was looked at.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Attest that an item of the checklist is met, or is not."""
    body = {"met": met, "evidenceUrl": evidence, "note": note}
    answer = Client(url).send("POST", READINESS, "checklist", item, "attest", body=body)
    told(answer, f"{item} is {'met' if met else 'not met'}", as_json=as_json)
