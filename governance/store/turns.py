"""Turns: one writer of this process at a time, and what lowers autonomy before all others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from schemas.errors import Unavailable

QUEUED: Final = "another request is writing"
"""What is said when the turn did not come; why it did not, only the one who holds it knows."""


class Turns:
    """The queue in front of the database's write lock.

    However many ordinary writers wait, the next turn is a lowering's if one waits: a kill switch
    must not queue behind sixty edits of a rule.
    """

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._taken = False
        self._lowerings = 0

    @contextmanager
    def take(self, patience: timedelta, *, lowers: bool = False) -> Iterator[None]:
        """Hold the turn, once it is free, until the end of the block.

        Raises:
            Unavailable: it was not, for as long as *patience*.
        """
        if not self._wait(patience.total_seconds(), lowers=lowers):
            raise Unavailable("database", QUEUED)
        try:
            yield
        finally:
            with self._free:
                self._taken = False
                self._free.notify_all()

    def _wait(self, seconds: float, *, lowers: bool) -> bool:
        """Wait for the turn and take it; return whether it came."""
        with self._free:
            self._lowerings += lowers
            try:
                came = self._free.wait_for(lambda: self._is_free(lowers=lowers), seconds)
                self._taken = self._taken or came
            finally:
                self._lowerings -= lowers
                if lowers:  # who waited behind it may go on
                    self._free.notify_all()
            return came

    def _is_free(self, *, lowers: bool) -> bool:
        """Whether the turn is free for this kind of writer."""
        return not self._taken and (lowers or not self._lowerings)
