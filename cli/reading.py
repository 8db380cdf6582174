"""Small windows into a running system, through its API."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.output import AsJson, print_json, print_table
from cli.places import api_of
from schemas.settings import load_settings
from schemas.terminals import printable

Url = Annotated[
    str | None, typer.Option(help="The API's address, if it is not the one of this folder.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    for command in (state, events, rules, acts):
        app.command()(command)


def state(url: Url = None, as_json: AsJson = False) -> None:
    """Show the phase, what may run unasked, what is paused, the epoch, and who says so."""
    found = _read(url, "/api/governance/state")
    if as_json:
        print_json(found)
        return
    for name, value in (
        ("phase", f"{found['currentPhase']}, for {found['daysSincePhaseStart']} days"),
        ("whitelist", ", ".join(found["commandWhitelist"]) or "none"),
        ("paused", ", ".join(found["pausedCommandTypes"]) or "none"),
        ("epoch", found["autonomyEpoch"]),
        ("service", _standing(url)),
    ):
        typer.echo(printable(f"{name:<10} {value}"))


def events(
    url: Url = None,
    every: Annotated[
        bool, typer.Option("--all", help="Resolved ones too, the newest first.")
    ] = False,
    limit: Annotated[int, typer.Option(help="How many, with --all.", min=1, max=500)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the breaker events that people have still to resolve."""
    path = f"?limit={limit}" if every else "/unresolved"
    found = _read(url, f"/api/circuit-breaker/events{path}")
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
        "resolved": "resolved",
        "id": "id",
    }
    print_table(rows, columns, empty="No breaker event." if every else "All clear.")


def rules(url: Url = None, as_json: AsJson = False) -> None:
    """Show every rule and whether it is in force."""
    found = _read(url, "/api/circuit-breaker/rules")
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


def acts(url: Url = None, as_json: AsJson = False) -> None:
    """Show what one person asked for and another has still to sign."""
    found = _read(url, "/api/governance/joint-acts")
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
        hint = "another person signs: POST /api/governance/joint-acts/ID/countersign"
        typer.echo(f"{hint}, or the same request again", err=True)


def _standing(url: str | None) -> str:
    """Return whether the service that answers is the active one, and which one is."""
    from embedded.probe import standing

    return standing(_read(url, "/health"))


def _read(url: str | None, path: str) -> Any:
    """Return what the API says at *path*.

    Raises:
        Unavailable: it does not answer, or says that it cannot now.
        Refused: it says no.
    """
    import json
    from urllib.error import HTTPError

    from embedded.probe import ask, question
    from schemas.errors import Unavailable

    settings = load_settings()
    address = api_of(settings, url)
    try:
        asked = question(settings, address + path)
        with ask(asked, timeout=10, elsewhere=url is not None) as answer:
            return json.load(answer)
    except HTTPError as refused:
        raise _problem(refused.code, refused.read()) from None
    except (OSError, ValueError) as problem:
        raise Unavailable(
            "API",
            f"{address} does not answer as it should ({_reason(problem)}): start it with "
            "`governance up` or `governance api`, or name it with --url",
        ) from None


def _reason(problem: Exception) -> str:
    """Return why there was no answer, in the system's own words where it has some."""
    from urllib.error import URLError

    cause = problem.reason if isinstance(problem, URLError) else problem
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)


def _problem(status: int, body: bytes) -> Exception:
    """Return the error that an answer of *status* stands for."""
    import json
    from http import HTTPStatus

    from schemas.errors import Refused, Unavailable

    try:
        detail = str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"the answer was {status}"
    if status == HTTPStatus.UNAUTHORIZED:
        detail += "; set GOVERNANCE_TOKEN to a token (`governance token create` makes one)"
    return Unavailable("API", detail) if status >= 500 else Refused(detail)
