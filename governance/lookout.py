"""Looks out, once a second: does anybody see the stream, and did anybody change rows by SQL?

Silence is never read as health. Once the judges are further behind than the setting allows,
subscribers are told that the stream is blind, once for each time that it is; and once more when
it sees again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from governance.desk import Desk
from governance.frontier import Frontiers
from governance.handlers import adopt_sql_changes, tell_blind, tell_sees

log = logging.getLogger(__name__)

LOOK: Final = 1.0
"""Seconds between two looks at the frontier."""

SQL: Final = 3.0
"""Seconds between two looks for changes by SQL, which are promised to work within ten."""

GRACE: Final = timedelta(seconds=15)
"""After a start, the judges may take this long to report before subscribers are told."""


class Lookout:
    """Takes turns at looking."""

    def __init__(self, desk: Desk, frontiers: Frontiers, *, wait: Callable[[float], None]) -> None:
        self._desk = desk
        self._frontiers = frontiers
        self._wait = wait
        self._started = desk.clock()
        self._looked_at_sql = 0.0
        self.blind_since: datetime | None = None

    def turn(self) -> None:
        """Look, then wait a second.

        Raises:
            Unavailable: the database is busy or away; the next turn looks again.
        """
        self.look(self._desk.clock())
        if time.monotonic() - self._looked_at_sql > SQL:
            self._looked_at_sql = time.monotonic()
            adopt_sql_changes(self._desk)
        self._wait(LOOK)

    def look(self, now: datetime) -> None:
        """Tell subscribers if the stream became blind, or sees again, by *now*."""
        reason = blindness(self._desk, self._frontiers, now)
        if reason is None:
            self._sees()
        elif self.blind_since is None and not self._is_starting(now):
            since = self._frontiers.judged_until() or self._started
            log.error("the stream is blind: %s", reason)
            tell_blind(self._desk, since, reason=reason)
            self.blind_since = since

    def _sees(self) -> None:
        """End the present blindness, if there is one."""
        if self.blind_since is not None:
            log.warning("the stream sees again")
            tell_sees(self._desk, self.blind_since)
            self.blind_since = None

    def _is_starting(self, now: datetime) -> bool:
        """Whether the judges may not have had the time to report yet.

        A clock that was set back to before the start says nothing of that: then it is over.
        """
        return abs(now - self._started) < GRACE


def blindness(desk: Desk, frontiers: Frontiers, now: datetime) -> str | None:
    """Return why nobody sees the stream at *now*, or None when the judges are near enough.

    Judges that are ahead of us stand still until our clock, or that of the brokers, catches up.
    """
    age = frontiers.age(now)
    if age is None:
        return "no judge has reported yet"
    limit = timedelta(seconds=desk.settings.blind_after_seconds)
    ahead = frontiers.ahead(now)
    if ahead > limit:
        return (
            f"clocks disagree: the judges are {ahead.total_seconds():.1f} s ahead of this machine"
        )
    if age <= limit:
        return None
    return f"the judges are {age.total_seconds():.1f} s behind, more than {limit.seconds} s"
