"""One partition of a stage, crashed and doubled: the tests' stand-in for workers.

Every step of every replica is one draw: fold a batch of any size, deliver some of what was
handed over, take a delta, write it, commit. A crash may come between any two of them, and takes
along what was not written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from typing_extensions import override

from streams.batch import Batch, Gap, Output
from streams.deltas import JudgeDelta, TallyDelta, decode_judge, decode_tally, encode
from streams.judge import Judge
from streams.tally import Tally

if TYPE_CHECKING:
    from tests.oracle.world import World

Source = Sequence[tuple[int, bytes | None] | None]

LATE_HINTS: Final = 5
"""So many of the last hints must still be good when a changelog is trimmed."""

BIGGEST_BATCHES: Final = (1, 3, 10, 60)
FOR_EVER: Final = 10**15
LEADS: Final = (0, 1_500, 60_000, FOR_EVER)
"""How long before it takes effect a worker may have heard of a change (ms of log time)."""

LAGS: Final = (-60_000, -5_000, -1_000, -100, 0, 0, 1_500)
"""The same for a judge that knows how far it can trust what it has heard."""


@dataclass(slots=True)
class Habits:
    """How workers behave; the planted faults are bad habits."""

    tally: type[Tally] = Tally
    judge: type[Judge] = Judge
    awaits_outputs: bool = True
    commits_ahead: bool = False
    recovers: bool = True
    widens: bool = False


@dataclass(slots=True)
class Replica:
    """One life of one part: its state, and what it handed over that has not arrived.

    A replica that ``knows_its_limits`` hears of changes late, and says so to its judge.
    """

    state: Any
    read_at: int
    knows_its_limits: bool = False
    heard: int = -1
    outbox: deque[Output] = field(default_factory=deque)
    handed: int = 0
    delivered: int = 0
    flushing: Flush | None = None

    def hand_over(self, outputs: Iterable[Output]) -> None:
        """Give outputs to the producer, which keeps their order."""
        for output in outputs:
            self.outbox.append(output)
            self.handed += 1


@dataclass(slots=True)
class Flush:
    """A flush under way: the delta was taken when ``upto`` outputs had been handed over."""

    delta: Any
    upto: int
    covered: int
    offset: int | None = None


class Part:
    """One partition of a stage, with all its replicas, dead and alive."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.changelog: list[bytes] = []
        self.kept_from = 0
        self.committed = 0
        self.replicas: list[Replica] = []
        self.replicas.append(self.recovered())

    def source(self) -> Source:
        """Return (time, value) of each record of the source by offset, None for no record."""
        raise NotImplementedError

    def fresh(self, pos: int = 0) -> Any:
        """Return a state that knows nothing."""
        raise NotImplementedError

    def decode(self, value: bytes) -> Any:
        """Return a record of the changelog."""
        raise NotImplementedError

    def resume(self, state: Any) -> int:
        """Return where a replica must read on after recovery."""
        raise NotImplementedError

    def tell(self, state: Any, since: int, upto: int) -> None:
        """Tell *state* of the changes that take effect in ``(since, upto]``."""
        raise NotImplementedError

    def advance(self, state: Any) -> list[Output]:
        """Return what a state does once a delta is safe."""
        raise NotImplementedError

    def reached(self, state: Any, stop: int) -> int:
        """Return the latest log time (ms) that a state may have seen, or sees before *stop*."""
        times = (one[0] for one in self.source()[: max(stop, state.pos)] if one)
        return max(times, default=0)

    def recovered(self) -> Replica:
        """Return a new owner, that has joined what lies in the changelog."""
        random = self.world.random
        state = self.joined() if self.world.habits.recovers else self.fresh(self.committed)
        if self.world.habits.commits_ahead and self.committed > state.pos:
            state.pos = self.committed
        resume = self.resume(state)
        knows = random.random() < 0.5
        if not self.world.habits.recovers:
            return Replica(state, self.committed, knows)
        starts = (resume, resume, min(self.committed, resume), 0)
        return Replica(state, random.choice(starts), knows)

    def joined(self) -> Any:
        """Return the state that the changelog holds; the hint first, then from the beginning."""
        hint = self.decode(self.changelog[-1]).start if self.changelog else 0
        state = self.joined_from(max(hint, self.kept_from))
        return self.joined_from(self.kept_from) if state is None else state

    def joined_from(self, start: int) -> Any | None:
        """Return the state joined from an offset, None if something is missing."""
        state = self.fresh()
        try:
            for offset in range(start, len(self.changelog)):
                state.apply(self.decode(self.changelog[offset]), offset)
        except Gap:
            assert start > self.kept_from, "a gap although the changelog was read as a whole"
            return None
        if not state.is_complete():
            assert start > self.kept_from, "incomplete although the changelog was read as a whole"
            return None
        return state

    def trim(self) -> None:
        """The broker deletes the beginning of the changelog, which no late hint needs."""
        hints = [self.decode(value).start for value in self.changelog[-LATE_HINTS:]]
        self.kept_from = max(self.kept_from, min(hints, default=0))

    def step(self, replica: Replica) -> None:
        """Let one thing happen to *replica*."""
        kind = self.world.random.random()
        if kind < 0.4:
            self.fold(replica)
        elif kind < 0.75:
            self.deliver(replica)
        else:
            self.flush(replica)

    def fold(self, replica: Replica) -> None:
        """Fold the next batch, of any size; now and then it starts somewhere else."""
        random, source = self.world.random, self.source()
        if random.random() < 0.05:
            replica.read_at = random.randrange(len(source) + 1)
        size = random.randint(1, random.choice(BIGGEST_BATCHES))
        start, stop = replica.read_at, min(replica.read_at + size, len(source))
        if start >= stop:
            return
        batch = _batch(self.number, source, start, stop)
        self.hear(replica, self.reached(replica.state, stop))
        try:
            replica.hand_over(replica.state.fold(batch))
        except Gap:
            replica.read_at = replica.state.pos
            return
        replica.read_at = stop
        if self.world.habits.commits_ahead and replica is self.replicas[-1]:
            self.committed = max(self.committed, stop)

    def hear(self, replica: Replica, reached: int) -> None:
        """Tell of all that takes effect before *reached*, and a little more; some of it twice."""
        upto = reached + self.world.random.choice(LEADS)
        if upto > replica.heard:
            since = -1 if self.world.random.random() < 0.1 else replica.heard
            self.tell(replica.state, since, upto)
            replica.heard = upto

    def deliver(self, replica: Replica) -> None:
        """Let some of what was handed over arrive."""
        for _ in range(self.world.random.randint(1, 8)):
            if replica.outbox:
                self.world.receive(replica.outbox.popleft())
                replica.delivered += 1

    def flush(self, replica: Replica) -> None:
        """Do the next step of a flush: take a delta; write it; call it stored and commit."""
        flush = replica.flushing
        if flush is None:
            covered = self.resume(replica.state)
            delta = replica.state.delta()
            if delta is not None:
                replica.flushing = Flush(delta, replica.handed, covered)
        elif flush.offset is None:
            if replica.delivered >= flush.upto or not self.world.habits.awaits_outputs:
                flush.offset = len(self.changelog)
                self.changelog.append(encode(flush.delta))
        else:
            replica.flushing = None
            replica.state.stored(flush.delta, flush.offset)
            replica.hand_over(self.advance(replica.state))
            if replica is self.replicas[-1]:
                self.committed = flush.covered

    def crash(self) -> None:
        """The owner dies; a new one recovers."""
        self.replicas[-1] = self.recovered()

    def freeze(self) -> None:
        """The owner stops without dying; another one takes over."""
        self.replicas.append(self.recovered())

    def bury(self) -> None:
        """The eldest zombie dies at last."""
        if len(self.replicas) > 1:
            del self.replicas[0]

    def hear_all(self, replica: Replica) -> None:
        """Tell of everything that there is."""
        self.tell(replica.state, replica.heard, FOR_EVER)
        replica.heard = FOR_EVER

    def settle(self) -> bool:
        """Let the owner do all that can still be done; return whether anything was."""
        self.hear_all(self.replicas[-1])
        owner, before = self.replicas[-1], (self.replicas[-1].state.pos, len(self.changelog))
        source = self.source()
        owner.read_at = min(owner.read_at, owner.state.pos)
        while owner.read_at < len(source):
            self.fold(owner)
        while owner.outbox:
            self.deliver(owner)
        for _ in range(3):
            self.flush(owner)
        while owner.outbox:
            self.deliver(owner)
        is_behind = owner.state.pos < len(source) or owner.flushing is not None
        return is_behind or (owner.state.pos, len(self.changelog)) != before


def _batch(number: int, source: Source, start: int, stop: int) -> Batch:
    """Return the stretch ``[start, stop)``."""
    found = [(offset, one) for offset, one in enumerate(source[start:stop], start) if one]
    offsets, times = [offset for offset, _ in found], [one[0] for _, one in found]
    values = [one[1] for _, one in found]
    return Batch(number, offsets, times, values, [b"key"] * len(found), (start, stop))


class TallyPart(Part):
    """What one source partition needs."""

    @override
    def source(self) -> Source:
        return self.world.events[self.number]

    @override
    def fresh(self, pos: int = 0) -> Tally:
        return self.world.habits.tally(
            self.number,
            tally_partitions=self.world.tally_partitions,
            scope_limit=self.world.case.scope_limit,
            pos=pos,
        )

    @override
    def decode(self, value: bytes) -> TallyDelta:
        return decode_tally(value)

    @override
    def resume(self, state: Tally) -> int:
        return state.pos

    @override
    def tell(self, state: Tally, since: int, upto: int) -> None:
        entries = [*self.world.entries, *self.world.protections]
        state.learn(_heard(entries, since, upto))

    @override
    def advance(self, state: Tally) -> list[Output]:
        return []


class JudgePart(Part):
    """What one tallies partition needs."""

    @override
    def source(self) -> Source:
        return self.world.tallies[self.number]

    @override
    def fresh(self, pos: int = 0) -> Judge:
        # A worker takes the width that the topic has now; whoever began sooner knew of fewer.
        sources = self.world.sources
        return self.world.habits.judge(self.number, source_partitions=sources, pos=pos)

    @override
    def decode(self, value: bytes) -> JudgeDelta:
        return decode_judge(value)

    @override
    def resume(self, state: Judge) -> int:
        return state.resume

    @override
    def tell(self, state: Judge, since: int, upto: int) -> None:
        state.learn(
            _heard(self.world.entries, since, upto),
            _heard(self.world.resolutions, since, upto),
            [one for one in self.world.epochs if since < one[1] <= upto],
        )

    @override
    def advance(self, state: Judge) -> list[Output]:
        return state.advance()

    @override
    def hear(self, replica: Replica, reached: int) -> None:
        if not replica.knows_its_limits:
            super().hear(replica, reached)
            return
        # What its predecessor adopted it knows: it reads the topics to their ends before it starts.
        upto = max(reached + self.world.random.choice(LAGS), replica.state.at or 0)
        if upto > replica.heard:
            self.tell(replica.state, replica.heard, upto)
            replica.heard = upto
        replica.state.trust(replica.heard)

    @override
    def hear_all(self, replica: Replica) -> None:
        super().hear_all(replica)
        if replica.knows_its_limits:
            replica.state.trust(FOR_EVER)
            replica.hand_over(replica.state.advance())

    @override
    def reached(self, state: Judge, stop: int) -> int:
        # What was judged may lie far past the oldest message that must be read again.
        return max(super().reached(state, stop), state.at or 0)


class _Dated(Protocol):
    """Something that takes effect at a moment of log time."""

    @property
    def effective_from(self) -> int:
        """The moment (ms)."""
        ...


_Thing = TypeVar("_Thing", bound=_Dated)


def _heard(things: Iterable[_Thing], since: int, upto: int) -> list[_Thing]:
    """Return what takes effect in ``(since, upto]``."""
    return [one for one in things if since < one.effective_from <= upto]
