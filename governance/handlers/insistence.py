"""Insistence: what lowers autonomy does not give up because another process holds the database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from schemas.errors import Replaced, Standby, Unavailable

Result = TypeVar("Result")

PATIENCE: Final = timedelta(seconds=60)
"""Twice as long as the longest lock that a backup or an operator's session is known to hold."""

PAUSE: Final = 0.2
"""Seconds between two tries; together with the database's own wait well below two."""


def insist(
    lower: Callable[[], Result],
    *,
    patience: timedelta = PATIENCE,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Result:
    """Return what *lower* returns, trying again while the database is busy, away or full.

    A lowering therefore takes effect as soon as the lock is gone, without anybody asking again.

    Raises:
        Standby: another service is the active one; waiting changes nothing.
        Unavailable: it still was after *patience*, or as we were asked to stop; nothing was
            lowered.
        Replaced: the database is not the one that was opened.
    """
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        try:
            return lower()
        except Standby:
            raise
        except Replaced:
            raise  # it is told to Kafka, or refused; to do it again would do it twice
        except Unavailable:
            if time.monotonic() >= deadline or is_stopping():
                raise
            threading.Event().wait(PAUSE)
