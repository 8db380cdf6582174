"""``governance dlq``: look at the records that were refused, and send them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import LARGEST, AsJson, print_json, print_table
from cli.places import kafka_of
from schemas.events import Reason
from schemas.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.letters import Letter

app = typer.Typer(no_args_is_help=True, help="Records that could not be counted (dead letters).")

OfReason = Annotated[
    list[Reason] | None, typer.Option("--reason", help="Only those refused for it; repeatable.")
]


@app.callback()
def dead_letters() -> None:
    """Look at dead letters, and send them again."""


@app.command("list")
def list_letters(
    reason: OfReason = None,
    limit: Annotated[int, typer.Option(help="The newest so many.", min=1, max=LARGEST)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the newest dead letters, the newest first, and how many there are of each reason."""
    from collections import Counter

    from cli.letterbox import Letterbox

    settings = load_settings()
    letters = Letterbox(settings, kafka_of(settings)).letters()
    wanted = [letter for letter in letters if not reason or letter.reason in reason]
    wanted.sort(key=lambda letter: letter.received_at, reverse=True)
    rows = [letter.shown() for letter in wanted[:limit]]
    if as_json:
        print_json(rows)
        return
    columns = {
        "receivedAt": "received",
        "reason": "reason",
        "key": "key",
        "sourcePartition": "partition",
        "sourceOffset": "offset",
        "detail": "detail",
    }
    print_table(rows, columns, empty="No dead letter.")
    if letters:
        counts = Counter(letter.reason for letter in letters)
        typer.echo("")
        typer.echo(", ".join(f"{name}: {count}" for name, count in counts.most_common()))


@app.command()
def replay(
    reason: OfReason = None,
    limit: Annotated[int | None, typer.Option(help="At most so many.", min=1, max=LARGEST)] = None,
    late: Annotated[
        bool, typer.Option("--late", help="Also those that would come back as late.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also those that were sent again before.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")
    ] = False,
) -> None:
    """Send dead letters again, their bytes and key as they were.

    Worth it after the cause was mended, within a minute: an event that happened longer ago is
    late, and would only come back. Each letter is sent once, however often this is run.
    """
    from datetime import UTC, datetime

    from cli.letterbox import Letterbox
    from cli.letters import default_reasons, plan

    settings = load_settings()
    servers = kafka_of(settings)
    box = Letterbox(settings, servers)
    letters = box.letters()
    reasons = {str(each) for each in reason} if reason else default_reasons(letters)
    chosen = plan(
        letters,
        {} if again else box.marks(reasons),
        now=datetime.now(UTC),
        reasons=reasons,
        late=late or (reason is not None and Reason.LATE in reason),
        limit=limit,
    )
    if not dry_run:
        _send(servers, settings.topic("command-events"), chosen.letters)
        box.remember(chosen.marks)
    typer.echo(f"{'would send' if dry_run else 'sent'} {len(chosen.letters)} dead letters again")
    for why, count in chosen.left_out.items():
        typer.echo(f"left out {count}: {why}")


def _send(servers: str, topic: str, letters: Sequence[Letter]) -> None:
    """Send *letters*, and return when Kafka has them all."""
    from embedded.sending import Sender

    if letters:
        with Sender(servers, topic) as sender:
            for letter in letters:
                sender.send(letter.key, letter.value)
