"""Replays: a request that is repeated with its ``Idempotency-Key`` gets the same answer. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

KEPT: Final = timedelta(hours=24)
"""How long an answer is kept; after that the key is new again."""

ABANDONED: Final = timedelta(minutes=1)
"""After this a request without an answer counts as lost with the process that ran it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be repeated: whose, under which key, and what it says."""

    principal: str
    key: str
    request: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was sent: the same bytes go out again."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def fingerprint(method: str, target: str, body: bytes) -> str:
    """Return what two requests share only if they say the same.

    >>> fingerprint("POST", "/a", b"") == fingerprint("POST", "/a", b"{}")
    False
    """
    start = f"{method} {target}\n".encode("utf-8", "surrogatepass")
    return hashlib.sha256(start + body).hexdigest()
