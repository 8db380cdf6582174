"""Looks after the database once an hour, so that nobody has to remember it.

What is older than the retention is archived and forgotten, once a day: it is cut at midnight,
and every other look finds nothing. The head of the audit log is told to Kafka if it moved.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from governance.audit import Checkpoint
from governance.desk import Desk
from governance.handlers import prune, publish_audit_head

log = logging.getLogger(__name__)

FIRST: Final = 300.0
"""Seconds after a start until the first look: a start has other things to do."""

EVERY: Final = 3_600.0
"""Seconds between two looks."""

SYSTEM: Final = "system"
"""Who prunes when nobody asked."""


class UpkeepWatch:
    """Takes turns at looking after the database."""

    def __init__(
        self, desk: Desk, *, wait: Callable[[float], None], is_stopping: Callable[[], bool]
    ) -> None:
        self._desk = desk
        self._wait = wait
        self._is_stopping = is_stopping
        self._told: Checkpoint | None = None
        self._pause = FIRST

    def turn(self) -> None:
        """Wait, then look, unless asked to stop meanwhile.

        Raises:
            Unavailable: the database or the archive cannot be written now; the next turn tries.
        """
        self._wait(self._pause)
        if self._is_stopping():
            return
        self._told = publish_audit_head(self._desk, self._told)
        found = prune(self._desk, by=SYSTEM)
        if found.archive:
            log.info("archived and forgot %s in %s", dict(found.rows), found.archive)
        self._pause = EVERY
