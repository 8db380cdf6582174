"""API tokens as proof: the row is read for each request, so that a revocation is in force at once.

Hashing takes some 20 ms, which is right for a stranger and too much for each request of a
friend: which secret a hash was proven by is remembered, as a hash of its own. A wrong secret is
told in microseconds; where the hash is of an older version, few are looked at.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Final

from api.auth.rates import Rates
from governance import handlers
from governance.callers import Caller
from governance.desk import Desk
from governance.token_hashes import is_of, is_quick
from governance.tokens import KeptToken, read_token
from schemas.errors import NotAuthenticated

REMEMBERED: Final = 1_024
"""Proofs kept at most; the oldest unused goes first and is then made again."""

SLOW: Final = 30
"""Secrets a minute that are hashed slowly for one token of an older version, right ones apart."""


class TokenCheck:
    """Tells whom an API token speaks for; safe to ask from any thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._slow = Rates(SLOW)
        self._proven: OrderedDict[tuple[bytes, str], None] = OrderedDict()

    def caller(self, text: str) -> Caller:
        """Return whom the token *text* speaks for.

        Raises:
            NotAuthenticated: it is none of ours, was revoked, or is past its end.
            TooManyRequests: too many wrong secrets came for this token, whose hash is slow.
            Unavailable: the database does not answer.
        """
        read = read_token(text)
        kept = handlers.find_token(self._desk, read[0]) if read else None
        if read is None or kept is None or not self._is_proven(kept, read[1]):
            raise NotAuthenticated("the token is not one of ours")
        if not kept.shown.is_valid(self._desk.clock()):
            raise NotAuthenticated("the token was revoked or has expired")
        return kept.shown.caller

    def _is_proven(self, kept: KeptToken, secret: str) -> bool:
        """Whether *secret* belongs to the token *kept*, from memory where it was proven."""
        proof = (hashlib.sha256(secret.encode()).digest(), kept.hash)
        with self._lock:
            if proof in self._proven:
                self._proven.move_to_end(proof)
                return True
        if not self._holds(kept, secret):
            return False
        with self._lock:
            self._proven[proof] = None
            if len(self._proven) > REMEMBERED:
                self._proven.popitem(last=False)
        return True

    def _holds(self, kept: KeptToken, secret: str) -> bool:
        """Whether *secret* belongs to the token *kept*, however long it takes to tell."""
        if is_quick(kept.hash):
            return is_of(kept.hash, secret)
        self._slow.take(kept.shown.id)
        found = is_of(kept.hash, secret)
        if found:
            self._slow.give(kept.shown.id)
        return found
