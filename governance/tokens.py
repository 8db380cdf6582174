"""API tokens: how they are spelled, and what is kept of each.

    gov_3f9a1c07d2b4e658_Zk3...      the id finds the row, the secret proves the holder

Only a hash of the secret is kept, so that whoever reads the database cannot ask in its name.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, NamedTuple

from governance.callers import Assurance, Caller, Role, Scope
from schemas.wire import Moment, Wire

PREFIX: Final = "gov_"
SPELLED: Final = re.compile(r"gov_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


class ApiToken(Wire):
    """What is shown of a token; the secret is not part of it."""

    id: str
    principal: str
    roles: list[Role]
    scopes: list[Scope]
    created_at: Moment
    created_by: str
    expires_at: Moment | None = None
    revoked_at: Moment | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether the token is neither revoked nor past its end at *now*."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def caller(self) -> Caller:
        """Return whom it speaks for."""
        return Caller(
            self.principal, frozenset(self.roles), Assurance.TOKEN, frozenset(self.scopes)
        )


class KeptToken(NamedTuple):
    """A token as stored: what is shown, and the hash of its secret."""

    shown: ApiToken
    hash: str


def spell(token_id: str, secret: str) -> str:
    """Return the token that its holder sends."""
    return f"{PREFIX}{token_id}_{secret}"


def read_token(text: str) -> tuple[str, str] | None:
    """Return the id and the secret that *text* holds, or None if it is no token of ours.

    >>> read_token("gov_3f9a1c07d2b4e658_" + "x" * 43)[0]
    '3f9a1c07d2b4e658'
    """
    found = SPELLED.fullmatch(text)
    return (found[1], found[2]) if found else None
