"""The ``governance`` command: every process of the product, and small windows into it.

Only names are imported here: each command brings what it needs when it runs, so that a worker
that was killed is back as fast as it can be.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli import (
    audit,
    autonomy,
    configuration,
    database,
    dead_letters,
    decisions,
    events,
    joint_acts,
    morning,
    producing,
    proposals,
    readiness,
    reports,
    rules,
    running,
    tokens,
)
from cli.encodings import speak_any
from embedded.exits import Exit, exit_of
from schemas.errors import GovernanceError

app = typer.Typer(
    name="governance",
    help="Watches what autonomous executors do on Kafka and takes autonomy away when it goes "
    "wrong.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Paragraphs are wrapped for the terminal, not where the docstring's lines end.
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

running.add_to(app)
producing.add_to(app)
morning.add_to(app)
autonomy.add_to(app)
app.add_typer(events.app, name="events")
app.add_typer(rules.app, name="rules")
app.add_typer(joint_acts.app, name="acts")
app.add_typer(proposals.app, name="proposals")
app.add_typer(decisions.app, name="decide")
app.add_typer(reports.cycle, name="cycle")
app.add_typer(reports.app, name="report")
app.add_typer(readiness.app, name="readiness")
app.add_typer(configuration.app, name="config")
app.add_typer(dead_letters.app, name="dlq")
app.add_typer(tokens.app, name="token")
app.add_typer(database.app, name="db")
app.add_typer(audit.app, name="audit")


def show_version(wanted: bool) -> None:
    """Show the version and exit, if that is *wanted*."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"governance {version('autonomy-governance')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=show_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that belong to no command."""


def main() -> None:
    """Run the command line; an expected error is one line and an exit code, never a traceback."""
    speak_any(sys.stdout, sys.stderr)
    try:
        app()
    except GovernanceError as error:
        typer.echo(f"governance: {error}", err=True)
        sys.exit(exit_of(error))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
