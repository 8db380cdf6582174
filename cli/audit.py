"""``governance audit``: what was done, from the database itself, and whether it is all there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.desks import standing_desk
from cli.output import LARGEST, AsJson, print_json, print_table
from embedded.exits import Exit

if TYPE_CHECKING:
    from governance.audit import ChainReport, Checkpoint

app = typer.Typer(no_args_is_help=True, help="The audit log: what was done, and that it is whole.")

Kept = Annotated[
    list[str],
    typer.Option(
        "--checkpoint",
        help="A head that was kept elsewhere: SEQ:HASH, a file that holds one (a backup's "
        "manifest too), or kafka for all that were told in the last 30 days; may be repeated.",
    ),
]


@app.command()
def verify(
    checkpoint: Kept = [],  # noqa: B006 - typer copies it
    as_json: AsJson = False,
) -> None:
    """See that no row was changed, removed, added or moved, and that the state is what they tell.

    Only a checkpoint shows that the end was cut off. Exit code 1 says that something is wrong.
    """
    from governance import handlers

    kept = [one for text in checkpoint for one in _checkpoints(text)]
    with standing_desk() as desk:
        report = handlers.verify_audit(desk, *kept)
    if as_json:
        print_json(report.to_wire())
    else:
        typer.echo(_sentence(report))
    if not report.intact:
        raise typer.Exit(Exit.NOT_DONE)


@app.command()
def head(as_json: AsJson = False) -> None:
    """Print the checkpoint to keep elsewhere: the number and the hash of the last row."""
    from governance import handlers

    with standing_desk() as desk:
        found = handlers.show_audit_head(desk)
    if as_json:
        print_json({"seq": found.seq, "hash": found.hash})
    else:
        typer.echo(found)


@app.command(name="list")
def list_all(
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=10_000)] = 20,
    before: Annotated[
        int | None, typer.Option(help="Only rows before this number.", min=1, max=LARGEST)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was done, the newest first."""
    from governance import handlers

    with standing_desk() as desk:
        rows = [entry.to_wire() for entry in handlers.list_audit(desk, limit=limit, before=before)]
    if as_json:
        print_json(rows)
        return
    columns = {"seq": "number", "at": "when", "actor": "who", "act": "what", "subject": "on"}
    print_table(rows, columns)


def _checkpoints(text: str) -> list[Checkpoint]:
    """Return what *text* names: a checkpoint, those in a file, or those that Kafka keeps."""
    from pathlib import Path

    from governance.audit import read_checkpoint

    if text == "kafka":
        return _from_kafka()
    file = Path(text)
    try:
        return [read_checkpoint(file.read_text("utf-8") if file.is_file() else text)]
    except (ValueError, OSError) as problem:
        raise typer.BadParameter(f"{text}: {problem}", param_hint="--checkpoint") from None


def _from_kafka() -> list[Checkpoint]:
    """Return every head that the service told Kafka and Kafka still has.

    Raises:
        Unavailable: it does not answer, or has none.
    """
    from cli.places import kafka_of
    from governance.told import audit_heads
    from schemas.errors import Unavailable
    from schemas.settings import load_settings

    settings = load_settings()
    found = audit_heads(settings, kafka_of(settings))
    if not found:
        raise Unavailable("kafka", "no head of the audit log was told to it yet")
    return found


def _sentence(report: ChainReport) -> str:
    """Return what was found, for people."""
    if report.intact:
        return f"intact: {report.rows} rows, head {report.head_seq}:{report.head_hash}"
    where = "" if report.broken_at is None else f" at row {report.broken_at}"
    return f"NOT INTACT{where}: {report.problem}"
