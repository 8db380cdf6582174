"""Judge: tallies in, breaker actions out, decided at moments that the log itself names.

    cuts of partition 0  ──┤──┤──┤──┤──┤──►         frontier = the least of them
    cuts of partition 1  ──┤──┤──┤──►                 │
    cuts of partition 2  ──┤──┤──┤──┤──►              ▼
                              T ─► T + 100 ms ─► ... as far as every partition has come

T (a multiple of 100 ms of append time) is judged once every source partition has published cut
T: the rows before T are applied, in an order that the log fixes, and every scope that they
touched, or whose windows moved, is evaluated. So the same log gives the same actions, however
the tallies of different partitions happened to meet. Rows of partitions that are ahead wait.

Nothing is evaluated that cannot have changed: between two touched moments T jumps.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from rules.breaker import CLOSED_BREAKER, advance, due, resolve
from rules.live import LiveRule
from rules.verdict import Verdict
from schemas.actions import BreakerAction
from schemas.tallies import STEP, Cuts
from schemas.topics import BREAKER_ACTIONS, COMMAND_EVENTS
from streams.batch import Batch, Gap, Output
from streams.deltas import FROM_THE_BEGINNING, JudgeDelta
from streams.evidence import action_of
from streams.merge import Merge
from streams.rulebook import Entry, Rulebook
from streams.scope import Scope
from streams.trail import Trail

ROUND: Final = 120
"""Flushes in which every scope is written out once in full, a share of them at a time."""

SCOPES: Final = 20_000
"""Scopes that one judge keeps at most; beyond, those silent for longest are forgotten."""

MOST_SOURCES: Final = 100_000
"""Partitions that a source may have at most: what names more is not ours."""

_decode: Final = msgspec.msgpack.Decoder(Cuts).decode


@dataclass(frozen=True, slots=True, order=True)
class Resolution:
    """People resolved the trip ``action_id``; from ``effective_from`` its breaker starts afresh."""

    action_id: str
    rule: str
    scope_key: str
    effective_from: int


class Judge:
    """The windows and breakers of the scopes of one tallies partition, judged up to ``at``."""

    def __init__(
        self,
        partition: int,
        *,
        source_partitions: int,
        homes: int | None = None,
        pos: int = 0,
        topic: str = COMMAND_EVENTS.name,
    ) -> None:
        self.partition = partition
        self.topic = topic
        self.homes = homes
        self.pos = pos
        self.at = 0
        self.first: int | None = None
        self.scopes: dict[str, Scope] = {}
        self.trails: dict[int, Trail] = {}
        self.adopted: dict[str, int] = {}
        self.late: dict[str, int] = {}
        self.in_force: dict[str, int] = {}
        self.lacking: dict[str, int] = {}
        self.is_restored = False
        self.busy_at = 0
        self.unreadable: list[tuple[int, str]] = []
        self._is_ready = False
        self._merge = Merge(source_partitions)
        self._due: list[tuple[int, str]] = []
        self._trusted: int | None = None
        self._hold: int | None = None
        self._hold_in: JudgeDelta | None = None
        self._rulebook = Rulebook()
        self._rules: dict[str, list[LiveRule]] = {}
        self._rules_change: int | None = None
        self._resolutions: list[tuple[int, Resolution]] = []
        self._epochs: dict[int, int] = {}
        self._taken = 0
        self._dropped: set[str] = set()
        self._changed: set[str] = set()
        self._turn: deque[str] = deque()
        self._share = 0
        self._round_starts = [FROM_THE_BEGINNING, FROM_THE_BEGINNING]
        self._began_in: JudgeDelta | None = None
        self._whole: set[str] = set()
        self._total = 0

    # ------------------------------------------------------------------------------- fold

    def fold(self, batch: Batch) -> list[Output]:
        """Take the tallies of *batch* from ``pos`` on; return the actions that follow.

        Raises:
            Gap: the batch starts above ``pos``; nothing was changed.
            Hole: the tallies lack a cut, or contradict what was judged.
        """
        if batch.end <= self.pos:
            return []
        if batch.start > self.pos:
            raise Gap(self.pos, batch.start)
        for offset, value in zip(batch.offsets, batch.values, strict=True):
            if offset >= self.pos and value and (cuts := self._read(value, offset)) is not None:
                self._merge.take(cuts, offset)
        self.pos = batch.end
        return self.advance()

    def _read(self, value: bytes, offset: int) -> Cuts | None:
        """Return the cuts in a record; None if it is none of ours, which changes nothing.

        Were one of our own damaged, the cut after it would not fit: that is a `Hole`.
        """
        try:
            cuts = _decode(value)
            if not 0 <= cuts.partition < MOST_SOURCES:
                raise msgspec.ValidationError(f"no topic has a partition {cuts.partition}")
        except msgspec.DecodeError as problem:
            self.unreadable.append((offset, str(problem)))
            return None
        return cuts

    @property
    def resume(self) -> int:
        """Return the offset from which tallies must be read again to rebuild what waits."""
        return self._merge.oldest_offset(self.pos)

    @property
    def frontier(self) -> int | None:
        """Return the T up to which every source partition has published its cuts."""
        return self._merge.frontier

    @property
    def rules(self) -> int:
        """Return by how many rules this judges: those that are enabled and in force."""
        return sum(map(len, self._rules.values()))

    @property
    def seen(self) -> int:
        """Return the latest moment (ms) of the log's clock that any tally told of."""
        return self._merge.seen

    def advance(self) -> list[Output]:
        """Judge every T that can be judged; return the actions, in order of T."""
        frontier = self.frontier
        if frontier is None or self.lacking:
            return []
        if self.first is None:
            self.first = self._merge.first
        limit = min(
            frontier,
            frontier if self._hold is None else self._hold - STEP,
            frontier if self._trusted is None else self._trusted,
        )
        outputs: list[Output] = []
        while (at := self._next(limit)) is not None:
            outputs += self._step(at)
        self.at = max(self.at, limit)
        return outputs

    def _next(self, limit: int) -> int | None:
        """Return the next T, not above *limit*, at which anything can change."""
        step = self._merge.next_step
        moments = [] if step is None else [step]
        if self._due:
            moments.append(self._due[0][0])
        if self._rules_change is not None:
            moments.append(-(self._rules_change // -STEP) * STEP)
        if self._resolutions:
            moments.append(-(self._resolutions[0][0] // -STEP) * STEP)
        at = min(moments, default=None)
        return None if at is None or at > limit else at

    def _step(self, at: int) -> list[Output]:
        """Bring everything to *at* and evaluate what that may have changed."""
        self.at = max(self.at, at)
        stale: set[str] = set()
        if self._rules_change is not None and self._rules_change <= at:
            stale.update(self._adopt(at))
        while self._resolutions and self._resolutions[0][0] <= at:
            stale.update(self._resolve(heapq.heappop(self._resolutions)[1], at))
        stale.update(self._apply(at))
        while self._due and self._due[0][0] <= at:
            moment, key = heapq.heappop(self._due)
            if key in self.scopes and self.scopes[key].due == moment:
                stale.add(key)
        assert self.first is not None  # noqa: S101 - advance() has set it
        if at <= self.first:
            self._put_off(stale, self.first + STEP)
            return []
        keys = sorted(stale & self.scopes.keys())
        return [self._output(action) for key in keys for action in self._judge(key, at)]

    def _put_off(self, keys: Iterable[str], due_at: int) -> None:
        """Evaluate *keys* at *due_at*, whatever happens until then."""
        for key in keys:
            self._schedule(self.scopes[key], due_at)

    def _apply(self, at: int) -> list[str]:
        """Apply the rows that came before *at*; return the scopes that they touch."""
        touched: dict[str, None] = {}
        for source, cut in self._merge.ready(at):
            self._trail(source).pass_cut(cut)
            if cut.events:
                self.busy_at = at
            for row in cut.rows:
                scope = self.scopes.get(row.scope) or self._new_scope(row.scope, at)
                if row.scope not in touched:
                    scope.panes.slide(at)
                    touched[row.scope] = None
                scope.add(row, partition=source, at=at)
        self._changed.update(touched)
        return list(touched)

    def _trail(self, source: int) -> Trail:
        """Return the offset index of a source partition."""
        if source not in self.trails:
            self.trails[source] = Trail(source)
        return self.trails[source]

    def _new_scope(self, key: str, at: int) -> Scope:
        """Begin to keep a scope, with the rules that are in force for it."""
        if len(self.scopes) >= SCOPES:
            self._forget_silent()
        scope = self.scopes[key] = Scope(key)
        scope.follow(self._rules.get(scope.dimension, ()), at)
        self._dropped.discard(key)
        return scope

    def _forget_silent(self) -> None:
        """Forget the tenth of the scopes that has been silent for longest and has no breaker."""
        closed = (scope for scope in self.scopes.values() if not scope.breakers)
        for scope in heapq.nsmallest(SCOPES // 10, closed, key=lambda s: (s.touched, s.key)):
            self._drop(scope.key)

    def _drop(self, key: str) -> None:
        """Forget a scope, and remember that it was."""
        del self.scopes[key]
        self._dropped.add(key)

    # ---------------------------------------------------------------------------- evaluate

    def _judge(self, key: str, at: int) -> list[BreakerAction]:
        """Evaluate every rule on one scope; return the actions of the breakers that open."""
        scope = self.scopes[key]
        scope.panes.slide(at)
        actions = []
        for live in self._rules.get(scope.dimension, ()):
            action = self._evaluate(live, scope, at)
            if action is not None:
                actions.append(action)
        if scope.is_idle():
            self._drop(key)
        else:
            self._schedule(scope, self._due_of(scope, at))
        return actions

    def _evaluate(self, live: LiveRule, scope: Scope, at: int) -> BreakerAction | None:
        """Move one breaker by what its rule says at *at*; return its action if it opens."""
        counts = scope.counts(live)
        verdict = live.verdict(counts)
        before = scope.breaker(live.name)
        if before is CLOSED_BREAKER and verdict is not Verdict.BREACH:
            return None
        recovery = live.recovery(counts, verdict)
        after, tripped = advance(before, verdict, recovery, at=at, live=live, scope=scope.key)
        if after is not before:
            scope.put(live.name, after)
            self._changed.add(scope.key)
        if not tripped or after.action_id is None:
            return None
        return action_of(
            live,
            scope,
            at=at,
            action_id=after.action_id,
            trails=self.trails,
            topic=self.topic,
            epoch=self._epoch(at),
        )

    def _due_of(self, scope: Scope, at: int) -> int | None:
        """Return when *scope* must be evaluated again though nothing touches it."""
        breakers = scope.breakers
        rules = self._rules.get(scope.dimension, ())
        moments = [due(breakers[live.name], live) for live in rules if live.name in breakers]
        moments.append(scope.panes.moves_at())
        later = [max(moment, at + STEP) for moment in moments if moment is not None]
        return min(later, default=scope.panes.expires_at())

    def _schedule(self, scope: Scope, due_at: int | None) -> None:
        """Put *scope* on the agenda, unless it is there already for that moment."""
        if due_at is not None and scope.due != due_at:
            heapq.heappush(self._due, (due_at, scope.key))
        scope.due = due_at

    def _epoch(self, at: int) -> int | None:
        """Return the autonomy epoch in force at *at*, None before the first."""
        return max((e for e, begin in self._epochs.items() if begin <= at), default=None)

    @staticmethod
    def _output(action: BreakerAction) -> Output:
        """Return the record of *action*."""
        return Output(BREAKER_ACTIONS.name, action.to_bytes(), 0, action.scope_key.encode())

    # ------------------------------------------------------------------ rules, resolutions

    def learn(
        self,
        entries: Iterable[Entry] = (),
        resolutions: Iterable[Resolution] = (),
        epochs: Iterable[tuple[int, int]] = (),
        *,
        unusable: Iterable[tuple[str, int]] = (),
    ) -> None:
        """Hear of rules, resolutions and ``(epoch, effective from)``; each counts from its T.

        What is heard of after its T has been judged takes effect at the next T, and nothing is
        judged from there on until `stored` has been told that a delta with that fact is safe.
        A restored judge that has not heard again of a rule it judged by stands still until it has
        (``lacking``): without that rule it would forget the open breakers that the rule holds.
        """
        self._epochs.update(epochs)
        self._rulebook.learn(entries)
        self._rulebook.note_unusable(unusable)
        if self.first is None:
            self._rules_change = 0
        else:
            self._hear_rules()
        for resolution in resolutions:
            self._hear(resolution)

    def _hear_rules(self) -> None:
        """Put rule changes on the agenda; after a recovery, take up those in force."""
        self.lacking = self._rulebook.lacking(self.adopted)
        if self.lacking:
            return
        for entry in self._rulebook.missed(self.at, self.adopted, self.late):
            self.late[entry.key] = self._hold_next()
        self._rules_change = self._rulebook.next_change(self.at, self.late)
        if self.is_restored and not self._is_ready:
            self._is_ready = True
            self._use(self._rulebook.in_force(self.at, self.late).values(), self.at)
            self._put_off(self.scopes, self.at + STEP)

    def _hear(self, resolution: Resolution) -> None:
        """Put *resolution* on the agenda; one whose time has passed waits for the next T."""
        moment = resolution.effective_from
        if self.first is not None and moment <= self.at:
            scope = self.scopes.get(resolution.scope_key)
            if scope is None or scope.breaker(resolution.rule).action_id != resolution.action_id:
                return
            key = f"resolution/{resolution.action_id}"
            moment = self.late.get(key) or self._hold_next()
            self.late[key] = moment
        heapq.heappush(self._resolutions, (moment, resolution))

    def trust(self, upto: int) -> None:
        """Hear that all that takes effect by *upto* has been told; judge no T beyond it.

        Without this a worker that was stopped and wakes up could judge new tallies by old rules.
        Until it is called for the first time, `learn` is taken to know everything.
        """
        self._trusted = upto if self._trusted is None else max(self._trusted, upto)

    def _hold_next(self) -> int:
        """Hold judging back before the next T; return that T."""
        self._hold = self.at + STEP
        self._hold_in = None
        return self._hold

    def _adopt(self, at: int) -> list[str]:
        """Take the rules in force at *at*; return all scopes, as any may be judged anew."""
        force = self._rulebook.in_force(at, self.late)
        self.adopted = {entry.name: entry.version for entry in force.values()}
        self._rules_change = self._rulebook.next_change(at, self.late)
        self._use(force.values(), at)
        self._changed.update(self.scopes)
        return list(self.scopes)

    def _use(self, entries: Iterable[Entry], at: int) -> None:
        """Let every scope follow exactly the rules of *entries*."""
        self._rules, self.in_force = {}, {}
        for entry in sorted(entries, key=lambda entry: entry.name):
            self.in_force[entry.name] = entry.version
            if entry.live is not None:
                self._rules.setdefault(entry.live.dimension, []).append(entry.live)
        for scope in self.scopes.values():
            scope.follow(self._rules.get(scope.dimension, ()), at)

    def _resolve(self, resolution: Resolution, at: int) -> list[str]:
        """Close the breaker that people resolved: from *at* on only what comes then counts."""
        self.late.pop(f"resolution/{resolution.action_id}", None)
        scope = self.scopes.get(resolution.scope_key)
        if scope is None or scope.breaker(resolution.rule).action_id != resolution.action_id:
            return []
        for live in self._rules.get(scope.dimension, ()):
            if live.name == resolution.rule:
                scope.put(live.name, resolve(scope.breaker(live.name), at=at))
                scope.baselines[live.name] = scope.panes.baseline(at)
                self._changed.add(scope.key)
        return [scope.key]

    # ----------------------------------------------------------------------------- storage

    def delta(self) -> JudgeDelta | None:
        """Return what changed since the last call, or None if nothing did."""
        must_store = self._hold is not None and self._hold_in is None
        if self.first is None or (self.at == self._taken and not must_store):
            return None
        begins = not self._turn
        if begins:
            self._turn.extend(sorted(self.scopes))
            self._share = -(len(self._turn) // -ROUND)
        full = {self._turn.popleft() for _ in range(min(self._share, len(self._turn)))}
        changed = sorted((self._changed | full) & self.scopes.keys())
        delta = JudgeDelta(
            self._taken,
            self.at,
            self._round_starts[0],
            self.resume,
            self.first,
            dict(self._merge.applied),
            dict(self.adopted),
            dict(self.late),
            [self.scopes[key].unit(full=key in full) for key in changed],
            [trail.changes(full=begins) for _, trail in sorted(self.trails.items())],
            sorted(self._dropped),
            len(self.scopes),
            self._merge.sources,
            self._merge.forget_joins(self.at),
            self.homes,
        )
        self._taken, self._changed, self._dropped = self.at, set(), set()
        self._began_in = delta if begins else self._began_in
        self._hold_in = delta if must_store else self._hold_in
        return delta

    def stored(self, delta: JudgeDelta, offset: int) -> None:
        """Hear that *delta* lies in the changelog at *offset*; `advance` may then go on."""
        if delta is self._began_in:
            self._round_starts = [self._round_starts[1], offset]
            self._began_in = None
        if delta is self._hold_in:
            self._hold, self._hold_in = None, None

    def apply(self, delta: JudgeDelta, offset: int) -> None:
        """Join the changelog record at *offset*; one that says nothing new changes nothing.

        Raises:
            Gap: a record before it is missing.
        """
        if self.is_restored and delta.pos <= self.at:
            self.late = {**delta.late, **self.late}
            return
        if self.is_restored and delta.frm > self.at:
            raise Gap(self.at, delta.frm)
        if not self.is_restored:
            self._round_starts = [offset, offset]
            self.is_restored = True
        self.at = self._taken = delta.pos
        self.pos, self.first, self._total = delta.resume, delta.first, delta.total
        self._merge.restore(delta.applied, delta.sources, delta.joins)
        self.adopted, self.late = dict(delta.adopted), dict(delta.late)
        self._join(delta)

    def _join(self, delta: JudgeDelta) -> None:
        """Take over the scopes and offset indexes of a changelog record."""
        for key in delta.dropped:
            self.scopes.pop(key, None)
            self._whole.discard(key)
        for unit in delta.units:
            if unit.full:
                self._whole.add(unit.key)
            self.scopes.setdefault(unit.key, Scope(unit.key)).join(unit)
        for stored in delta.trails:
            if stored.full:
                self._whole.add(f"@{stored.partition}")
            self._trail(stored.partition).join(stored)

    def is_complete(self) -> bool:
        """Return whether the records joined so far hold all that is still kept."""
        trails = {f"@{source}" for source in self.trails}
        return len(self.scopes) == self._total and self._whole >= self.scopes.keys() | trails
