"""Keeps the database ready for a lowering, and notices when it is not before one comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from governance.store import Store

EVERY: Final = 2.0
"""Seconds between two looks."""


class StoreKeeper:
    """Takes turns at looking: is the database locked, is there room, is the ballast there."""

    def __init__(self, store: Store, *, wait: Callable[[float], None]) -> None:
        self._store = store
        self._wait = wait

    def turn(self) -> None:
        """Look, then wait.

        Raises:
            Unavailable: the database cannot be written; health says so until it can.
        """
        self._store.probe()
        self._wait(EVERY)
