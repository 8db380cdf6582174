"""Offsets that are no records: what transactions and compaction leave in a log.

A log keeps its records, their times and their order; only their offsets move apart. Each way
below is one that is seen in practice: every record in a transaction of its own, many records in
each, some of them aborted and so never seen, or records that were deleted one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Final

from tests.oracle.log import Record, SourceLog

Gaps = Callable[[Random], int]
"""Draws how many offsets that are no records come before the next record."""

MARK: Final = 1
"""The end of a transaction takes one offset."""

ABORTED: Final = (1, 1, 2, 30, 500)
"""How many records a transaction that is aborted may have held."""


def _none(random: Random) -> int:
    """Nobody uses transactions."""
    return 0


def _each(random: Random) -> int:
    """Every record is a transaction, and ends with a mark."""
    return MARK


def _some(random: Random) -> int:
    """Transactions hold about ten records; one in four is aborted."""
    if random.random() > 0.1:
        return 0
    return MARK + (random.choice(ABORTED) + MARK if random.random() < 0.25 else 0)


def _many(random: Random) -> int:
    """Several producers end their transactions at about the same time, now and then."""
    return 0 if random.random() > 0.04 else MARK * random.randint(1, 12)


def _deleted(random: Random) -> int:
    """Single records are gone."""
    return random.choice((0, 0, 0, 1, 2))


WAYS: Final[tuple[Gaps, ...]] = (_none, _none, _each, _some, _some, _many, _deleted)


def with_holes(random: Random, logs: Iterable[SourceLog]) -> tuple[SourceLog, ...]:
    """Return *logs* with holes, each log in a way of its own."""
    return tuple(_with_holes(random, random.choice(WAYS), log) for log in logs)


def _with_holes(random: Random, gaps: Gaps, log: SourceLog) -> SourceLog:
    """Return *log* with what *gaps* draws before each record, and after the last."""
    offset, records = 0, []
    for record in log.records:
        offset += gaps(random)
        records.append(Record(offset, record.time, record.value))
        offset += 1
    return SourceLog(log.partition, tuple(records), offset + gaps(random))
