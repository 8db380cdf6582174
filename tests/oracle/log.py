"""A source partition as it lies on Kafka."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from schemas.tallies import STEP


class Record(NamedTuple):
    """One record: ``time`` is its append time (ms); an empty value is a tick."""

    offset: int
    time: int
    value: bytes | None


@dataclass(frozen=True, slots=True)
class SourceLog:
    """All records of one partition of command-events, in offset order.

    Offsets may be missing. ``until`` is where the log ends, if not after its last record.
    """

    partition: int
    records: tuple[Record, ...]
    until: int | None = None

    @property
    def end(self) -> int:
        """Return the offset of whatever is appended next."""
        last = self.records[-1].offset + 1 if self.records else 0
        return last if self.until is None else self.until


def floor_step(moment: int) -> int:
    """Return the last multiple of a step at or before *moment* (ms)."""
    return moment - moment % STEP


def ceil_step(moment: int) -> int:
    """Return the first multiple of a step at or after *moment* (ms)."""
    return -(-moment // STEP) * STEP
