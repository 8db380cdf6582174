"""How good each rule is, from what people found its trips to be: rates with their intervals.

    triggers ─┬─ drills, benign ............. left out: nothing was to be found
              └─ counted ─┬─ true positives   precision = true / (true + false)
                          ├─ false positives  false-positive rate = false / counted
                          └─ not judged yet

A rate over few trips says little; its interval (Wilson, 95 %) says how little. Reports, a rule's
statistics and “Should I adjust this rule?” all show what `quality` says: there is one rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import sqrt
from typing import Final, NamedTuple

from governance.events import Finding
from schemas.wire import Moment, Wire

LEFT_OUT: Final = frozenset({Finding.DRILL, Finding.BENIGN_EXPECTED})
"""What a rule is not judged by: somebody made it trip, or it was meant to."""

RECORD: Final = timedelta(days=90)
"""How far back a rule is judged if nobody says: as long as its events are kept."""

Z: Final = 1.96
"""Standard deviations that hold 95 % of a normal distribution."""


class TripRecord(NamedTuple):
    """What became of one trip, as far as statistics read it.

    ``answered_at`` is when people first acknowledged or resolved it.
    """

    rule: str
    at: datetime
    due_at: datetime
    answered_at: datetime | None
    resolved_at: datetime | None
    finding: Finding | None


class Interval(Wire):
    """Between what the true rate lies, with 95 % confidence; 0..1."""

    low: float
    high: float


class RuleQuality(Wire):
    """One rule over a period; rates are None where nothing was counted below the line.

    ``unclassified`` are trips that were resolved without a verdict. Times are in seconds from
    the trip, on the mean.
    """

    rule: str
    since: Moment
    until: Moment
    triggers: int
    excluded: int
    counted: int
    true_positives: int
    false_positives: int
    duplicates: int
    unclassified: int
    unresolved: int
    false_positive_rate: float | None
    false_positive_interval: Interval | None
    precision: float | None
    precision_interval: Interval | None
    mean_time_to_acknowledge: float | None
    mean_time_to_resolve: float | None


class ResponseTimes(Wire):
    """How people answered a period's trips: in time, late, or not yet.

    ``adherence`` is the share that was answered in time of those that were answered or are
    overdue; None where there are none.
    """

    events: int
    in_time: int
    late: int
    waiting: int
    overdue: int
    adherence: float | None


def qualities(
    names: Iterable[str], trips: Sequence[TripRecord], *, since: datetime, until: datetime
) -> list[RuleQuality]:
    """Return the quality of every rule in *names* or with a trip among *trips*, by name."""
    of: dict[str, list[TripRecord]] = {name: [] for name in names}
    for trip in trips:
        of.setdefault(trip.rule, []).append(trip)
    return [quality(name, of[name], since=since, until=until) for name in sorted(of)]


def quality(
    rule: str, trips: Sequence[TripRecord], *, since: datetime, until: datetime
) -> RuleQuality:
    """Return how good *rule* was, whose trips of the period are *trips*.

    The false-positive rate is the runbook's, false positives in total triggers, without the
    drills and what was expected: a drill a day would make any rule look good.
    """
    counted = [trip for trip in trips if trip.finding not in LEFT_OUT]
    true, false = _found(counted, Finding.TRUE_POSITIVE), _found(counted, Finding.FALSE_POSITIVE)
    resolved = [trip for trip in counted if trip.resolved_at is not None]
    return RuleQuality(
        rule=rule,
        since=since,
        until=until,
        triggers=len(trips),
        excluded=len(trips) - len(counted),
        counted=len(counted),
        true_positives=true,
        false_positives=false,
        duplicates=_found(counted, Finding.DUPLICATE),
        unclassified=sum(trip.finding is None for trip in resolved),
        unresolved=len(counted) - len(resolved),
        false_positive_rate=_share(false, len(counted)),
        false_positive_interval=wilson(false, len(counted)),
        precision=_share(true, true + false),
        precision_interval=wilson(true, true + false),
        mean_time_to_acknowledge=_mean(
            trip.answered_at - trip.at for trip in counted if trip.answered_at
        ),
        mean_time_to_resolve=_mean(
            trip.resolved_at - trip.at for trip in resolved if trip.resolved_at
        ),
    )


def response_times(trips: Sequence[TripRecord], now: datetime) -> ResponseTimes:
    """Return how people answered *trips*, as it stands at *now*."""
    answered = [trip for trip in trips if trip.answered_at is not None]
    in_time = sum(trip.answered_at <= trip.due_at for trip in answered if trip.answered_at)
    open_ = [trip for trip in trips if trip.answered_at is None]
    overdue = sum(trip.due_at < now for trip in open_)
    return ResponseTimes(
        events=len(trips),
        in_time=in_time,
        late=len(answered) - in_time,
        waiting=len(open_) - overdue,
        overdue=overdue,
        adherence=_share(in_time, len(answered) + overdue),
    )


def wilson(hits: int, of: int) -> Interval | None:
    """Return Wilson's score interval of *hits* in *of* at 95 %, or None of nothing.

    E. B. Wilson, 1927: it stays inside 0..1 and holds for few trips and for rates near 0.

    >>> found = wilson(1, 10)
    >>> found and (round(found.low, 3), round(found.high, 3))
    (0.018, 0.404)
    """
    if not of:
        return None
    rate, square = hits / of, Z * Z
    middle = rate + square / (2 * of)
    reach = Z * sqrt(rate * (1 - rate) / of + square / (4 * of * of))
    whole = 1 + square / of
    low = 0.0 if hits == 0 else (middle - reach) / whole
    high = 1.0 if hits == of else (middle + reach) / whole
    return Interval(low=low, high=high)


def _found(trips: Iterable[TripRecord], finding: Finding) -> int:
    """Return how many of *trips* people found to be *finding*."""
    return sum(trip.finding is finding for trip in trips)


def _share(part: int, whole: int) -> float | None:
    """Return a rate, or None over nothing."""
    return part / whole if whole else None


def _mean(lengths: Iterable[timedelta]) -> float | None:
    """Return the mean of *lengths* in seconds, or None of none; none is shorter than nothing."""
    seconds = [max(0.0, length.total_seconds()) for length in lengths]
    return sum(seconds) / len(seconds) if seconds else None
