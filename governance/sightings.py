"""What this process saw that no table holds: when it was scraped, how much of the chain verified.

Both are forgotten by a restart, and are then found out anew.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final

from governance.audit import ChainReport, Checkpoint, verify_chain
from governance.store import Store, Unit

ANEW: Final = timedelta(days=1)
"""After this long the chain is verified from its first row again: old rows may be edited too."""

AHEAD: Final = timedelta(hours=1)
"""How long before that is due the watch does it, so that nobody who asks waits for it."""


class Scrapes:
    """When Prometheus last asked."""

    def __init__(self) -> None:
        self.last: datetime | None = None

    def note(self, now: datetime) -> None:
        """Remember that ``/metrics`` was read at *now*."""
        self.last = now


class ChainWatch:
    """Verifies the audit chain often and cheaply: only what came since the last time.

    The row that was the head then is looked at again. Once a day, and for as long as anything
    is wrong, the whole chain is verified.

    ``turn`` is held from before the database is looked at: a view that is older than the head
    which another thread has just seen would read as a tail that was cut off.
    """

    def __init__(self) -> None:
        self.turn = threading.RLock()
        self._head: Checkpoint | None = None
        self._anew_at: datetime | None = None

    def verify(self, unit: Unit, now: datetime, *, lasting: bool = True) -> ChainReport:
        """Return whether the audit log that *unit* sees is as it was written.

        What is not *lasting* may yet be undone, and its head is not remembered: the row that
        takes its number later would read as one that was changed.
        """
        with self.turn:
            report = self._continued(unit, now) or self._anew(unit, now)
            if report.intact and lasting:
                self._head = Checkpoint(report.head_seq, report.head_hash)
            return report

    def renew(self, store: Store, now: datetime) -> None:
        """Verify the whole chain before that is due, while others go on with what is known.

        The first time there is nothing to go on with, and they wait.

        Raises:
            Unavailable: the database does not answer.
        """
        with self.turn:
            head, due = self._head, self._anew_at
            if head is None or due is None:
                with store.reading() as unit:
                    self.verify(unit, now)
                return
        if now >= due - AHEAD:
            with store.reading() as unit:
                report = verify_chain(unit.audit.rows(), head)
            with self.turn:
                self._anew_at = now + ANEW if report.intact else None

    def _continued(self, unit: Unit, now: datetime) -> ChainReport | None:
        """Verify the rows since the last time; None if the whole must be verified."""
        head, due = self._head, self._anew_at
        if head is None or due is None or now >= due or not unit.audit.has(head):
            return None
        report = verify_chain(unit.audit.rows(after=head.seq), start=head)
        return report if report.intact else None

    def _anew(self, unit: Unit, now: datetime) -> ChainReport:
        """Verify the whole chain, which must still hold the head that was seen before."""
        report = verify_chain(unit.audit.rows(), self._head)
        self._anew_at = now + ANEW if report.intact else None
        return report
