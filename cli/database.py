"""``governance db``: back up, restore, prune and check the database, with no service needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.desks import migrated_desk, named_desk, standing_desk, user
from cli.output import AsJson, print_json, print_table
from embedded.exits import Exit
from schemas.terminals import printable

if TYPE_CHECKING:
    from governance.handlers import Restored
    from schemas.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The database: backups, retention and a check.")


@app.command()
def backup(
    file: Annotated[
        Path | None, typer.Argument(help="Where to; below var/backups if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a verified, compressed backup and its manifest, while the service goes on writing."""
    from governance import handlers

    with standing_desk() as desk:
        made = handlers.back_up(desk, file)
        place = file or desk.settings.data_dir / "backups" / made.file
    if as_json:
        print_json({**made.to_wire(), "path": str(place)})
        return
    typer.echo(f"{place}: {made.bytes:,} bytes, verified")
    typer.echo(f"state      {made.state['phase']}, epoch {made.state['autonomyEpoch']}")
    typer.echo(f"rules      {len(made.rules)}")
    typer.echo(f"audit head {made.audit.seq}:{made.audit.hash}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup: .db.gz, .db, .dump.gz or .dump.")],
    as_json: AsJson = False,
) -> None:
    """Put a backup in the database's place; the service must be stopped.

    The present database is kept under another name. Autonomy comes up at the lower of what the
    backup says and what is known of later; what happened since comes again from Kafka when the
    service starts.
    """
    from governance import handlers
    from schemas.settings import load_settings

    settings = load_settings()
    _check_stopped(settings)
    with named_desk() as desk:
        found = handlers.restore(desk, file, by=user(), kafka=settings.kafka_bootstrap_servers)
    if as_json:
        print_json(found.to_wire())
    else:
        _show_restored(found)


@app.command()
def prune(
    days: Annotated[
        int | None,
        typer.Option(help="Keep so many days (GOVERNANCE_RETENTION_DAYS).", min=1, max=36_500),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Archive and delete old minutes of metrics, assessments and resolved events.

    The service does the same by itself once a day.
    """
    from governance import handlers

    if dry_run:
        with standing_desk() as desk:
            found = handlers.preview_prune(desk, days=days)
    else:
        with standing_desk(), migrated_desk() as desk:
            found = handlers.prune(desk, by=user(), days=days)
    if as_json:
        print_json(found.to_wire())
        return
    for table, count in found.rows.items():
        typer.echo(f"{table:<24} {count:>9,} rows from before {found.before:%Y-%m-%d}")
    if found.archive:
        typer.echo(f"archived in {found.archive}")


@app.command()
def check(as_json: AsJson = False) -> None:
    """Look over the whole database; exit code 1 says that a part of it cannot be trusted."""
    from governance import handlers

    with standing_desk() as desk:
        found = handlers.check_database(desk)
    if as_json:
        print_json(found.to_wire())
    else:
        rows = [part.to_wire() for part in found.parts]
        print_table(rows, {"part": "part", "finding": "finding", "detail": "detail"})
    if not found.sound:
        raise typer.Exit(Exit.NOT_DONE)


def _show_restored(found: Restored) -> None:
    """Say what was restored, for people."""
    contents = found.contents
    typer.echo(f"restored   {found.backup}, audit log up to {contents.audit.seq}")
    typer.echo(f"kept       {found.kept_aside or 'nothing: there was no database'}")
    typer.echo(f"known from {'; '.join(found.known_from) or 'the backup alone'}")
    typer.echo(printable(f"lowered    {'; '.join(found.lowered) or 'nothing'}"))
    typer.echo(f"rules      {', '.join(found.rules_put_back) or 'as in the backup'}")
    typer.echo(f"epoch      {found.autonomy_epoch}; what was approved before counts no more")
    typer.echo(f"audit head {found.audit.seq}:{found.audit.hash}")
    for offset in contents.offsets:
        place = f"{offset.topic}/{offset.partition}"
        typer.echo(f"replays    {place} from offset {offset.next_offset}")


def _check_stopped(settings: Settings) -> None:
    """See that nothing that we know of uses the database.

    Raises:
        Refused: a service of this folder runs.
    """
    from embedded.runfile import RunFile
    from schemas.errors import Refused

    running = RunFile(settings).read()
    if running is not None:
        raise Refused(
            f"`governance up` runs here (process {running.pid})", allowed_when="stop it first"
        )
    process = _running(settings.pid_file)
    if process is not None:
        raise Refused(
            f"the service runs (process {process}, {settings.pid_file})",
            allowed_when="stop it first, or delete that file if the process is another",
        )


def _running(pid_file: Path) -> int | None:
    """Return the id in *pid_file* if a process has it, or None."""
    import os

    try:
        process = int(pid_file.read_text())
    except (OSError, ValueError):
        return None
    try:
        os.kill(process, 0)
    except PermissionError:
        return process
    except (OSError, OverflowError):
        return None
    return process
