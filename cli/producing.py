"""``governance produce``: send events from a file, each under the key that the contract asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.places import kafka_of
from embedded.exits import Exit
from schemas.settings import load_settings

if TYPE_CHECKING:
    from cli.lines import Line

SHOWN: Final = 20
"""Bad lines that are named; the rest are counted."""


def add_to(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command()(produce)


def produce(
    file: Annotated[str, typer.Argument(help="A file of JSON lines, or - for standard input.")],
    now: Annotated[
        bool, typer.Option("--now", help="Move the events in time: the last happens now.")
    ] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Send every line as it is, good or bad.")
    ] = False,
) -> None:
    """Send events, one JSON object a line; nothing is sent while a line is bad."""
    from cli.event_files import opened
    from cli.lines import first_checked, lines_of, values_of

    settings = load_settings()
    servers = kafka_of(settings)
    with opened(file) as raw:
        if unchecked:
            _send(servers, values_of(lines_of(raw)))
            return
        lines = list(first_checked(lines_of(raw)))
    _send(servers, _checked(lines, now=now))


def _checked(lines: list[Line], *, now: bool) -> list[bytes]:
    """Return the values to send, or say which lines are bad and exit."""
    from datetime import UTC, datetime

    from cli.lines import check, count_late, moved_to

    bad = check(lines)
    if bad:
        for line in bad[:SHOWN]:
            typer.echo(f"line {line.number}: {line.problem}", err=True)
        more = f" (and {len(bad) - SHOWN} more)" if len(bad) > SHOWN else ""
        typer.echo(
            f"governance: {len(bad)} of {len(lines)} lines are bad{more}; nothing was sent. "
            "Mend them, or send them all the same with --unchecked.",
            err=True,
        )
        raise typer.Exit(Exit.NOT_DONE)
    moment = datetime.now(UTC)
    if now:
        return [line.value for line in moved_to(lines, moment)]
    late = count_late(lines, moment)
    if late:
        typer.echo(
            f"{late} of {len(lines)} events happened more than a minute ago: they are late and "
            "will not count. --now moves them to the present.",
            err=True,
        )
    return [line.value for line in lines]


def _send(servers: str, values: Iterable[bytes]) -> None:
    """Send *values*, and say how many arrived."""
    from embedded.sending import Sender, key_of_bytes
    from schemas.topics import COMMAND_EVENTS

    topic = load_settings().topic(COMMAND_EVENTS.name)
    with Sender(servers, topic) as sender:
        for value in values:
            sender.send(key_of_bytes(value), value)
    typer.echo(f"sent {sender.sent} records to {topic}")
