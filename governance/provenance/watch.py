"""The ledger of a process: kept up to date by reading what came since the last look."""

from __future__ import annotations

import threading

from governance.provenance.ledger import TELLING, Ledger
from governance.store import Unit


class LedgerWatch:
    """Keeps one ledger; safe to ask from any thread.

    ``turn`` is held from before the database is looked at, unless that is for writing: a view
    that is older than the ledger would read as a log that was cut off.
    """

    def __init__(self) -> None:
        self.turn = threading.RLock()
        self._ledger = Ledger()

    def at(self, unit: Unit, *, lasting: bool) -> Ledger:
        """Return what the log that *unit* sees tells.

        What is not *lasting* may yet be undone, and is not remembered. A log that is not the one
        of the last look, as after a restore, is read from its beginning.
        """
        with self.turn:
            known, head = self._ledger, unit.audit.head()
            if head == known.head:
                return known
            if known.head.seq and not unit.audit.has(known.head):
                known = Ledger()
            found = known.read_on(unit.audit.telling(TELLING, after=known.head.seq), head)
            if lasting:
                self._ledger = found
            return found
