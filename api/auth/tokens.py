"""API tokens as proof: the row is read for each request, so that a revocation is in force at once.

Hashing takes some 20 ms, which is right for a stranger and too much for each request of a
friend: which secret a hash was proven by is remembered, as a hash of its own.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Final

from governance import handlers
from governance.callers import Caller
from governance.desk import Desk
from governance.token_hashes import is_of
from governance.tokens import read_token
from schemas.errors import NotAuthenticated

REMEMBERED: Final = 1_024
"""Proofs kept at most; the oldest unused goes first and is then made again."""


class TokenCheck:
    """Tells whom an API token speaks for; safe to ask from any thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._proven: OrderedDict[tuple[bytes, str], None] = OrderedDict()

    def caller(self, text: str) -> Caller:
        """Return whom the token *text* speaks for.

        Raises:
            NotAuthenticated: it is none of ours, was revoked, or is past its end.
            Unavailable: the database does not answer.
        """
        read = read_token(text)
        kept = handlers.find_token(self._desk, read[0]) if read else None
        if read is None or kept is None or not self._is_proven(kept.hash, read[1]):
            raise NotAuthenticated("the token is not one of ours")
        if not kept.shown.is_valid(self._desk.clock()):
            raise NotAuthenticated("the token was revoked or has expired")
        return kept.shown.caller

    def _is_proven(self, kept: str, secret: str) -> bool:
        """Whether *secret* belongs to the hash *kept*, from memory where it was proven."""
        proof = (hashlib.sha256(secret.encode()).digest(), kept)
        with self._lock:
            if proof in self._proven:
                self._proven.move_to_end(proof)
                return True
        if not is_of(kept, secret):
            return False
        with self._lock:
            self._proven[proof] = None
            if len(self._proven) > REMEMBERED:
                self._proven.popitem(last=False)
        return True
