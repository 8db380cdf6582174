"""``governance acts``: what one person asked for and another has still to sign."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.client import Client, Url
from cli.output import AsJson, print_fields, print_json, print_table, told

ACTS = "/api/governance/joint-acts"

app = typer.Typer(invoke_without_command=True)

ActId = Annotated[str, typer.Argument(help="As `governance acts` shows it.", metavar="ID")]
InRole = Annotated[
    str | None,
    typer.Option("--as", help="The role to sign in, where roles are needed: tech-lead, ops-lead…"),
]


@app.callback()
def acts(context: typer.Context, url: Url = None, as_json: AsJson = False) -> None:
    """Show what one person asked for and another has still to sign, or sign it."""
    if context.invoked_subcommand is not None:
        return
    found = Client(url).get(ACTS)
    if as_json:
        print_json(found)
        return
    rows = [
        act | {"signed": [one["role"] or one["person"] for one in act["signatures"]]}
        for act in found
    ]
    columns = {
        "askedAt": "asked",
        "summary": "what",
        "signed": "signed by",
        "expiresAt": "until",
        "id": "id",
    }
    print_table(rows, columns, empty="Nothing waits for a second person.")
    if rows:
        typer.echo("another person signs: governance acts sign ID", err=True)


@app.command()
def show(act: ActId, url: Url = None, as_json: AsJson = False) -> None:
    """Show what would be done, why it takes two, and who signed."""
    found = Client(url).get(ACTS, act)
    if as_json:
        print_json(found)
        return
    signed = [one["role"] or one["person"] for one in found["signatures"]]
    plain = {name: found[name] for name in ("summary", "status", "reasons", "reason", "content")}
    dates = {"asked": found["askedAt"], "until": found["expiresAt"]}
    print_fields({**plain, "signed by": signed, **dates})


@app.command()
def sign(act: ActId, role: InRole = None, url: Url = None, as_json: AsJson = False) -> None:
    """Sign what another person asked for; it is done with the last signature that it needs."""
    body = None if role is None else {"approvedBy": role}
    answer = Client(url).send("POST", ACTS, act, "countersign", body=body)
    summary = answer.body["jointAct"]["summary"]
    said = f"done: {summary}" if answer.body["carried"] else f"signed, and waits on: {summary}"
    told(answer, said, as_json=as_json)


@app.command()
def withdraw(
    act: ActId,
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Take back what you asked for."""
    answer = Client(url).send("POST", ACTS, act, "withdraw", body={"reason": reason})
    told(answer, f"{act} is withdrawn", as_json=as_json)
