"""The fence: a service writes only while it holds the lease, and that is asked in each transaction.

    BEGIN ── write lock ── is the lease ours, under our number? ── ... ── COMMIT
                            no: nothing is written, ever again under that number

Whoever takes the lease over needs the same lock. So between the question and the commit nobody
can, and a process that was stopped before it and wakes up after a take-over commits nothing.
"""

from __future__ import annotations

import time

from governance.leadership.lease import Holder, Lease
from governance.store.unit import Unit
from schemas.errors import Standby

OFTEN = 1.0
"""Seconds between two renewals that come along with other writes."""


class Fence:
    """What one service may write; safe to ask from any thread, by one writer at a time."""

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        self.last = Lease()
        self._fencing: int | None = None
        self._began = 0.0
        self._renewed_at = 0.0

    @property
    def fencing(self) -> int | None:
        """Return the number under which the lease is held, or None on a standby."""
        return self._fencing

    @property
    def silence(self) -> float:
        """Return for how many seconds the lease was not renewed."""
        return time.monotonic() - self._renewed_at

    def hold(self, lease: Lease) -> None:
        """Go by *lease*, which was taken."""
        self.last, self._fencing = lease, lease.fencing
        self._renewed_at = time.monotonic()

    def lose(self, lease: Lease) -> None:
        """Go by *lease*, which is not ours."""
        self.last, self._fencing = lease, None

    def check_held(self) -> None:
        """Check that the lease is held, as far as this process knows.

        Raises:
            Standby: it is not; says where the active service is.
        """
        if self._fencing is None:
            raise self.standby()

    def check(self, unit: Unit) -> None:
        """Check that the lease is held, as the database has it.

        Raises:
            Standby: it is not, or no longer.
        """
        fencing, found = self._fencing, unit.lease.read()
        if not found.is_held_by(self.holder.instance, fencing):
            if fencing is not None:
                self.lose(found)
            raise self.standby()

    def admit(self, unit: Unit) -> None:
        """Check the lease as a writing transaction begins, and renew it along if that is due.

        Raises:
            Standby: it is not held, or no longer.
        """
        self.check(unit)
        self._began = time.monotonic()
        if self._is_due():
            unit.lease.renew()

    def committed(self) -> None:
        """Note that a transaction that was admitted is committed."""
        if self._is_due():
            self.renewed()

    def renewed(self) -> None:
        """Note that the transaction that was admitted last has renewed the lease."""
        self._renewed_at = self._began

    def standby(self) -> Standby:
        """Return the error that says where the active service is."""
        holder = self.last.holder
        if holder is None or holder.instance == self.holder.instance:
            return Standby()
        return Standby(holder.name, holder.address)

    def _is_due(self) -> bool:
        """Whether the transaction that began last renews."""
        return self._began - self._renewed_at >= OFTEN
