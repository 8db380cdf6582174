"""``governance token``: API tokens, made and ended by whoever may write to the database.

The first token of an installation is made here too: nobody else could let anybody in.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from cli.desks import database_file, migrated_desk, standing_desk, user
from cli.output import AsJson, print_json, print_table

Kind = TypeVar("Kind", bound=StrEnum)

app = typer.Typer(no_args_is_help=True, help="API tokens: who may ask, and what they may do.")

Roles = Annotated[
    list[str],
    typer.Option(
        "--role",
        help="viewer, operator, tech-lead, ops-lead, product-lead, exec-sponsor, admin or "
        "service; may be repeated.",
    ),
]
Scopes = Annotated[
    list[str], typer.Option("--scope", help="Of a service: read, lower or cycle; repeatable.")
]


@app.command()
def create(
    principal: Annotated[str, typer.Argument(help="Whom it speaks for: one name per person.")],
    role: Roles,
    scope: Scopes = [],  # noqa: B006 - typer copies it
    days: Annotated[
        int | None, typer.Option(help="Ends after so many days.", min=1, max=36_500)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and show it this once: only a hash of it is kept."""
    from datetime import timedelta

    from governance import handlers
    from governance.callers import Role, Scope

    file = database_file()
    made = file is not None and not file.exists()
    with migrated_desk() as desk:
        token, spelling = handlers.create_token(
            desk,
            principal,
            [_chosen(Role, name, "--role") for name in role],
            by=user(),
            scopes=[_chosen(Scope, name, "--scope") for name in scope],
            lifetime=timedelta(days=days) if days else None,
        )
    if as_json:
        print_json({**token.to_wire(), "token": spelling})
        return
    typer.echo(spelling)
    typer.echo(f"id {token.id}; keep the token safe, it is not shown again", err=True)
    if made:
        typer.echo(f"{file} is a new database: is this the installation's folder?", err=True)


@app.command(name="list")
def list_all(as_json: AsJson = False) -> None:
    """Show every token, those that ended too; never the tokens themselves."""
    from governance import handlers

    with standing_desk() as desk:
        rows = [token.to_wire() for token in handlers.list_tokens(desk)]
    if as_json:
        print_json(rows)
        return
    columns = {
        "id": "id",
        "principal": "principal",
        "roles": "roles",
        "scopes": "scopes",
        "createdAt": "made",
        "createdBy": "by",
        "expiresAt": "ends",
        "revokedAt": "revoked",
    }
    print_table(rows, columns)


@app.command()
def revoke(token_id: Annotated[str, typer.Argument(help="As `token list` shows it.")]) -> None:
    """End a token; nobody is let in by it any more, from the next request on."""
    from governance import handlers

    with standing_desk() as desk:
        token = handlers.revoke_token(desk, token_id, by=user())
    typer.echo(f"revoked {token.id} of {token.principal}")


def _chosen(kind: type[Kind], name: str, option: str) -> Kind:
    """Return the member of *kind* that *name* is, or say which there are."""
    try:
        return kind(name)
    except ValueError:
        known = ", ".join(str(one) for one in kind)
        raise typer.BadParameter(f"{name!r} is not one of {known}", param_hint=option) from None
