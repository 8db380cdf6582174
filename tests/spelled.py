"""API tokens as they are spelt, for tests that look where their secrets have got to."""

from __future__ import annotations

from governance.tokens import read_token


def secret_of(spelling: str) -> str:
    """Return the part of a token that nobody may find anywhere; it may hold any letter of it."""
    found = read_token(spelling)
    assert found is not None
    return found[1]
