"""The lease: who is active, and when another may take over. No clock of two machines is compared.

    active    ──♥──────♥──────♥───── dead
    standby   ──·──·──·──·──·──·──·──│·──·──·──·──·──·──·──│ takes over with the next number
                 the row moves       │   it stands still   │

A standby judges by one thing: whether the row *moved* between two looks of its own. A lock that
somebody else holds, or a full disk, keeps the active one from renewing; so only time in which
everybody could write counts in the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from schemas.wire import Moment, Wire

RENEWED_EVERY: Final = 2.0
"""Seconds between two renewals by the active service."""

LOOKED_EVERY: Final = 0.5
"""Seconds between two looks by a standby."""

SUSPECT: Final = 3.0
"""Seconds of standing still from which a standby asks whether the database can be written."""

EXPIRY: Final = 7.0
"""Seconds of standing still after which the lease is over; with all the rest less than ten."""

SETTLED: Final = 3.0
"""Seconds for which everybody could write, so that one who waited at a lock has renewed."""

COUNTED: Final = 2.0
"""Seconds that one look counts at most, however slow the machine is.

A standby that was stopped itself has seen nothing meanwhile.
"""


class Holder(Wire):
    """The service that holds the lease: who it is, and where it answers.

    ``instance`` is another one after each start. ``place`` names the machine's boot and the
    process ids that mean the same there, or is empty where that is not known.
    """

    instance: str
    host: str
    pid: int
    started: int
    place: str
    address: str
    since: Moment

    @property
    def name(self) -> str:
        """Return how people know it."""
        return f"{self.address} (process {self.pid} on {self.host})"


@dataclass(frozen=True, slots=True)
class Lease:
    """The row as it stands; without a holder it is free.

    ``fencing`` grows with every take-over, and never goes back; ``beat`` with every renewal.
    """

    fencing: int = 0
    beat: int = 0
    holder: Holder | None = None

    def is_held_by(self, instance: str, fencing: int | None) -> bool:
        """Whether *instance* holds it, and nobody has taken it over since."""
        held = self.holder is not None and self.holder.instance == instance
        return held and self.fencing == fencing


class ProcessState(Enum):
    """What a machine says of a process on it."""

    RUNNING = auto()
    STOPPED = auto()
    GONE = auto()
    UNKNOWN = auto()
    """It runs elsewhere, or nobody can tell."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a standby has seen so far: the row, and for how many seconds it stood still.

    ``writable`` are the latest of these in which the database could be written at each look.
    """

    lease: Lease
    at: float
    still: float = 0.0
    writable: float = 0.0

    @property
    def is_suspect(self) -> bool:
        """Whether a renewal is overdue, so that it matters whether one was possible."""
        return self.still >= SUSPECT

    def next(self, lease: Lease, at: float) -> Sighting:
        """Return what is known after another look, at the standby's own monotonic *at* (s)."""
        if lease != self.lease:
            return Sighting(lease, at)
        passed = min(max(0.0, at - self.at), COUNTED)
        return Sighting(lease, at, self.still + passed, self.writable + passed)

    def blocked(self) -> Sighting:
        """Return the same, but nobody can write at this moment, so nobody can renew."""
        return Sighting(self.lease, self.at, self.still)


def may_take(seen: Sighting, process: ProcessState) -> bool:
    """Whether a standby may take the lease over, of whose holder *process* is known.

    A free lease and that of a process that is gone wait for nothing.
    """
    if seen.lease.holder is None or process is ProcessState.GONE:
        return True
    return seen.still >= EXPIRY and seen.writable >= SETTLED


def must_end(seen: Sighting, process: ProcessState) -> bool:
    """Whether the holder has to be ended, if it is who holds the file: stopped, it never lets go.

    Until it goes on or ends nobody can write, not even what lowers autonomy.
    """
    return seen.still >= EXPIRY and not seen.writable and process is ProcessState.STOPPED
