"""``governance events``: what tripped, and how people answer it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.client import Client, Url
from cli.output import AsJson, print_fields, print_json, print_table, told

EVENTS = "/api/circuit-breaker/events"

app = typer.Typer(invoke_without_command=True)

EventId = Annotated[str, typer.Argument(help="As `governance events` shows it.", metavar="ID")]


@app.callback()
def events(
    context: typer.Context,
    url: Url = None,
    every: Annotated[
        bool, typer.Option("--all", help="Resolved ones too, the newest first.")
    ] = False,
    limit: Annotated[int, typer.Option(help="How many, with --all.", min=1, max=500)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the breaker events that people have still to resolve, or answer one."""
    if context.invoked_subcommand is not None:
        return
    client = Client(url)
    found = client.get(EVENTS, limit=limit) if every else client.get(f"{EVENTS}/unresolved")
    if as_json:
        print_json(found)
        return
    rows = [event | {"rule": event["rule"]["name"]} for event in found]
    columns = {
        "timestamp": "when",
        "severity": "severity",
        "rule": "rule",
        "scope": "scope",
        "action": "action",
        "dueAt": "answer by",
        "acknowledgedBy": "looked after by",
        "resolved": "resolved",
        "id": "id",
    }
    print_table(rows, columns, empty="No breaker event." if every else "All clear.")


@app.command()
def show(event: EventId, url: Url = None, as_json: AsJson = False) -> None:
    """Say why a breaker tripped, on which commands, and what became of it."""
    found = Client(url).get(EVENTS, event)
    if as_json:
        print_json(found)
        return
    print_fields(_fields(found))


@app.command()
def ack(event: EventId, url: Url = None, as_json: AsJson = False) -> None:
    """Say that you look after an event."""
    answer = Client(url).send("POST", EVENTS, event, "acknowledge")
    told(answer, f"{event} is looked after", as_json=as_json)


@app.command()
def resolve(
    event: EventId,
    verdict: Annotated[
        str | None,
        typer.Option(
            help="true_positive, false_positive, benign_expected, duplicate or drill.",
        ),
    ] = None,
    cause: Annotated[str | None, typer.Option(help="What caused it.")] = None,
    notes: Annotated[str | None, typer.Option(help="What was found and done.")] = None,
    incident: Annotated[str | None, typer.Option(help="The incident's id.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Resolve an event; what it paused is resumed by an act of its own."""
    found = {"verdict": verdict, "cause": cause, "notes": notes, "incidentId": incident}
    body = {name: value for name, value in found.items() if value is not None}
    answer = Client(url).send("POST", EVENTS, event, "resolve", body=body or None)
    told(answer, f"{event} is resolved", as_json=as_json)


@app.command()
def reopen(
    event: EventId,
    reason: Annotated[str, typer.Option(help="Why it is not over.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Take back that an event was resolved."""
    answer = Client(url).send("POST", EVENTS, event, "reopen", body={"reason": reason})
    told(answer, f"{event} waits again", as_json=as_json)


def _fields(event: Any) -> dict[str, Any]:
    """Return what people want to know of an event."""
    evidence = event["evidence"] or {}
    escalation = event["escalation"] or {}
    log = [f"{one['topic']}/{one['partition']} {one['from']}-{one['upto']}"
           for one in evidence.get("log", ())]  # fmt: skip
    return {
        "what": event["details"],
        "when": event["timestamp"],
        "severity": event["severity"],
        "answer by": f"{event['dueAt']}{' (overdue)' if event['overdue'] else ''}",
        "action": event["action"],
        "condition": evidence.get("substituted"),
        "window": evidence and f"{evidence['windowStart']} to {evidence['windowEnd']}",
        "commands": evidence.get("commandIds"),
        "log": log,
        "decided by": escalation.get("fired"),
        "related": event["related"],
        "looked after by": event["acknowledgedBy"],
        "resolved by": event["resolvedBy"],
        "verdict": event["finding"],
        "cause": event["cause"],
        "notes": event["notes"],
    }
