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
    """All records of one partition of command-events, in offset order."""

    partition: int
    records: tuple[Record, ...]


def floor_step(moment: int) -> int:
    """Return the last multiple of a step at or before *moment* (ms)."""
    return moment - moment % STEP


def ceil_step(moment: int) -> int:
    """Return the first multiple of a step at or after *moment* (ms)."""
    return -(-moment // STEP) * STEP
