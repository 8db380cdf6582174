"""Looks out: does anybody see the stream and judge by its rules; did SQL change rows?

Silence is never read as health. Once the judges are further behind than the setting allows,
subscribers are told that the stream is blind, once for each time that it is; and once more when
it sees again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from governance.desk import Desk
from governance.frontier import Frontiers
from governance.handlers import (
    adopt_sql_changes,
    list_unjudged_rules,
    tell_blind,
    tell_sees,
    tell_unjudged,
)
from governance.kafka.transactions import OpenTransaction, reason_of
from governance.rules.judged import without_rules

log = logging.getLogger(__name__)

LOOK: Final = 1.0
"""Seconds between two looks at the frontier."""

SQL: Final = 3.0
"""Seconds between two looks for changes by SQL, which are promised to work within ten."""

GRACE: Final = timedelta(seconds=15)
"""After a start, the judges may take this long to report before subscribers are told."""


class Lookout:
    """Takes turns at looking."""

    def __init__(
        self,
        desk: Desk,
        frontiers: Frontiers,
        *,
        wait: Callable[[float], None],
        held_by: Callable[[], Sequence[OpenTransaction]] = tuple,
    ) -> None:
        self._desk = desk
        self._held_by = held_by
        self._frontiers = frontiers
        self._wait = wait
        self._started = desk.clock()
        self._looked_at_sql = 0.0
        self._unjudged: frozenset[str] = frozenset()
        self._is_replaced = False
        self.blind_since: datetime | None = None

    def begin(self) -> None:
        """Begin as after a start: this service is the active one from now on."""
        self._started = self._desk.clock()
        self.blind_since = None

    def turn(self) -> None:
        """Look, then wait a second.

        Raises:
            Unavailable: the database is busy or away; the next turn looks again.
        """
        self.look(self._desk.clock())
        self.look_at_database()
        if time.monotonic() - self._looked_at_sql > SQL:
            self._looked_at_sql = time.monotonic()
            adopt_sql_changes(self._desk)
            self.look_at_rules(self._desk.clock())
        self._wait(LOOK)

    def look(self, now: datetime) -> None:
        """Tell subscribers if the stream became blind, or sees again, by *now*."""
        reason = blindness(self._desk, self._frontiers, now, held_by=self._held_by())
        if reason is None:
            self._sees()
        elif self.blind_since is None and not self._is_starting(now):
            since = self._frontiers.judged_until() or self._started
            log.error("the stream is blind: %s", reason)
            tell_blind(self._desk, since, reason=reason)
            self.blind_since = since

    def look_at_database(self) -> None:
        """Say aloud, once, that the database is not the one that was opened."""
        found = self._desk.store.replaced()
        if found is not None and not self._is_replaced:
            log.critical("%s", found)
        self._is_replaced = found is not None

    def look_at_rules(self, now: datetime) -> None:
        """Tell subscribers of rules that nobody judges by, once for each time that it is so."""
        found = list_unjudged_rules(self._desk)
        fresh = {name: why for name, why in found.items() if name not in self._unjudged}
        if fresh and self._is_starting(now):
            return
        if fresh:
            log.error("rules that nobody judges by: %s", fresh)
            tell_unjudged(self._desk, fresh)
        for name in self._unjudged - found.keys():
            log.warning("the rule %s is judged again as it is in force", name)
        self._unjudged = frozenset(found)

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


def blindness(
    desk: Desk,
    frontiers: Frontiers,
    now: datetime,
    *,
    held_by: Sequence[OpenTransaction] = (),
) -> str | None:
    """Return why nobody sees the stream at *now*, or None when the judges are near enough.

    Whoever judges without any rule sees nothing either, however far it has come.

    Judges that are ahead of us stand still until our clock, or that of the brokers, catches up.
    Judges that are behind may wait for the transactions *held_by*.
    """
    age, held = frontiers.age(now), reason_of(held_by, now)
    cause = "" if held is None else f": {held}"
    if age is None:
        return f"no judge has reported yet{cause}"
    limit = timedelta(seconds=desk.settings.blind_after_seconds)
    ahead = frontiers.ahead(now)
    if ahead > limit:
        return (
            f"clocks disagree: the judges are {ahead.total_seconds():.1f} s ahead of this machine"
        )
    without = without_rules(frontiers.in_use())
    if age <= limit or without:
        return without
    return f"the judges are {age.total_seconds():.1f} s behind, more than {limit.seconds} s{cause}"
