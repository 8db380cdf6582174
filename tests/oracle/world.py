"""A world without a broker in which the pure halves are crashed, doubled and woken up again.

    source logs ──► Tally replicas ──outbox──► tallies ──► Judge replicas ──outbox──► actions
                        │  ▲                                   │  ▲
                        ▼  │ recovery                          ▼  │
                     changelog                             changelog

A part (`tests.oracle.parts`) has one owner and any number of zombies that have not noticed. The
topics between them order what arrives, and take it from anybody. In some worlds the log is
widened: its last partitions are counted from some moment on only, and ``tallies`` names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from zlib import crc32

import msgspec

from rules.live import make_live
from schemas.actions import DECISION, BreakerAction
from schemas.events import Reason
from schemas.rules import RuleVersion
from schemas.tallies import Cuts
from streams.batch import Gap, Output
from streams.judge import Judge, Resolution
from streams.merge import Hole
from streams.rulebook import PROTECTION, Entry
from tests.oracle.comparing import action_differences, count_differences, summed_cuts
from tests.oracle.counting import DeadLetter
from tests.oracle.joining import joins_of
from tests.oracle.judging import span_of
from tests.oracle.log import SourceLog
from tests.oracle.logs import Case
from tests.oracle.parts import Habits, JudgePart, Part, TallyPart
from tests.oracle.report import Expected, expect


def entry_of(version: RuleVersion) -> Entry:
    """Return what the engine hears of a rule version."""
    lives = version.rule is not None and version.rule.enabled
    live = make_live(version) if lives else None
    return Entry(version.name, version.version, version.effective_from, live)


def source_of(log: SourceLog) -> list[tuple[int, bytes | None] | None]:
    """Return (time, value) of each record by offset, None where there is no record."""
    source: list[tuple[int, bytes | None] | None] = [None] * log.end
    for record in log.records:
        source[record.offset] = (record.time, record.value)
    return source


class World:
    """All parts, the topics between them, and the chance that moves them."""

    def __init__(self, case: Case, seed: int, habits: Habits | None = None) -> None:
        self.case = case
        self.random = Random(seed)
        self.habits = habits or Habits()
        self.tally_partitions = self.random.randint(1, 3)
        self.events = [source_of(log) for log in case.logs]
        self.tallies: list[list[tuple[int, bytes] | None]] = [
            [] for _ in range(self.tally_partitions)
        ]
        # Nobody writes tallies in transactions; whoever does all the same changes nothing.
        self.marks = self.random.choice((0.0, 0.0, 0.3))
        self.actions: list[bytes] = []
        self.dead: list[Output] = []
        self.entries = [entry_of(law.version) for law in case.book.laws]
        self.protections = [
            Entry(PROTECTION, one.version, one.effective_from, None, frozenset(one.command_types))
            for one in case.book.protections
        ]
        self.resolutions = [
            Resolution(one.action_id, one.rule, one.scope_key, one.effective_from)
            for one in case.book.resolutions
        ]
        self.epochs = [(one.autonomy_epoch, one.effective_from) for one in case.book.states]
        self.begins_with = len(case.logs)
        if self.habits.widens:
            self.begins_with = self.random.randint(1, len(case.logs))
            for home in range(self.tally_partitions):
                self.announce(home, self.begins_with)
        self.sources = self.begins_with
        tallying = [TallyPart(self, number) for number in range(len(case.logs))]
        self.absent: list[Part] = [*tallying[self.begins_with :]]
        self.parts: list[Part] = [
            *tallying[: self.begins_with],
            *(JudgePart(self, number) for number in range(self.tally_partitions)),
        ]

    def receive(self, output: Output) -> None:
        """Append an output to its topic."""
        if output.topic == "tallies":
            assert output.partition is not None
            cuts = msgspec.msgpack.decode(output.value, type=Cuts)
            reaches = max((cut.upto for cut in cuts.cuts), default=0)
            self.tallies[output.partition].append((reaches, output.value))
            if self.random.random() < self.marks:
                self.tallies[output.partition].append(None)
        elif output.topic == "breaker-actions":
            self.actions.append(output.value)
        else:
            assert output.topic == "dead-letters"
            self.dead.append(output)

    def announce(self, home: int, sources: int) -> None:
        """Name the sources to one judge, as a worker does that starts or finds more of them."""
        self.tallies[home].append((0, msgspec.msgpack.encode(Cuts(sources - 1, []))))

    def _widen(self) -> None:
        """Let one more partition be counted; whether it is named first is chance."""
        self.parts.insert(0, self.absent.pop(0))
        self.sources += 1
        for home in range(self.tally_partitions):
            if self.random.random() < 0.6:
                self.announce(home, self.random.randint(self.sources, len(self.case.logs)))

    def joins(self, home: int) -> dict[int, int]:
        """Return which sources were added, and the T from which *home* counts them."""
        if not self.habits.widens:
            return {}
        decode = msgspec.msgpack.Decoder(Cuts).decode
        return joins_of(decode(one[1]) for one in self.tallies[home] if one)

    def run(self, steps: int) -> None:
        """Let *steps* things happen, then let whoever is alive finish."""
        accidents = self.random.choice((0.003, 0.02, 0.08))
        for number in range(steps):
            if (self.absent and self.random.random() < 2 / steps) or number == steps - 1:
                while self.absent and (number == steps - 1 or self.random.random() < 0.6):
                    self._widen()
            part = self.random.choice(self.parts)
            if self.random.random() < accidents:
                self.random.choice((part.crash, part.crash, part.freeze, part.bury, part.trim))()
            else:
                is_owner = self.random.random() < 0.75
                replica = part.replicas[-1] if is_owner else self.random.choice(part.replicas)
                part.step(replica)
        busy = 1
        while busy:
            busy = sum(part.settle() for part in self.parts)

    def differences(self) -> list[str]:
        """Return everything in which the outcome is not what the oracle expects."""
        homes = [self.joins(home) for home in range(self.tally_partitions)]
        wanted = expect(
            self.case.logs,
            self.case.book,
            scope_limit=self.case.scope_limit,
            joins=lambda scope: homes[crc32(scope.encode()) % self.tally_partitions],
        )
        return [
            *self._count_differences(wanted),
            *self._dead_letter_differences(wanted),
            *self._action_differences(wanted),
        ]

    def _count_differences(self, wanted: Expected) -> Iterator[str]:
        """Yield what is wrong with the counts that the cuts add up to."""
        for number, topic in enumerate(self.tallies):
            cuts = [msgspec.msgpack.decode(one[1], type=Cuts) for one in topic if one]
            mine = {
                key: cell
                for key, cell in wanted.counts.items()
                if crc32(key[0].encode()) % self.tally_partitions == number
            }
            yield from count_differences(summed_cuts(cuts), mine)

    def _dead_letter_differences(self, wanted: Expected) -> Iterator[str]:
        """Yield which dead letters are missing, too many, or not what was sent."""
        got: set[DeadLetter] = set()
        for output in self.dead:
            headers = dict(output.headers)
            partition, offset = int(headers["partition"]), int(headers["offset"])
            got.add(DeadLetter(partition, offset, Reason(headers["reason"].decode())))
            sent = self.events[partition][offset]
            if sent is None or output.value != sent[1]:
                yield f"dead letter {partition}/{offset} does not hold what was sent"
        yield from (f"dead letter too many: {one}" for one in got - wanted.dead_letters)
        yield from (f"dead letter missing: {one}" for one in wanted.dead_letters - got)

    def _action_differences(self, wanted: Expected) -> Iterator[str]:
        """Yield what is wrong with the actions, and repeats that do not say the same."""
        actions: list[BreakerAction] = []
        first: dict[str, bytes] = {}
        for value in self.actions:
            action = DECISION.validate_json(value)
            assert isinstance(action, BreakerAction)
            actions.append(action)
            if first.setdefault(action.id, value) != value:
                yield f"action {action.id} was published again with other evidence"
        yield from action_differences(actions, wanted.trips, topic="command-events").lines
        for part in self.parts:
            state = part.replicas[-1].state
            if isinstance(state, Judge):
                _, frontier = span_of(wanted.partitions, self.joins(part.number)) or (None, None)
                if state.frontier != frontier:
                    yield f"frontier: got {state.frontier}, wanted {frontier}"


def outcome(case: Case, seed: int, habits: Habits | None = None, *, steps: int = 600) -> list[str]:
    """Return the differences after one life of the world; a refusal to go on is one too."""
    try:
        world = World(case, seed, habits)
        world.run(steps)
        return world.differences()
    except (Gap, Hole, AssertionError) as error:
        return [f"stopped: {error!r}"]
