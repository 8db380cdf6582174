"""Which breakers must have tripped, when, and on what evidence.

Verdicts of a rule on a scope can change only at a few moments: when something is counted, when
a pane leaves the window, when people change something. Between two such moments the verdict
stands, so the breaker is walked from one to the next, and its deadlines are worked out inside.
`every_step=True` walks all multiples of 100 ms instead; a test holds the two together.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import pairwise

from schemas.actions import action_id
from schemas.tallies import EARLINESS, OVERALL, SAMPLES, STEP, Column, SampleClass
from tests.oracle.conditions import EVIDENCE, Measured, Sum, holds, readings, terms
from tests.oracle.counting import Counted, PartitionReport
from tests.oracle.laws import Book, Law, dimension, length
from tests.oracle.log import ceil_step


@dataclass(frozen=True, slots=True)
class Trip:
    """One action that must be published, with all that can be known of it."""

    id: str
    at: int
    law: Law
    scope: str
    readings: tuple[Measured, ...]
    window_start: int
    mark: int | None
    command_ids: tuple[str, ...]
    upto: dict[int, int]
    first_counted: dict[int, int]
    epoch: int | None

    @property
    def samples(self) -> int:
        """The number of events that the thinnest rate stands on; of counts, the smallest."""
        rates = [one.samples for one in self.readings if one.denominator is not None]
        return min(rates or [one.samples for one in self.readings])


@dataclass(frozen=True, slots=True)
class Judged:
    """All trips at ``first < T <= frontier``; both None while a partition has no cut."""

    first: int | None
    frontier: int | None
    trips: tuple[Trip, ...]


Joins = Callable[[str], Mapping[int, int]]
"""For a scope: the partitions that were added, and from which T (ms) its judge counts each."""


def all_from_the_beginning(_scope: str) -> Mapping[int, int]:
    """Return that no partition was added."""
    return {}


class _Phase(Enum):
    """Where a breaker stands."""

    CLOSED = auto()
    PENDING = auto()
    OPEN = auto()
    RECOVERING = auto()


def judge(
    reports: Sequence[PartitionReport],
    book: Book,
    *,
    every_step: bool = False,
    joins: Joins = all_from_the_beginning,
) -> Judged:
    """Return every trip up to the frontier of the logs."""
    trips: list[Trip] = []
    for scope, events in _by_scope(reports, joins).items():
        span = span_of(reports, joins(scope))
        for name in book.names() if span else ():
            walk = _Walk(book, name, scope, events, reports, *(span or (0, 0)), joins(scope))
            trips.extend(walk.trips(every_step=every_step))
    first, frontier = span_of(reports, joins(OVERALL)) or (None, None)
    return Judged(first, frontier, tuple(sorted(trips, key=lambda trip: (trip.at, trip.id))))


def span_of(
    reports: Sequence[PartitionReport], joined: Mapping[int, int]
) -> tuple[int, int] | None:
    """Return the first T and the last that a judge can have come to, None if to none.

    A partition that was added has no say in the T before it counts.
    """
    firsts = [one.first_cut for one in reports if one.log.partition not in joined]
    lasts = [one.last_cut for one in reports if one.log.partition not in joined]
    if not firsts or None in firsts or None in lasts:
        return None
    added = [one for one in reports if one.log.partition in joined]
    lasts += [max(one.last_cut or 0, joined[one.log.partition] - STEP) for one in added]
    return max(one for one in firsts if one is not None), min(one for one in lasts if one)


def _by_scope(reports: Iterable[PartitionReport], joins: Joins) -> dict[str, list[Counted]]:
    """Return the events of each scope in the order in which judges apply them."""
    scopes: dict[str, list[Counted]] = {}
    for report in reports:
        for event in report.counted:
            for scope in event.scopes:
                step = max(event.step, joins(scope).get(event.partition, 0))
                scopes.setdefault(scope, []).append(event._replace(step=step))
    for events in scopes.values():
        events.sort(key=lambda event: event[:3])
    return scopes


@dataclass(slots=True)
class _Breaker:
    """One rule on one scope, and what it has seen since people last resolved it.

    ``progress`` is how long (ms) the breach has lasted: the time from each evaluation that said
    breach to the next. ``since`` is when it began to recover. ``is_urged`` while a law that does
    more than the one that tripped waits for the breach to last.
    """

    phase: _Phase = _Phase.CLOSED
    progress: int = 0
    since: int = 0
    seen_at: int = 0
    seen_breach: bool = False
    is_urged: bool = False
    trip: Trip | None = None
    mark: int | None = None
    panes: dict[int, dict[Column, int]] = field(default_factory=dict)

    def evaluate(self, law: Law, at: int, *, breach: bool | None, well: bool | None) -> bool:
        """Move by what is known at *at*; return whether the breaker opens now."""
        if self.seen_breach:
            self.progress += at - self.seen_at
        self.seen_at, self.seen_breach = at, breach is True
        if self.phase is _Phase.CLOSED and breach:
            self.phase, self.progress = _Phase.PENDING, 0
        if self.phase is _Phase.PENDING:
            return self._wait(law, breach)
        if self.trip is not None and not self.trip.law.rule.action.latches:
            self._recover(law, at, well)
        return self._urge(law, breach)

    def _urge(self, law: Law, breach: bool | None) -> bool:
        """Open once more for a law that does more, when it has seen the breach last."""
        is_harder = self.trip is not None and _harshness(law) > _harshness(self.trip.law)
        if self.phase is not _Phase.OPEN or not is_harder or breach is False:
            self.is_urged = False
        elif breach and not self.is_urged:
            self.is_urged, self.progress = True, 0
        acts = self.is_urged and breach is True and self.progress >= length(law.rule.for_)
        self.is_urged = self.is_urged and not acts
        return acts

    def _wait(self, law: Law, breach: bool | None) -> bool:
        """Open when the breach has lasted long enough; close as soon as it is over."""
        if breach is False:
            self.phase = _Phase.CLOSED
        if breach and self.progress >= length(law.rule.for_):
            self.phase = _Phase.OPEN
        return self.phase is _Phase.OPEN

    def _recover(self, law: Law, at: int, well: bool | None) -> None:
        """Close when all has been well for long enough; start again when it is not."""
        if self.phase is _Phase.OPEN and well:
            self.phase, self.since = _Phase.RECOVERING, at
        if self.phase is _Phase.RECOVERING and well is False:
            self.phase = _Phase.OPEN
        if self.phase is _Phase.RECOVERING and well and at >= self.since + _keep(law):
            self.phase, self.trip = _Phase.CLOSED, None

    def next_move(self, law: Law, at: int, *, breach: bool | None, well: bool | None) -> int | None:
        """Return when the breaker moves again if what is known at *at* stays so."""
        latched = self.trip is not None and self.trip.law.rule.action.latches
        if breach and (self.phase is _Phase.PENDING or self.is_urged):
            return ceil_step(at + length(law.rule.for_) - self.progress)
        if self.phase is _Phase.RECOVERING and well:
            return ceil_step(self.since + _keep(law))
        if self.phase is _Phase.CLOSED and breach:
            return at + STEP
        return at + STEP if self.phase is _Phase.OPEN and well and not latched else None


def _harshness(law: Law) -> int:
    """Return how much autonomy a law takes: nothing, a command type's, all of it."""
    return ["alert_only", "pause_command_type", "revert_to_l3"].index(law.rule.action.value)


def _keep(law: Law) -> int:
    """Return how long all must have been well before an alert closes (ms)."""
    return length(law.rule.keep_firing_for)


class _Walk:
    """The life of one breaker."""

    def __init__(
        self,
        book: Book,
        name: str,
        scope: str,
        events: list[Counted],
        reports: Sequence[PartitionReport],
        first: int,
        frontier: int,
        joined: Mapping[int, int],
    ) -> None:
        self.book = book
        self.scope = scope
        self.events = events
        self.steps = [event.step for event in events]
        self.reports = reports
        self.joined = joined
        self.first, self.frontier = first, frontier
        mine = dimension(scope)
        self.laws = [(law, law.is_judged and law.dimension == mine) for law in book.versions(name)]
        self.resolutions = [
            one for one in book.resolutions if one.rule == name and one.scope_key == scope
        ]
        self.bad = [event for event in events if event.sample is not None]
        self.breaker = _Breaker()
        self.taken = 0

    def trips(self, *, every_step: bool) -> Iterator[Trip]:
        """Yield the trips of this breaker in order of time."""
        if not any(judged for _, judged in self.laws):
            return
        moments = self._every_step() if every_step else self._moments()
        for at, until in pairwise([*moments, self.frontier + STEP]):
            law = self._law(at)
            if law is None:
                self.breaker, self.taken = _Breaker(), 0
                continue
            self._resolve(at)
            self._apply(at)
            yield from self._advance(law, at, until)

    def _moments(self) -> list[int]:
        """Return the moments at which anything about this breaker can change."""
        changes = {self.first + STEP, *self.steps}
        panes = {event.pane for event in self.events}
        for law, judged in self.laws:
            changes.add(law.version.effective_from)
            if judged:
                changes.update(law.window.leaves(pane * 1000) for pane in panes)
        changes.update(one.effective_from for one in self.resolutions)
        born = max(self.steps[0], self.first + STEP)
        return sorted({max(ceil_step(at), born) for at in changes if at <= self.frontier})

    def _every_step(self) -> Iterable[int]:
        """Return all multiples of a step from the scope's first event to the frontier."""
        return range(max(self.steps[0], self.first + STEP), self.frontier + 1, STEP)

    def _law(self, at: int) -> Law | None:
        """Return the version in force at *at* if it is judged on this scope."""
        past = [pair for pair in self.laws if pair[0].version.effective_from <= at]
        law, judged = past[-1] if past else (None, False)
        return law if judged else None

    def _resolve(self, at: int) -> None:
        """Close the breaker if people resolved this very trip, and count afresh."""
        trip = self.breaker.trip
        for one in self.resolutions:
            mark = one.effective_from
            if trip is not None and one.action_id == trip.id and trip.at < mark <= at:
                self.breaker = _Breaker(mark=mark)
                self.taken = bisect_left(self.steps, mark)

    def _apply(self, at: int) -> None:
        """Count everything that is judged by *at*."""
        while self.taken < len(self.events) and self.steps[self.taken] <= at:
            event = self.events[self.taken]
            pane = self.breaker.panes.setdefault(event.pane, {})
            for column in event.columns:
                pane[column] = pane.get(column, 0) + 1
            self.taken += 1

    def _advance(self, law: Law, at: int, until: int) -> Iterator[Trip]:
        """Move the breaker through ``[at, until)``, in which nothing changes but the time."""
        total = self._sum(law, at)
        assert law.tree is not None
        breach = holds(law.tree, total, law.rule.min_samples)
        well = None if breach is None else not breach
        if law.recovery is not None:
            well = holds(law.recovery, total, law.rule.min_samples)
        moment: int | None = at
        while moment is not None and moment < until:
            if self.breaker.evaluate(law, moment, breach=breach, well=well):
                self.breaker.trip = self._trip(law, moment, tuple(readings(law.tree, total)))
                yield self.breaker.trip
            moment = self.breaker.next_move(law, moment, breach=breach, well=well)

    def _sum(self, law: Law, at: int) -> Sum:
        """Return what adds up columns over the window that ends at *at*."""
        oldest, size = self._oldest(law, at), law.window.pane
        panes = self.breaker.panes.items()
        inside = [counts for pane, counts in panes if pane * 1000 // size >= oldest]
        return lambda columns: sum(counts.get(column, 0) for counts in inside for column in columns)

    def _oldest(self, law: Law, at: int) -> int:
        """Return the number of the oldest pane that counts at *at*."""
        oldest = law.window.oldest(at)
        mark = self.breaker.mark
        return oldest if mark is None else max(oldest, mark // law.window.pane)

    def _trip(self, law: Law, at: int, found: tuple[Measured, ...]) -> Trip:
        """Return the trip at *at* with its evidence."""
        version, rule = law.version, law.rule
        return Trip(
            id=action_id(version.name, version.version, self.scope, at, rule.action),
            at=at,
            law=law,
            scope=self.scope,
            readings=found,
            window_start=law.window.start(at),
            mark=self.breaker.mark,
            command_ids=self._command_ids(law, at),
            upto={
                report.log.partition: _first_at(report, at)
                for report in self.reports
                if self._counts(report, at)
            },
            first_counted=self._first_counted(law, at),
            epoch=self.book.epoch(at),
        )

    def _counts(self, report: PartitionReport, at: int) -> bool:
        """Return whether anything of a partition was counted, or found empty, by *at*."""
        begins = report.first_cut
        return begins is not None and begins < at and self.joined.get(report.log.partition, 0) <= at

    def _command_ids(self, law: Law, at: int) -> tuple[str, ...]:
        """Return the newest bad events of the kinds that the condition looks at."""
        assert law.tree is not None
        past = [event for event in self.bad if event.step <= at]
        classes = {EVIDENCE[term.metric] for term in terms(law.tree) if term.metric in EVIDENCE}
        kept = [event for kind in classes for event in _newest(past, kind)]
        inside = sorted(
            (event for event in kept if self._is_inside(event, law, at)),
            key=lambda event: event[:3],
        )
        return tuple(event.sample[1] for event in inside[-SAMPLES:] if event.sample)

    def _is_inside(self, event: Counted, law: Law, at: int) -> bool:
        """Return whether an event is inside the window, and after the mark."""
        if self.breaker.mark is not None and event.step < self.breaker.mark:
            return False
        return event.pane * 1000 // law.window.pane >= self._oldest(law, at)

    def _first_counted(self, law: Law, at: int) -> dict[int, int]:
        """Return the offset of the first event of each partition that counted."""
        first: dict[int, int] = {}
        sooner = bisect_left(self.steps, law.window.start(at) - EARLINESS)
        for index in range(sooner, bisect_right(self.steps, at)):
            event = self.events[index]
            if event.partition not in first and self._is_inside(event, law, at):
                first[event.partition] = event.offset
                if len(first) == len(self.reports):
                    break
        return first


def _newest(events: Sequence[Counted], kind: SampleClass) -> list[Counted]:
    """Return the newest bad events of one kind, wherever they lie in time."""
    return [event for event in events if event.sample and event.sample[0] is kind][-SAMPLES:]


def _first_at(report: PartitionReport, at: int) -> int:
    """Return the offset of the first record whose clock is at or past *at*."""
    return report.log.records[bisect_left(report.clocks, at)].offset
