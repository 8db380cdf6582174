"""``governance rules``: which there are, and how people change them."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.bodies import BodyFile, body_of
from cli.client import Client, Url
from cli.output import AsJson, print_fields, print_json, print_table, told

RULES = "/api/circuit-breaker/rules"

app = typer.Typer(invoke_without_command=True)

Name = Annotated[str, typer.Argument(help="As `governance rules` shows it.", metavar="NAME")]
Condition = Annotated[str | None, typer.Option(help='Such as "errorRate > 5%".')]
Window = Annotated[str | None, typer.Option(help="Such as 5m, from 5s to 7d.")]
Action = Annotated[str | None, typer.Option(help="revert_to_l3, pause_command_type or alert_only.")]
Severity = Annotated[str | None, typer.Option(help="critical, high, medium or low.")]
For = Annotated[str | None, typer.Option("--for", help="How long the breach must last.")]
KeepFiring = Annotated[
    str | None, typer.Option("--keep-firing-for", help="How long all must be well again.")
]
RecoverWhen = Annotated[
    str | None, typer.Option("--recover-when", help="When it is well again, if not by its own.")
]
MinSamples = Annotated[
    int | None,
    typer.Option("--min-samples", help="Attempts that a rate needs.", min=1, max=1_000_000),
]
GroupBy = Annotated[
    str | None, typer.Option("--group-by", help="overall, commandType or labels.NAME.")
]


@app.callback()
def rules(context: typer.Context, url: Url = None, as_json: AsJson = False) -> None:
    """Show every rule and whether it is in force, or change one."""
    if context.invoked_subcommand is not None:
        return
    found = Client(url).get(RULES)
    if as_json:
        print_json(found)
        return
    columns = {
        "name": "rule",
        "enabled": "enabled",
        "condition": "condition",
        "window": "window",
        "action": "action",
        "alertSeverity": "severity",
        "problem": "problem",
    }
    print_table(found, columns)


@app.command()
def show(name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Show a rule with all its fields, and how often it was right."""
    client = Client(url)
    rule, stats = client.get(RULES, name), client.get(RULES, name, "stats")
    if as_json:
        print_json({"rule": rule, "stats": stats})
        return
    rate = stats["falsePositiveRate"]
    print_fields(
        {
            **rule,
            "triggers": f"{stats['triggers']} since {stats['since']}",
            "falsePositives": stats["falsePositives"],
            "falsePositiveRate": None if rate is None else f"{rate:.1%}",
        }
    )


@app.command(name="set")
def set_fields(
    name: Name,
    file: BodyFile = None,
    condition: Condition = None,
    window: Window = None,
    action: Action = None,
    severity: Severity = None,
    for_: For = None,
    keep_firing_for: KeepFiring = None,
    recover_when: RecoverWhen = None,
    min_samples: MinSamples = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Change fields of a rule; it is live on every worker two seconds later."""
    fields = {
        "condition": condition,
        "window": window,
        "action": action,
        "alertSeverity": severity,
        "for": for_,
        "keepFiringFor": keep_firing_for,
        "recoverWhen": recover_when,
        "minSamples": min_samples,
    }
    answer = Client(url).send("PATCH", RULES, name, body=body_of(file, **fields))
    told(answer, f"{name} is changed", as_json=as_json)


@app.command()
def add(
    name: Annotated[str | None, typer.Argument(help="A name of its own.", metavar="NAME")] = None,
    file: BodyFile = None,
    condition: Condition = None,
    window: Window = None,
    action: Action = None,
    severity: Severity = None,
    group_by: GroupBy = None,
    for_: For = None,
    keep_firing_for: KeepFiring = None,
    recover_when: RecoverWhen = None,
    min_samples: MinSamples = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Add a rule."""
    fields = {
        "name": name,
        "condition": condition,
        "window": window,
        "action": action,
        "alertSeverity": severity,
        "groupBy": group_by,
        "for": for_,
        "keepFiringFor": keep_firing_for,
        "recoverWhen": recover_when,
        "minSamples": min_samples,
    }
    body = body_of(file, **fields)
    answer = Client(url).send("POST", RULES, body=body)
    told(answer, f"{body.get('name')} is added", as_json=as_json)


@app.command()
def enable(name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Put a rule in force."""
    answer = Client(url).send("PATCH", RULES, name, body={"enabled": True})
    told(answer, f"{name} is in force", as_json=as_json)


@app.command()
def disable(name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Take a rule out of force; what it tripped stays."""
    answer = Client(url).send("PATCH", RULES, name, body={"enabled": False})
    told(answer, f"{name} is no longer in force", as_json=as_json)


@app.command()
def delete(name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Delete a rule."""
    answer = Client(url).send("DELETE", RULES, name)
    told(answer, f"{name} is deleted", as_json=as_json)
