"""The hashes of tokens' secrets: argon2id, salted, slow to guess at.

A secret has 256 random bits, so that guessing is hopeless even against a fast hash; the
parameters are the lesser ones of OWASP, which a request can afford.
"""

from __future__ import annotations

import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def new_id() -> str:
    """Return an id that no other token has."""
    return secrets.token_hex(8)


def new_secret() -> str:
    """Return a secret that nobody can guess."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """Return what is kept of *secret*."""
    return _HASHER.hash(secret)


def is_of(kept: str, secret: str) -> bool:
    """Whether *secret* is the one of which *kept* is left; takes some 20 ms."""
    try:
        return _HASHER.verify(kept, secret)
    except (VerificationError, InvalidHashError):
        return False
