"""The whole answer of the oracle to one set of logs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schemas.tallies import ID_LIMIT
from tests.oracle.counting import (
    SCOPE_LIMIT,
    Counts,
    DeadLetter,
    PartitionReport,
    count_partition,
    published_counts,
)
from tests.oracle.judging import Joins, Judged, Trip, all_from_the_beginning, judge
from tests.oracle.laws import Book, Groupings
from tests.oracle.log import SourceLog


@dataclass(frozen=True, slots=True)
class Expected:
    """What must have come of the logs."""

    partitions: tuple[PartitionReport, ...]
    counts: Counts
    dead_letters: frozenset[DeadLetter]
    duplicates: int
    judged: Judged

    @property
    def trips(self) -> dict[str, Trip]:
        """The actions that must be published, by id."""
        return {trip.id: trip for trip in self.judged.trips}


def expect(
    logs: Iterable[SourceLog],
    book: Book,
    *,
    scope_limit: int = SCOPE_LIMIT,
    id_limit: int = ID_LIMIT,
    every_step: bool = False,
    joins: Joins = all_from_the_beginning,
) -> Expected:
    """Return what must come of *logs* under *book*, summed from scratch."""
    grouped = Groupings(book)
    reports = tuple(
        count_partition(
            log,
            grouped=grouped,
            protected=book.protected,
            scope_limit=scope_limit,
            id_limit=id_limit,
        )
        for log in logs
    )
    return expected_of(reports, judge(reports, book, every_step=every_step, joins=joins))


def expected_of(reports: Sequence[PartitionReport], judged: Judged) -> Expected:
    """Return the whole answer from its two halves."""
    counts: Counts = {}
    for report in reports:
        counts.update(published_counts(report))
    return Expected(
        partitions=tuple(reports),
        counts=counts,
        dead_letters=frozenset(one for report in reports for one in report.dead_letters),
        duplicates=sum(report.duplicates for report in reports),
        judged=judged,
    )
