"""The election: holds the lease and renews it, or watches who does and takes over.

standby ── the lease is free, or over ──► active ── another one has taken it over ──► standby
                                            │
                                            └── a clean stop gives it back at once
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from governance.leadership.lease import (
    LOOKED_EVERY,
    RENEWED_EVERY,
    Lease,
    ProcessState,
    Sighting,
    may_take,
    must_end,
)
from governance.leadership.process import end, state_of
from governance.store import Store
from governance.store.fence import Fence
from schemas.errors import Standby, Unavailable

log = logging.getLogger(__name__)

AGAIN: Final = 0.2
"""Seconds after a renewal that found the database held: it comes soon after the lock's end."""


class Election:
    """Takes turns at renewing or at watching; one thread, save for what it says.

    Args:
        store: Whose database the lease is of.
        fence: What knows whether this service holds it.
        begin: What a term begins with, before anything else of it runs; may be called again.
        wait: Waits so many seconds, or less once everything stops.
        monotonic: This process's own clock, whose moments nobody else's are compared with.
    """

    def __init__(
        self,
        store: Store,
        fence: Fence,
        *,
        begin: Callable[[], None],
        wait: Callable[[float], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._fence = fence
        self._begin = begin
        self._wait = wait
        self._monotonic = monotonic
        self._begun: int | None = None
        self._told: Lease | None = None
        self._seen = Sighting(Lease(), self._monotonic())
        self._highest = 0
        self.terms = 0
        self.trouble: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether this service is the active one, as far as it knows."""
        return self._begun is not None and self._begun == self._fence.fencing

    @property
    def seen(self) -> Sighting:
        """Return what a standby has seen of the active service."""
        return self._seen

    def turn(self) -> None:
        """Renew or watch, then wait; never long, whatever is in the way."""
        self.try_to_stand()
        self._wait(self._pause())

    def _pause(self) -> float:
        """Return the seconds until the next turn; soon after a lock's end the lease is renewed."""
        if self._fence.fencing is None:
            return LOOKED_EVERY
        return RENEWED_EVERY if self.trouble is None else AGAIN

    def try_to_stand(self) -> None:
        """Do as `stand` does, and say what is in the way, once while it is the same."""
        before = self.trouble
        try:
            self.stand()
        except Unavailable as error:
            self.trouble = str(error)
            if self.trouble != before:
                log.warning("the lease has to wait: %s", error)
        else:
            self.trouble = None

    def stand(self) -> None:
        """Renew the lease; or look at it, and take it over if that may be.

        Raises:
            Unavailable: the database does not answer, or a term could not begin.
        """
        if self._fence.fencing is not None:
            self._hold()
        elif self._begun is not None:
            self._lose()
        else:
            self._watch()

    def resign(self, deadline: float) -> None:
        """Give the lease back, if the database lets us by *deadline* (monotonic s)."""
        while self._fence.fencing is not None:
            try:
                with self._store.leading(waits=False) as unit:
                    self._fence.check(unit)
                    unit.lease.release()
                self._fence.lose(Lease())
            except Standby:
                return
            except Unavailable as error:
                if self._monotonic() > deadline:
                    log.warning("the lease could not be given back: %s", error)
                    return
                time.sleep(AGAIN)

    def _hold(self) -> None:
        """Renew the lease, and begin the term if that is still to be done.

        It is read first: who was replaced must not wait at a lock that the new one died with.
        """
        with suppress(Standby):
            with self._store.reading() as unit:
                self._fence.check(unit)
            self._store.renew()
            self._begin_term()

    def _begin_term(self) -> None:
        """Do what a term begins with, once; from then on this service is active."""
        if not self.is_active:
            self._begin()
            self._begun = self._fence.fencing

    def _lose(self) -> None:
        """Say that another one took over, and watch that."""
        holder = self._fence.last.holder
        log.error(
            "no longer the active service: %s has taken over; this one is a standby now",
            holder.name if holder else "another one",
        )
        self._seen = Sighting(self._fence.last, self._monotonic())
        self._told = self._fence.last
        self._begun = None

    def _watch(self) -> None:
        """Look at the lease, and take it over if it is free or over."""
        self._seen = self._seen.next(self._read(), self._monotonic())
        holder = self._seen.lease.holder
        process = ProcessState.UNKNOWN if holder is None else state_of(holder)
        if self._seen.is_suspect and not self._store.is_free():
            self._seen = self._seen.blocked()
        if may_take(self._seen, process):
            self._take(is_dead=holder is None or process is ProcessState.GONE)
        elif holder and must_end(self._seen, process) and self._store.is_held_by(holder.pid):
            log.error("%s was stopped in the middle of a write and is ended", holder.name)
            end(holder)
        if self._fence.fencing is None:
            self._tell()

    def _read(self) -> Lease:
        """Return the lease as it stands."""
        try:
            with self._store.reading() as unit:
                lease = unit.lease.read()
        except Unavailable:
            self._seen = self._seen.blocked()
            raise
        self._fence.lose(lease)
        self._highest = max(self._highest, lease.fencing)
        return lease

    def _take(self, *, is_dead: bool) -> None:
        """Take the lease over, unless it moved meanwhile; wait at a lock if nobody else would."""
        try:
            with self._store.leading(waits=is_dead) as unit:
                if unit.lease.read() != self._seen.lease:
                    return
                taken = unit.lease.take(self._fence.holder, above=self._highest)
        except Unavailable:
            self._seen = self._seen.blocked()
            raise
        before = self._seen.lease
        self._fence.hold(taken)
        self._highest = taken.fencing
        self.terms += 1
        self._say_taken(before, taken)
        self._begin_term()

    def _say_taken(self, before: Lease, taken: Lease) -> None:
        """Say from whom the lease was taken; a clean start is nothing to warn of."""
        if before.holder is None:
            log.info("this service is the active one now, number %d", taken.fencing)
            return
        silence = self._seen.still
        log.warning(
            "this service is the active one now, number %d: %s was silent for %.1f s",
            taken.fencing,
            before.holder.name,
            silence,
        )

    def _tell(self) -> None:
        """Say once of whom this is the standby."""
        known = self._told.holder if self._told else None
        holder = self._seen.lease.holder
        if holder is not None and (known is None or known.instance != holder.instance):
            self._told = self._seen.lease
            log.warning(
                "standby: %s is the active service on this database; this one reads, lowers "
                "autonomy, and takes over when that ends",
                holder.name,
            )
