"""``governance config``: every setting, where it comes from, and the Kafka that is in use."""

from __future__ import annotations

import typer

from cli.output import AsJson, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="What this installation is set to.")


@app.callback()
def configuration() -> None:
    """Look at the settings."""


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show every setting with its variable, its value and where that came from."""
    import os

    from dotenv import dotenv_values

    from cli.settings_table import rows
    from embedded.runfile import RunFile
    from schemas.settings import load_settings

    settings = load_settings()
    found = rows(settings, os.environ, dotenv_values(".env"))
    running = RunFile(settings).read()
    kafka = settings.kafka_bootstrap_servers or (running.kafka if running else None)
    if as_json:
        run = running.to_wire() if running else None
        print_json({"settings": found, "kafkaInUse": kafka, "running": run})
        return
    print_table(found, {"variable": "variable", "value": "value", "source": "from"})
    typer.echo("")
    typer.echo(f"Kafka in use: {kafka or 'none (governance up starts one)'}")
    typer.echo(f"Running here: {f'{running.api}, process {running.pid}' if running else 'nothing'}")
