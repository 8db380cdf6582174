"""Runs the weekly cycle by itself when a week is due; the database keeps it to once per week."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from governance.desk import Desk
from governance.handlers import next_due_week, run_cycle

EVERY: Final = 20.0
"""Seconds between two looks at the clock: a cycle begins at most so long after it is due."""

log = logging.getLogger(__name__)


class CycleWatch:
    """Takes turns at looking whether a week is due.

    After an outage each week that was missed gets its report, the oldest first, one a turn.
    """

    def __init__(self, desk: Desk, *, wait: Callable[[float], None]) -> None:
        self._desk = desk
        self._wait = wait

    def turn(self) -> None:
        """Run the cycle of a week that is due, or wait for one.

        Raises:
            Unavailable: the database is busy or away; the next turn tries again.
        """
        if next_due_week(self._desk) is None:
            self._wait(EVERY)
            return
        report = run_cycle(self._desk, scheduled=True)
        log.info("weekly report %s: %s", report.id, report.recommendation)
