"""``governance cycle`` and ``governance report``: the week in numbers."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.client import Client, Url
from cli.output import AsJson, print_json, print_table
from schemas.terminals import printable

REPORTS = "/api/governance/reports"

cycle = typer.Typer(no_args_is_help=True, help="The weekly governance cycle.")
app = typer.Typer(no_args_is_help=True, help="Reports of the weekly cycle.")

AsHtml = Annotated[bool, typer.Option("--html", help="As a page that prints well.")]


@cycle.command()
def run(url: Url = None, as_json: AsJson = False) -> None:
    """Run the cycle now, and show its report."""
    client = Client(url)
    found = client.send("POST", "/api/governance/run-cycle").body
    if as_json:
        print_json(found)
        return
    _show(client, found["id"], "md")


@app.command()
def latest(url: Url = None, html: AsHtml = False, as_json: AsJson = False) -> None:
    """Show the newest report, in Markdown."""
    show("latest", url=url, html=html, as_json=as_json)


@app.command()
def show(
    report: Annotated[str, typer.Argument(help="As `report list` shows it.", metavar="ID")],
    url: Url = None,
    html: AsHtml = False,
    as_json: AsJson = False,
) -> None:
    """Show a report, in Markdown."""
    client = Client(url)
    found = client.get(REPORTS, report)
    if as_json:
        print_json(found)
    else:
        _show(client, found["id"], "html" if html else "md")


@app.command(name="list")
def list_all(
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=100)] = 10,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show which reports there are, the newest first."""
    found = Client(url).get(REPORTS, limit=limit)
    if as_json:
        print_json(found)
        return
    columns = {"weekStart": "from", "weekEnd": "to", "recommendation": "recommends", "id": "id"}
    print_table(found, columns, empty="No report yet.")


def _show(client: Client, report: str, form: str) -> None:
    """Print a report in the form that *form*, the end of its address, names."""
    for line in client.text(REPORTS, f"{report}.{form}").splitlines():
        typer.echo(printable(line))
