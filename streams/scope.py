"""What a judge keeps for one scope: its panes, its breakers, and its newest bad events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from rules.breaker import CLOSED_BREAKER, Breaker, Position
from rules.live import LiveRule
from rules.windows import Baseline, Mark, Panes
from schemas.rules import Action
from schemas.tallies import SAMPLES, Row, SampleClass, dimension_of
from streams.deltas import Kept, Sparse, StoredBaseline, StoredBreaker, Unit


class Scope:
    """The state of one scope at T; everything in it is a function of the log."""

    __slots__ = (
        "baselines", "breakers", "dimension", "due", "has_samples", "is_new", "key", "panes",
        "samples", "touched",
    )  # fmt: skip

    def __init__(self, key: str) -> None:
        self.key = key
        self.dimension = dimension_of(key)
        self.panes = Panes()
        self.breakers: dict[str, Breaker] = {}
        self.baselines: dict[str, Baseline] = {}
        self.samples: dict[SampleClass, deque[Kept]] = {}
        self.touched = 0
        self.due: int | None = None
        self.is_new = True
        self.has_samples = False

    def add(self, row: Row, *, partition: int, at: int) -> None:
        """Apply what a cut of source *partition* adds at step *at*."""
        self.touched = at
        self.has_samples = self.has_samples or bool(row.samples)
        for second, increments in row.panes:
            self.panes.add(second, increments)
        for sample in row.samples:
            kept = self.samples.setdefault(SampleClass(sample.kind), deque(maxlen=SAMPLES))
            kept.append(Kept(at, partition, sample.offset, sample.pane, sample.id))

    def follow(self, rules: Iterable[LiveRule], at: int) -> None:
        """Keep windows and breakers for exactly *rules* from *at* on."""
        rules = list(rules)
        names = {live.name for live in rules}
        for name in self.breakers.keys() - names:
            del self.breakers[name]
        for name in self.baselines.keys() - names:
            del self.baselines[name]
        self.panes.track({live.window for live in rules}, at)

    def breaker(self, rule: str) -> Breaker:
        """Return the breaker of *rule*; closed if nothing happened yet."""
        return self.breakers.get(rule, CLOSED_BREAKER)

    def put(self, rule: str, breaker: Breaker) -> None:
        """Keep *breaker*, unless it is as good as none."""
        if breaker.position is Position.CLOSED:
            self.breakers.pop(rule, None)
        else:
            self.breakers[rule] = breaker

    def counts(self, live: LiveRule) -> Sequence[int]:
        """Return what counts in the window of *live*: only what came after people resolved it."""
        baseline = self.baseline(live)
        if baseline is None:
            return self.panes.counts(live.window)
        return self.panes.counts_since(live.window, baseline)

    def baseline(self, live: LiveRule) -> Baseline | None:
        """Return the mark of the last resolution, while it still cuts something away."""
        baseline = self.baselines.get(live.name)
        total = self.panes.totals[live.window]
        if baseline is not None and baseline.cuts(total.ring, total.edge):
            return baseline
        return None

    def is_idle(self) -> bool:
        """Return whether forgetting this scope would change nothing."""
        return not self.breakers and self.panes.is_empty()

    # ------------------------------------------------------------------------------ storage

    def unit(self, *, full: bool) -> Unit:
        """Return what changed since the last call, or everything."""
        full, self.is_new = full or self.is_new, False
        panes = self.panes.stored(full=full)
        return Unit(
            self.key,
            full,
            self.touched,
            panes,
            [_stored(rule, breaker) for rule, breaker in sorted(self.breakers.items())],
            [_stored_baseline(rule, baseline) for rule, baseline in sorted(self.baselines.items())],
            self._news(full=full),
        )

    def _news(self, *, full: bool) -> list[list[Kept]] | None:
        """Return all samples if there are new ones, else None."""
        changed, self.has_samples = full or self.has_samples, False
        return [list(self.samples.get(kind, ())) for kind in SampleClass] if changed else None

    def join(self, unit: Unit) -> None:
        """Take over what a changelog record says of this scope."""
        if unit.full:
            self.panes = Panes()
        self.is_new = False
        self.touched = unit.touched
        for ring, rows in enumerate(unit.panes):
            self.panes.put(ring, rows)
        self.breakers = {stored.rule: _breaker(stored) for stored in unit.breakers}
        self.baselines = {
            stored.rule: Baseline(stored.at, tuple(_mark(*mark) for mark in stored.marks))
            for stored in unit.baselines
        }
        if unit.samples is not None:
            self.samples = {
                kind: deque(kept, maxlen=SAMPLES)
                for kind, kept in zip(SampleClass, unit.samples, strict=True)
            }


def _stored(rule: str, breaker: Breaker) -> StoredBreaker:
    """Return *breaker* as the changelog keeps it."""
    return StoredBreaker(
        rule,
        breaker.position.value,
        breaker.since,
        breaker.breaching_since,
        breaker.progress,
        breaker.action_id,
        breaker.opened_at,
        breaker.recovered_since,
        breaker.latched,
        breaker.action and breaker.action.value,
    )


def _stored_baseline(rule: str, baseline: Baseline) -> StoredBaseline:
    """Return *baseline* as the changelog keeps it."""
    return StoredBaseline(
        rule,
        baseline.at,
        [(mark.pane, [(pane, list(row)) for pane, row in mark.held]) for mark in baseline.marks],
    )


def _mark(pane: int, held: list[tuple[int, Sparse]]) -> Mark:
    """Return a mark that the changelog kept."""
    return Mark(pane, tuple((index, tuple(row)) for index, row in held))


def _breaker(stored: StoredBreaker) -> Breaker:
    """Return the breaker that `_stored` wrote."""
    return Breaker(
        position=Position(stored.position),
        since=stored.since,
        breaching_since=stored.breaching_since,
        progress=stored.progress,
        action_id=stored.action_id,
        opened_at=stored.opened_at,
        recovered_since=stored.recovered_since,
        latched=stored.latched,
        action=Action(stored.action) if stored.action else None,
    )
