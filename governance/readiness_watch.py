"""Follows readiness, once a minute, so that its history says when something moved.

It also keeps the minutes of the metrics summed up, and verifies the audit chain before anybody has
to wait for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from governance.desk import Desk
from governance.handlers import follow_readiness, latest_assessment
from governance.handlers.metrics import sum_up_minutes

EVERY: Final = 60.0
"""Seconds between two assessments."""


class ReadinessWatch:
    """Takes turns at assessing.

    The first assessment after a start comes a minute late, unless there never was one: Prometheus
    has to find the service first, and a restart is no reason to lose points.
    """

    def __init__(
        self, desk: Desk, *, wait: Callable[[float], None], is_stopping: Callable[[], bool]
    ) -> None:
        self._desk = desk
        self._wait = wait
        self._is_stopping = is_stopping

    def turn(self) -> None:
        """Sum up the minutes, verify the chain, wait for a minute, then assess.

        Raises:
            Unavailable: the database is busy or away; the next turn tries again.
        """
        sum_up_minutes(self._desk)
        latest_assessment(self._desk)
        self._desk.chain.renew(self._desk.store, self._desk.clock())
        self._wait(EVERY)
        if not self._is_stopping():
            follow_readiness(self._desk)
