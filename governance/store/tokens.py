"""API tokens in the database."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select, update

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
        row = token.shown.model_dump(mode="json", exclude={"roles", "scopes"})
        row.update(
            roles=json.dumps(token.shown.roles),
            scopes=json.dumps(token.shown.scopes),
            hash=token.hash,
        )
        self._connection.execute(insert(api_tokens), row)

    def find(self, token_id: str) -> KeptToken | None:
        """Return a token, revoked ones too, or None if there is none."""
        wanted = select(api_tokens).where(api_tokens.c.id == token_id)
        row = self._connection.execute(wanted).mappings().first()
        return KeptToken(_shown(row), row["hash"]) if row else None

    def all(self) -> list[ApiToken]:
        """Return every token, the oldest first."""
        wanted = select(api_tokens).order_by(api_tokens.c.created_at, api_tokens.c.id)
        return [_shown(row) for row in self._connection.execute(wanted).mappings()]

    def revoke(self, token_id: str, now: datetime) -> None:
        """End a token."""
        self._connection.execute(
            update(api_tokens).where(api_tokens.c.id == token_id).values(revoked_at=iso(now))
        )


def _shown(row: RowMapping) -> ApiToken:
    """Return a stored token without its hash."""
    moments = {
        name: row[name] and read_moment(row[name])
        for name in ("created_at", "expires_at", "revoked_at")
    }
    return ApiToken(
        id=row["id"],
        principal=row["principal"],
        roles=json.loads(row["roles"]),
        scopes=json.loads(row["scopes"]),
        created_by=row["created_by"],
        **moments,
    )
