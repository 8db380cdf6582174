"""What counts in one source partition, record by record, from the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, NamedTuple

from schemas.events import Reason
from schemas.tallies import (
    EARLINESS,
    ID_LIMIT,
    ID_MEMORY,
    LATENESS,
    OTHER,
    OVERALL,
    STEP,
    Column,
    SampleClass,
)
from tests.oracle.events import Fact, read
from tests.oracle.log import SourceLog, floor_step

Grouped = Callable[[int], Iterable[str]]
"""Which labels are counted by, at a clock (ms)."""

Protected = Callable[[int], frozenset[str]]
"""Which command types keep scopes of their own, at a clock (ms)."""


def nothing(clock: int) -> frozenset[str]:
    """Return that nothing is protected, whatever the *clock*."""
    return frozenset()


SCOPE_LIMIT: Final = 1_000


class Counted(NamedTuple):
    """One event that counts: judged from ``step`` (ms) on, in the pane ``pane`` (s)."""

    step: int
    partition: int
    offset: int
    pane: int
    scopes: tuple[str, ...]
    columns: tuple[Column, ...]
    sample: tuple[SampleClass, str] | None


class DeadLetter(NamedTuple):
    """One record that must lie in the dead letters."""

    partition: int
    offset: int
    reason: Reason


@dataclass(slots=True)
class PartitionReport:
    """What must have come of one source partition; ``clocks`` has one entry per record."""

    log: SourceLog
    clocks: Sequence[int]
    counted: list[Counted] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    duplicates: int = 0
    early: int = 0

    @property
    def first_cut(self) -> int | None:
        """Where the first cut begins, None while the log is empty."""
        return floor_step(self.clocks[0]) if self.clocks else None

    @property
    def last_cut(self) -> int | None:
        """How far cuts were published, None until the clock has passed a first one."""
        last = floor_step(self.clocks[-1]) if self.clocks else None
        return None if last is None or last == self.first_cut else last


class _Generations:
    """Two sets that age together with the ids; what is seen now outlives one turn."""

    def __init__(self) -> None:
        self.now: set[str] = set()
        self.before: set[str] = set()

    def turn(self) -> None:
        """Forget the older set, and begin a new one."""
        self.before, self.now = self.now, set()

    def __contains__(self, text: object) -> bool:
        return text in self.now or text in self.before


def count_partition(
    log: SourceLog,
    *,
    grouped: Grouped,
    protected: Protected = nothing,
    scope_limit: int = SCOPE_LIMIT,
    id_limit: int = ID_LIMIT,
) -> PartitionReport:
    """Return what must have come of *log*."""
    clocks = list(accumulate((record.time for record in log.records), max))
    report = PartitionReport(log, clocks)
    ids = _Generations()
    values: dict[str, _Generations] = {}
    started: int | None = None
    for record, clock in zip(log.records, clocks, strict=True):
        if not record.value:
            continue
        fact = read(record.value)
        if isinstance(fact, Reason):
            report.dead_letters.append(DeadLetter(log.partition, record.offset, fact))
            continue
        if started is None:
            started = clock
        if clock - started >= ID_MEMORY or len(ids.now) >= id_limit // 2:
            ids.turn()
            for generations in values.values():
                generations.turn()
            started = clock
        if fact.id in ids:
            report.duplicates += 1
            continue
        if fact.occurred < clock - LATENESS:
            report.dead_letters.append(DeadLetter(log.partition, record.offset, Reason.LATE))
            continue
        ids.now.add(fact.id)
        named = fact.command_type is not None and fact.command_type in protected(clock)
        is_early = fact.occurred > clock + EARLINESS
        report.early += is_early
        report.counted.append(
            Counted(
                step=floor_step(clock) + STEP,
                partition=log.partition,
                offset=record.offset,
                pane=(clock if is_early else fact.occurred) // 1000,
                scopes=tuple(_scopes(fact, grouped(clock), values, scope_limit, named=named)),
                columns=fact.columns,
                sample=fact.sample,
            )
        )
    return report


def _scopes(
    fact: Fact,
    labels: Iterable[str],
    values: dict[str, _Generations],
    limit: int,
    *,
    named: bool,
) -> Iterable[str]:
    """Yield the scopes that an event counts in; *named* if its type is protected."""
    yield OVERALL
    if named:
        yield f"commandType={fact.command_type}"
    elif fact.command_type is not None:
        yield _capped("commandType", fact.command_type, values, limit)
    for name in sorted(set(labels)):
        if name in fact.labels:
            yield _capped(f"labels.{name}", fact.labels[name], values, limit)


def _capped(dimension: str, value: str, values: dict[str, _Generations], limit: int) -> str:
    """Return the scope of *value*, or the one that stands for all beyond *limit*."""
    known = values.setdefault(dimension, _Generations())
    if value not in known and len(known.now | known.before) >= limit:
        return f"{dimension}={OTHER}"
    known.now.add(value)
    return f"{dimension}={value}"


Counts = dict[tuple[str, int, int], dict[Column, int]]
"""Counts by (scope, pane, source partition)."""


def published_counts(report: PartitionReport, *, upto: int | None = None) -> Counts:
    """Return what the partition's cuts must add up to, all of them or those before *upto*."""
    counts: Counts = {}
    last = report.last_cut if upto is None else upto
    for event in report.counted:
        if last is None or event.step > last:
            break
        for scope in event.scopes:
            cell = counts.setdefault((scope, event.pane, event.partition), {})
            for column in event.columns:
                cell[column] = cell.get(column, 0) + 1
    return counts
