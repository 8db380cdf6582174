"""Watches the ladder: expires what waits for people, and judges the phase on trial."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from governance.desk import Desk
from governance.handlers import (
    judge_validation,
    protect_types,
    tend_joint_acts,
    tend_proposals,
)

LOOK: Final = 2.0
"""Seconds between two looks at what approvals stand on; one that moved voids them that soon."""

JUDGE: Final = 30.0
"""Seconds between two judgements of a validation: each sums up all minutes since the rise."""

PROTECT: Final = 600.0
"""Seconds between two looks at which command types are protected: they change with the day."""


class LadderWatch:
    """Takes turns at looking."""

    def __init__(self, desk: Desk, *, wait: Callable[[float], None]) -> None:
        self._desk = desk
        self._wait = wait
        self._judged: float | None = None
        self._protected: float | None = None

    def turn(self) -> None:
        """Look, then wait.

        Raises:
            Unavailable: the database is busy or away; the next turn looks again.
        """
        tend_proposals(self._desk)
        tend_joint_acts(self._desk)
        now = time.monotonic()
        if self._judged is None or now - self._judged >= JUDGE:
            judge_validation(self._desk)
            self._judged = now
        if self._protected is None or now - self._protected >= PROTECT:
            protect_types(self._desk)
            self._protected = now
        self._wait(LOOK)
