"""Friends: proofs that have held, so that strangers from the same address do not shut them out.

Behind a proxy everybody has one address, and whoever lowers autonomy must not wait because
somebody else there guesses at tokens. A friend is proven again each time, like anybody.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Final

REMEMBERED: Final = 4_096
"""Proofs kept at most, as hashes; the oldest unused goes first and is a stranger again."""


class Friends:
    """Remembers proofs that held; safe to ask from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._met: OrderedDict[bytes, None] = OrderedDict()

    def has_met(self, proof: str) -> bool:
        """Whether *proof* held the last time."""
        with self._lock:
            return _digest(proof) in self._met

    def meet(self, proof: str) -> None:
        """Remember that *proof* held now."""
        digest = _digest(proof)
        with self._lock:
            self._met[digest] = None
            self._met.move_to_end(digest)
            if len(self._met) > REMEMBERED:
                self._met.popitem(last=False)

    def part(self, proof: str) -> None:
        """Forget *proof*: it holds no longer."""
        with self._lock:
            self._met.pop(_digest(proof), None)


def _digest(proof: str) -> bytes:
    """Return what is kept of a proof; headers may hold any bytes."""
    return hashlib.sha256(proof.encode("utf-8", "surrogateescape")).digest()
