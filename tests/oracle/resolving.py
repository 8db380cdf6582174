"""People who resolve trips: of those that the oracle expects, some are chosen by chance."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from schemas.governance import ResolutionRecord
from schemas.wire import from_ms
from tests.oracle.counting import count_partition
from tests.oracle.judging import Trip, judge
from tests.oracle.laws import Book, Groupings
from tests.oracle.log import SourceLog, ceil_step

ROUNDS: Final = 4
"""Each round resolves trips that happen only because an earlier one was resolved."""

DELAYS: Final = (1, 100, 150, 1_000, 1_000, 4_900, 4_900, 30_000, 600_000)


def with_resolutions(
    random: Random, logs: tuple[SourceLog, ...], book: Book, *, scope_limit: int
) -> Book:
    """Return *book* with resolutions of some of the trips that it makes."""
    grouped = Groupings(book)
    reports = [
        count_partition(log, grouped=grouped, protected=book.protected, scope_limit=scope_limit)
        for log in logs
    ]
    considered: set[str] = set()
    for _ in range(random.randint(0, ROUNDS)):
        trips = judge(reports, book).trips
        fresh = [trip for trip in trips if trip.id not in considered]
        considered.update(trip.id for trip in fresh)
        book = book.with_resolutions(_chosen(random, fresh))
    return book


def _chosen(random: Random, trips: list[Trip]) -> Iterator[ResolutionRecord]:
    """Yield resolutions of some trips, and now and then one of a trip that never was."""
    for trip in trips:
        if random.random() < 0.75:
            yield _resolution(trip, ceil_step(trip.at + random.choice(DELAYS)))
        elif random.random() < 0.1:
            yield _resolution(trip, trip.at + 300, action_id=trip.id[::-1])


def _resolution(trip: Trip, since: int, *, action_id: str | None = None) -> ResolutionRecord:
    """Return the record by which people close a breaker."""
    return ResolutionRecord(
        action_id=action_id or trip.id,
        rule=trip.law.version.name,
        scope_key=trip.scope,
        effective_from=since,
        resolved_at=from_ms(since - 50),
    )
