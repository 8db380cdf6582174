"""API tokens in the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from governance.store.ladder_tables import api_tokens
from governance.store.moments import read_moment
from governance.tokens import ApiToken, KeptToken
from schemas.wire import iso


class TokenShelf:
    """Reads and writes ``api_tokens``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, token: KeptToken) -> None:
        """Add a token."""
        self._connection.execute(insert(api_tokens), {**_columns(token.shown), "hash": token.hash})

    def put_back(self, token: ApiToken) -> None:
        """Write what a token is, whatever its row says; the hash of its secret stays."""
        here = update(api_tokens).where(api_tokens.c.id == token.id)
        self._connection.execute(here.values(**_columns(token)))

    def find(self, token_id: str) -> KeptToken | None:
        """Return a token, revoked ones too, or None if there is none that can be read."""
        wanted = select(api_tokens).where(api_tokens.c.id == token_id)
        row = self._connection.execute(wanted).mappings().first()
        return read_row(dict(row)) if row else None

    def all(self) -> list[ApiToken]:
        """Return every token, the oldest first, but those that SQL made unreadable."""
        wanted = select(api_tokens).order_by(api_tokens.c.created_at, api_tokens.c.id)
        rows = self._connection.execute(wanted).mappings()
        return [kept.shown for row in rows if (kept := read_row(dict(row))) is not None]

    def revoke(self, token_id: str, now: datetime) -> None:
        """End a token."""
        self._connection.execute(
            update(api_tokens).where(api_tokens.c.id == token_id).values(revoked_at=iso(now))
        )


def read_row(row: Mapping[str, Any]) -> KeptToken | None:
    """Return a stored token, or None if it cannot be read: then nobody is let in by it."""
    moments = ("created_at", "expires_at", "revoked_at")
    try:
        shown = ApiToken(
            id=row["id"],
            principal=row["principal"],
            roles=json.loads(row["roles"]),
            scopes=json.loads(row["scopes"]),
            created_by=row["created_by"],
            **{name: row[name] and read_moment(row[name]) for name in moments},
        )
    except (ValueError, TypeError):
        return None
    return KeptToken(shown, row["hash"])


def _columns(token: ApiToken) -> dict[str, Any]:
    """Return a token as columns, all but the hash."""
    row = token.model_dump(mode="json", exclude={"roles", "scopes"})
    return {**row, "roles": json.dumps(token.roles), "scopes": json.dumps(token.scopes)}
