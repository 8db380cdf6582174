"""The hashes of tokens' secrets: argon2id, salted, slow to guess at.

A secret has 256 random bits, so that guessing is hopeless even against a fast hash; the
parameters are the lesser ones of OWASP, which a request can afford.

    $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH        SALT = SHA-256 of the secret, cut to 24 bytes

The salt is as random as the secret, and tells a wrong secret in microseconds: otherwise a flood of
guesses would keep those with a right one waiting, or cost 20 ms and 19 MiB each. Hashes of older
versions have other salts, of 16 bytes, and tell it slowly.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SALT: Final = 24
"""Bytes of a salt that tells; they are as good against guesses as the secret is."""

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def new_id() -> str:
    """Return an id that no other token has."""
    return secrets.token_hex(8)


def new_secret() -> str:
    """Return a secret that nobody can guess."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """Return what is kept of *secret*."""
    return _HASHER.hash(secret, salt=_salt_of(secret))


def is_of(kept: str, secret: str) -> bool:
    """Whether *secret* is the one of which *kept* is left; a right one takes some 20 ms."""
    if is_quick(kept) and not hmac.compare_digest(_spelled(_salt_of(secret)), _salt_in(kept)):
        return False
    try:
        return _HASHER.verify(kept, secret)
    except (VerificationError, InvalidHashError):
        return False


def is_quick(kept: str) -> bool:
    """Whether *kept* tells a wrong secret without hashing it slowly."""
    return len(_salt_in(kept)) == len(_spelled(bytes(SALT)))


def _salt_of(secret: str) -> bytes:
    """Return the salt with which *secret* is hashed; it is in the hash, and tells nothing of it."""
    return hashlib.sha256(b"salt of " + secret.encode()).digest()[:SALT]


def _salt_in(kept: str) -> str:
    """Return the salt of a hash as it is spelled there, or nothing for what is no hash."""
    parts = kept.split("$")
    return parts[4] if len(parts) == 6 else ""


def _spelled(salt: bytes) -> str:
    """Return *salt* as hashes spell it."""
    return base64.b64encode(salt).decode().rstrip("=")
