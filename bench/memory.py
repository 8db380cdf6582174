"""Bytes that a scope and a remembered id take, counted on the pure halves by the interpreter.

A scope is measured at its fullest: an event of each second of the last 15 minutes, in every
default rule's window. Ids are measured as long as an executor's ids are.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import msgspec

from bench.load import Load
from bench.report import Line, Result
from rules.defaults import default_rules
from schemas.rules import RuleVersion
from schemas.tallies import ID_LIMIT, STEP, Column, Cut, Cuts, Row
from streams.batch import Batch
from streams.control import entry_of
from streams.judge import Judge
from streams.tally import Tally

BEGIN: Final = 1_795_000_000_000
"""A moment (ms since 1970 UTC) to begin at; any whole second does."""
WINDOW: Final = 15 * 60
"""Seconds of panes that a scope keeps one by one."""
CHUNK: Final = 10_000
FLUSH_EVERY: Final = 60
"""Seconds of events between two flushes, which let go of what was only kept to be stored."""
COUNTED: Final[list[tuple[int, int]]] = [
    (Column.PROPOSED, 1),
    (Column.APPROVED, 1),
    (Column.SUCCEEDED, 1),
]
"""What happens in each second of each scope."""

T = TypeVar("T")


def measure(_stage: object, quick: bool) -> Result:
    """Fill a judge with scopes and a tally with ids; return bytes for each of them."""
    scopes, ids = (40, ID_LIMIT // 10) if quick else (200, ID_LIMIT)
    judge, judge_bytes = _weighed(lambda: judge_of(scopes))
    tally, tally_bytes = _weighed(lambda: tally_of(ids))
    known = len(tally.memory.ids) + len(tally.memory.ids_before)
    assert len(judge.scopes) == scopes and known == ids, (len(judge.scopes), known)
    return {
        "scopes": scopes,
        "bytesPerScope": round(judge_bytes / scopes),
        "ids": ids,
        "bytesPerId": round(tally_bytes / ids),
    }


def _weighed(make: Callable[[], T]) -> tuple[T, int]:
    """Return what *make* makes, and the bytes that it holds."""
    tracemalloc.start()
    try:
        made = make()
        return made, tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def judge_of(scopes: int) -> Judge:
    """Return a judge that has seen *scopes* command types succeed every second for 15 minutes."""
    judge = Judge(0, source_partitions=1)
    judge.learn(
        entry_of(
            RuleVersion(
                name=rule.name,
                version=1,
                effective_from=0,
                rule=rule,
                changed_at=datetime.fromtimestamp(0, UTC),
            )
        )
        for rule in default_rules()
    )
    names = [f"commandType=COMMAND_{number}" for number in range(scopes)]
    for number in range(WINDOW):
        judge.fold(_second(number, names))
        if number % FLUSH_EVERY == 0:
            judge.delta()
    return judge


def _second(number: int, names: list[str]) -> Batch:
    """Return the tallies of one second in which every scope had an event."""
    moment = BEGIN + number * 1_000
    rows = [Row(name, [(moment // 1_000, COUNTED)], []) for name in names]
    cuts = [
        Cut(moment, moment + STEP, number, rows, len(rows)),
        Cut(moment + STEP, moment + 1_000, number, []),
    ]
    value = msgspec.msgpack.encode(Cuts(0, cuts))
    return Batch(0, [number], [moment], [value], [None])


def tally_of(ids: int) -> Tally:
    """Return a tally that remembers *ids* events."""
    tally, load = Tally(0, tally_partitions=4), Load()
    for begin in range(0, ids, CHUNK):
        moment = BEGIN + begin
        now = datetime.fromtimestamp(moment / 1_000, UTC) + timedelta(seconds=1)
        values = [value for _, value in load.take(min(CHUNK, ids - begin), now)]
        offsets = list(range(begin, begin + len(values)))
        times, keys = [moment] * len(values), [None] * len(values)
        tally.fold(Batch(0, offsets, times, values, keys))
        tally.delta()
    return tally


def lines(found: Result) -> list[Line]:
    """Return the table's lines."""
    return [
        Line(
            f"a scope with all its panes, of {found['scopes']:,}",
            f"{found['bytesPerScope']:,} bytes",
        ),
        Line(f"a remembered id, of {found['ids']:,}", f"{found['bytesPerId']:,} bytes"),
    ]
