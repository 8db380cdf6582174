"""Logs that are small and mean, each the whole consequence of one seed.

Several partitions share a broker whose clock mostly goes forward; traffic comes in bursts, dries
up with or without ticks, and comes back hours later. Producers lie about when things happened,
repeat themselves, and send rubbish. The share of failures swings round the thresholds, so that
breakers open and close often: one event too many or too few at one moment shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, timedelta, timezone
from random import Random
from typing import Any, Final

from hypothesis import strategies as st

from schemas.events import MAX_RECORD
from schemas.tallies import EARLINESS, ID_MEMORY, LATENESS, OTHER
from schemas.wire import from_ms
from tests.oracle.holes import with_holes
from tests.oracle.laws import Book
from tests.oracle.log import Record, SourceLog
from tests.oracle.poison import dumped, padded, poison
from tests.oracle.resolving import with_resolutions
from tests.oracle.rulemaking import draw_book

START: Final = 1_795_424_400_000
"""When the logs begin: some day in November 2026, far from any boundary of a day."""

TYPES: Final = ("SET_POWER", "SET_FAN", "DRUM=1", "加熱", "PREHEAT", "ABORT", OTHER, "x" * 256)
REGIONS: Final = ("EU", "US", "", "a=b", "日本", "MOON")
ZONES: Final = (UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=5, minutes=30)))
SHARES: Final = (0.0, 0.02, 0.06, 0.15, 0.3, 0.6, 1.0)
"""How many commands fail, by phase of a log."""

HOUR: Final = 3_600_000
LONGEST: Final = 100 * HOUR
"""After this long no log jumps for hours: judges forget scopes that are silent for days."""


@dataclass(frozen=True, slots=True)
class Case:
    """Logs, and what people decided meanwhile."""

    seed: int
    logs: tuple[SourceLog, ...]
    book: Book
    scope_limit: int


def hostile(seed: int, *, size: int = 400) -> Case:
    """Return the case of *seed* with about *size* records."""
    random = Random(seed)
    broker = _Broker(random, partitions=random.choice((1, 2, 2, 3, 3, 4)))
    broker.begin()
    while broker.written < size:
        random.choices(_PHASES, _WEIGHTS)[0](broker)
    broker.end()
    logs = with_holes(Random(~seed), broker.logs())
    limit = random.choice((1_000, 1_000, 1_000, 2, 3))
    book = with_resolutions(
        random,
        logs,
        draw_book(random, logs, [one for one in TYPES if one != OTHER]),
        scope_limit=limit,
    )
    return Case(seed, logs, book, limit)


def cases(*, size: int = 250) -> st.SearchStrategy[Case]:
    """Return a hypothesis strategy of hostile cases; the seed tells all of a failing one."""
    sizes = st.integers(20, size)
    return st.builds(
        lambda seed, records: hostile(seed, size=records), st.integers(0, 2**32), sizes
    )


@dataclass(slots=True)
class _Broker:
    """What writes the logs; ``now`` is the broker's clock."""

    random: Random
    partitions: int
    now: int = START
    share: float = 0.0
    written: int = 0
    serial: int = 0
    types: tuple[str, ...] = TYPES
    records: list[list[Record]] = field(default_factory=list)
    clocks: list[int] = field(default_factory=list)
    sent: list[list[tuple[str, bytes]]] = field(default_factory=list)

    def begin(self) -> None:
        """Give each partition its first record, some long after the others."""
        self.now += self.random.randrange(0, HOUR)
        self.types = tuple(self.random.sample(TYPES, self.random.randint(1, 5)))
        self.records = [[] for _ in range(self.partitions)]
        self.sent = [[] for _ in range(self.partitions)]
        self.clocks = [0] * self.partitions
        for partition in self.random.sample(range(self.partitions), self.partitions):
            self.now += self.random.choice((0, 1, 50, 99, 100, 700, 4_000))
            self.random.choice((self.tick, self.event))(partition)
            if self.random.random() < 0.2:
                self.event(0 if not self.records[0] else partition)

    def end(self) -> None:
        """Let the clocks pass the last cut, mostly in all partitions."""
        self.now += self.random.choice((100, 250, 6_000, 70_000))
        for partition in range(self.partitions):
            if self.random.random() < 0.95:
                self.tick(partition)

    def logs(self) -> tuple[SourceLog, ...]:
        """Return what was written."""
        return tuple(SourceLog(number, tuple(one)) for number, one in enumerate(self.records))

    def append(self, partition: int, value: bytes | None) -> None:
        """Write a record; now and then the broker's clock stands a little back."""
        time = self.now
        if self.random.random() < 0.01:
            time -= self.random.choice((1, 150, 5_000))
        self.clocks[partition] = max(self.clocks[partition], time)
        log = self.records[partition]
        log.append(Record(len(log), time, value))
        self.written += 1

    def tick(self, partition: int) -> None:
        """Write an empty record."""
        self.append(partition, self.random.choice((b"", b"", None)))

    def anywhere(self) -> int:
        """Return some partition, the first ones more often."""
        return min(self.random.randrange(self.partitions), self.random.randrange(self.partitions))

    def event(self, partition: int) -> None:
        """Write something: mostly a good event, else a repeat or rubbish."""
        chance = self.random.random()
        if chance < 0.08 and self.sent[partition]:
            self.append(partition, self.repeat(partition))
        elif chance < 0.11:
            self.append(partition, poison(self.random, self.fresh(partition))[1])
        else:
            fresh = self.fresh(partition)
            self.remember(partition, fresh)

    def remember(self, partition: int, event: dict[str, Any]) -> None:
        """Write a good event, and keep it so that it can be repeated."""
        if self.random.random() < 0.002:
            value = padded(event, MAX_RECORD)
        else:
            value = dumped(event, ascii_only=self.random.random() < 0.5)
        self.sent[partition].append((event["id"], value))
        self.append(partition, value)

    def repeat(self, partition: int) -> bytes:
        """Return the bytes of an event sent before, or another event with its id."""
        back = self.random.choice((3, 20, 200))
        name, value = self.random.choice(self.sent[partition][-back:])
        if self.random.random() < 0.7:
            return value
        return dumped({**self.fresh(partition), "id": name})

    def fresh(self, partition: int) -> dict[str, Any]:
        """Return a new event."""
        self.serial += 1
        clock = max(self.clocks[partition], self.now)
        event: dict[str, Any] = {
            "id": f"e{self.serial}" if self.random.random() < 0.9 else f"事件 {self.serial}",
            "occurredAt": self.written_moment(clock + self.lie()),
            "labels": {"region": self.random.choice(REGIONS[: self.random.choice((2, 6))])},
            "autonomous": self.random.random() < 0.5,
            **self.happening(),
        }
        oddities = {"actor": "a", "epoch": 41, "labels": None, "later": {"x": []}}
        return event | {key: one for key, one in oddities.items() if self.random.random() < 0.1}

    def lie(self) -> int:
        """Return how far from now (ms) a producer says that something happened."""
        chance = self.random.random()
        if chance < 0.8:
            return -self.random.randrange(0, 2_500)
        if chance < 0.86:
            return -self.random.randrange(0, 65_000)
        if chance < 0.92:
            return self.random.randrange(0, 35_000)
        edges = (LATENESS, LATENESS - 1, LATENESS + 1, -EARLINESS, -EARLINESS - 1, -EARLINESS + 1)
        if chance < 0.98:
            return -self.random.choice(edges)
        return self.random.choice((-START, 74 * 366 * 24 * HOUR, -HOUR, HOUR, 30 * 24 * HOUR))

    def written_moment(self, moment: int) -> str:
        """Return *moment* as some producer writes it."""
        at = from_ms(moment).astimezone(self.random.choice(ZONES))
        digits = self.random.choice(("milliseconds", "milliseconds", "microseconds", "seconds"))
        if digits == "microseconds":
            at += timedelta(microseconds=self.random.randrange(1_000))
        return at.isoformat(timespec=digits).replace("+00:00", "Z")

    def happening(self) -> dict[str, Any]:
        """Return what happened: a command's outcome, an incident, or a safety signal."""
        chance = self.random.random()
        kind = self.random.choice(self.types)
        if chance < 0.05:
            return self.incident(kind)
        if chance < 0.09:
            signals = ("constraint_violation", "emergency_abort", "safety_gate_trigger")
            event = {"kind": "safety", "signal": self.random.choice(signals)}
            return {**event, **self.maybe(commandType=kind, commandId=f"c{self.serial}")}
        return {
            "kind": "command",
            "commandId": f"c{self.serial % 400}",
            "commandType": kind,
            "status": self.status(),
            **self.maybe(durationMs=self.random.choice((0, 1.5, 840, 1e15)), errorClass=""),
        }

    def incident(self, kind: str) -> dict[str, Any]:
        """Return an incident."""
        return {
            "kind": "incident",
            "incidentId": f"i{self.serial}",
            "severity": self.random.choice(("critical", "high", "medium", "low")),
            **self.maybe(commandType=kind, commandId=f"c{self.serial}", summary="so bad"),
        }

    def status(self) -> str:
        """Return what became of a command, by the share of failures of the moment."""
        if self.random.random() < 0.2:
            others = ("proposed", "proposed", "approved", "rejected", "rolled_back", "overridden")
            return self.random.choice(others)
        if self.random.random() < self.share:
            return self.random.choice(("failed", "failed", "timed_out"))
        return "succeeded"

    def maybe(self, **fields: Any) -> dict[str, Any]:
        """Return some of *fields*."""
        return {name: value for name, value in fields.items() if self.random.random() < 0.6}


def _burst(broker: _Broker) -> None:
    """Many events within a few cuts."""
    for _ in range(broker.random.randrange(5, 60)):
        broker.now += broker.random.choice((0, 0, 1, 3, 10))
        broker.event(broker.anywhere())


def _steady(broker: _Broker) -> None:
    """An event every few tens of milliseconds."""
    for _ in range(broker.random.randrange(5, 60)):
        broker.now += broker.random.randrange(5, 120)
        broker.event(broker.anywhere())
        if broker.random.random() < 0.1:
            broker.tick(broker.anywhere())


def _swing(broker: _Broker) -> None:
    """Failures become more or less frequent."""
    broker.share = broker.random.choice(SHARES)


def _quiet(broker: _Broker) -> None:
    """Nothing happens for seconds; some partitions are ticked meanwhile, others not."""
    ticked = [one for one in range(broker.partitions) if broker.random.random() < 0.6]
    for _ in range(broker.random.randrange(1, 12)):
        broker.now += broker.random.choice((100, 137, 1_000, 2_000))
        for partition in ticked:
            broker.tick(partition)


def _trickle(broker: _Broker) -> None:
    """An event every second or so in one partition, while the others are ticked."""
    busy = broker.anywhere()
    for _ in range(broker.random.randrange(2, 10)):
        broker.now += broker.random.randrange(300, 3_000)
        for partition in range(broker.partitions):
            (broker.event if partition == busy else broker.tick)(partition)


def _jump(broker: _Broker) -> None:
    """The system stands still for a long time."""
    minute = 60_000
    jumps = (minute, 5 * minute, 14 * minute, ID_MEMORY - 1, ID_MEMORY, ID_MEMORY + 1, HOUR)
    broker.now += broker.random.choice(jumps)
    if broker.random.random() < 0.3 and broker.now < START + LONGEST:
        broker.now += broker.random.choice((2, 9, 24, 25)) * HOUR
    if broker.random.random() < 0.7:
        for partition in range(broker.partitions):
            broker.tick(partition)


_PHASES: Final[tuple[Callable[[_Broker], None], ...]] = (
    _burst, _steady, _swing, _quiet, _trickle, _jump,
)  # fmt: skip
_WEIGHTS: Final = (5, 6, 6, 2, 3, 1)
"""How often each happens; a jump empties every short window, so it must be rare."""
