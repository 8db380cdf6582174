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
    """Show every setting with its variable, its value and where that came from.

    Variables that look like a setting and are none are named too, without their values.
    """
    import os

    from dotenv import dotenv_values

    from cli.settings_table import rows
    from embedded.runfile import RunFile
    from schemas.settings import load_settings, unknown_here

    settings = load_settings()
    found = rows(settings, os.environ, dotenv_values(".env"))
    running = RunFile(settings).read()
    kafka = settings.kafka_bootstrap_servers or (running.kafka if running else None)
    unknown = unknown_here()
    if as_json:
        run = running.to_wire() if running else None
        strays = [{"variable": name, "nearest": nearest} for name, nearest in unknown]
        print_json({"settings": found, "unknown": strays, "kafkaInUse": kafka, "running": run})
        return
    print_table(found, {"variable": "variable", "value": "value", "source": "from"})
    typer.echo("")
    for variable in unknown:
        typer.echo(f"Warning: {variable}")
    typer.echo(f"Kafka in use: {kafka or 'none (governance up starts one)'}")
    typer.echo(f"Running here: {f'{running.api}, process {running.pid}' if running else 'nothing'}")
