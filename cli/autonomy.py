"""The state of autonomy, and how people lower it and let command types run again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.client import Client, Url
from cli.output import LARGEST, AsJson, print_fields, print_json, told

STATE = "/api/governance/state"

Reason = Annotated[str, typer.Option("--reason", help="Why; everybody is told.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    for command in (state, rollback, kill, resume):
        app.command()(command)


def state(url: Url = None, as_json: AsJson = False) -> None:
    """Show the phase, what may run unasked, what is paused, the epoch, and who says so."""
    from embedded.probe import standing

    client = Client(url)
    found = client.get(STATE)
    if as_json:
        print_json(found)
        return
    _show(found, service=standing(client.get("/health")))


def rollback(
    reason: Reason,
    to: Annotated[str, typer.Option("--to", help="The phase to go back to.")] = "L3",
    incident: Annotated[str | None, typer.Option(help="The incident's id.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Go back to a lower phase at once."""
    body = {"targetPhase": to, "reason": reason, "incidentId": incident, "dryRun": dry_run}
    answer = Client(url).send("POST", "/api/governance/rollback", body=body)
    if dry_run and not as_json:
        _preview(answer.body["preview"])
        return
    told(answer, f"autonomy is at {answer.body['state']['currentPhase']}", as_json=as_json)


def kill(reason: Reason, url: Url = None, as_json: AsJson = False) -> None:
    """Pull the kill switch: L3, nothing runs unasked, everything is paused."""
    answer = Client(url).send("POST", "/api/kill-switch", body={"reason": reason})
    already = answer.body["already"]
    said = "it was pulled before; nothing changed" if already else "autonomy is at L3, all paused"
    told(answer, said, as_json=as_json)


def resume(
    types: Annotated[list[str], typer.Argument(help="Paused command types.", metavar="TYPE...")],
    epoch: Annotated[
        int | None,
        typer.Option(
            help="The autonomy epoch that you decided on, as `governance state` shows it. Asked "
            "for where it is not given.",
            min=0,
            max=LARGEST,
        ),
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Let paused command types run again, all of them or none."""
    client = Client(url)
    seen = _seen(client) if epoch is None else epoch
    answer = client.send(
        "POST",
        "/api/circuit-breaker/command-types/resume",
        body={"commandTypes": types, "autonomyEpoch": seen},
    )
    told(answer, f"runs again: {', '.join(types)}", as_json=as_json)


def _seen(client: Client) -> int:
    """Show the state to whoever decides on it, and return its epoch once they have looked.

    Raises:
        Refused: nobody looks.
    """
    import sys

    from schemas.errors import Refused

    if not sys.stdin.isatty():
        raise Refused("nobody is here to look at the state", allowed_when="give its --epoch")
    found = client.get(STATE)
    _show(found)
    typer.confirm("Let them run again?", abort=True)
    return int(found["autonomyEpoch"])


def _show(found: Any, **more: str) -> None:
    """Print the state, and *more*."""
    print_fields(
        {
            "phase": f"{found['currentPhase']}, for {found['daysSincePhaseStart']} days",
            "whitelist": ", ".join(found["commandWhitelist"]) or "none",
            "paused": _paused(found),
            "epoch": found["autonomyEpoch"],
            **more,
        }
    )


def _paused(state: Any) -> str:
    """Return what may not run, in words."""
    named = ", ".join(state["pausedCommandTypes"])
    if not state.get("allPaused"):
        return named or "none"
    runs = ", ".join(state["resumedCommandTypes"])
    everything = f"everything but {runs}" if runs else "everything"
    return f"{everything}; by name {named}" if named else everything


def _preview(preview: Any) -> None:
    """Print what a rollback would change."""
    cooldown = preview["cooldown"]
    print_fields(
        {
            "phase": preview["state"]["currentPhase"],
            "whitelist": ", ".join(preview["state"]["commandWhitelist"]) or "none",
            "loses": ", ".join(preview["leavesWhitelist"]) or "nothing",
            "voids": preview["voidsProposals"],
            "validation": "ends" if preview["endsValidation"] else None,
            "cooldown": f"until {cooldown['until']}" if cooldown else None,
        }
    )
