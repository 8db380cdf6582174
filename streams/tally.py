"""Tally: the records of one source partition, folded into increments per scope and pane.

Pure: what it publishes and stores is a function of the log of its partition, so two workers that
fold the same records say the same, whichever of them is alive.

    record ──► clock ──► cut passed? ──► decode ──► repeat? ──► late? ──► pane += 1
                              │            │ no                    │ yes
                              ▼            ▼                       ▼
                           tallies     dead letter             dead letter
"""

from __future__ import annotations

import math
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Final

import msgspec

from schemas.errors import BadRecord
from schemas.events import Reason
from schemas.tallies import EARLINESS, LATENESS, OTHER, STEP, Cut, Cuts, scope_of
from schemas.topics import COMMAND_EVENTS, DEAD_LETTERS, TALLIES
from schemas.wire import iso_ms
from streams.batch import Batch, Gap, Output
from streams.codec import DECODED, Command, Decoded, Found, decode_all
from streams.deltas import FROM_THE_BEGINNING, TallyDelta, sparse
from streams.increments import PLAIN, Increments, dense, in_order
from streams.memory import Memory
from streams.rulebook import Entry, Rulebook

TOGETHER: Final = 512
"""Records counted at once at most: one that is repeated or late makes them go one by one."""

KEPT: Final = 1024 * 1024
"""Bytes of a refused record, and half as many of its key, that its dead letter holds.

As much as a record may have that comes uncompressed; a compressed one may be of any size.
"""

_encode: Final = msgspec.msgpack.Encoder().encode


@dataclass(slots=True)
class TallyStats:
    """What has been seen since the start of the process; never decisive, only counted."""

    events: int = 0
    duplicates: int = 0
    early: int = 0
    overflowed: int = 0
    ticks: int = 0
    dead: dict[str, int] = field(default_factory=dict)


class Tally:
    """The state of one source partition at offset ``pos``, and how records change it."""

    def __init__(
        self,
        partition: int,
        *,
        tally_partitions: int,
        scope_limit: int = 1_000,
        pos: int = 0,
        stats: TallyStats | None = None,
        topic: str = COMMAND_EVENTS.name,
    ) -> None:
        self.partition = partition
        self.topic = topic
        self.tally_partitions = tally_partitions
        self.pos = pos
        self.clock = 0
        self.upto: int | None = None
        self.stats = stats or TallyStats()
        self.memory = Memory(scope_limit)
        self.lacking: dict[str, int] = {}
        self.is_restored = False
        self.adopted: dict[str, int] = {}
        self.late: dict[str, int] = {}
        self._increments = Increments()
        self._rulebook = Rulebook()
        self._labels: frozenset[str] = frozenset()
        self._labels_change: int | None = None
        self._cuts: list[Cut] = []
        self._homes: dict[str, int] = {}
        self._taken = pos
        self._marks: dict[int, int] = {}

    # ------------------------------------------------------------------------------- fold

    def fold(self, batch: Batch) -> list[Output]:
        """Take the records of *batch* from ``pos`` on; return what is to be published, in order.

        Raises:
            Gap: the batch starts above ``pos``; nothing was changed.
        """
        offsets = batch.offsets
        if batch.end <= self.pos:
            return []
        if batch.start > self.pos:
            raise Gap(self.pos, batch.start)
        first = bisect_left(offsets, self.pos)
        events = decode_all(batch.values[first:])
        outputs: list[Output] = []
        index = first
        while index < len(offsets):
            self._see(batch.times[index], offsets[index])
            end = self._end_of_step(batch, index)
            found = events[index - first : end - first]
            if not self._count_together(found, batch, index, outputs):
                for number, event in enumerate(found, index):
                    self._see(batch.times[number], offsets[number])
                    self._take(event, batch, number, outputs)
            index = end
        self.pos = batch.end
        return self._tallies() + outputs

    @property
    def resume(self) -> int:
        """Return the offset from which a recovery reads on."""
        return self.pos

    def _see(self, time: int, offset: int) -> None:
        """Let the clock move, and close the cuts that it has passed."""
        if time > self.clock:
            self.clock = time
        elif self.upto is not None:
            return
        step = self.clock - self.clock % STEP
        if self.upto is None:
            self.upto = step
            self._regroup()
        elif step > self.upto:
            events = self._increments.events
            self._cuts.append(Cut(self.upto, step, offset, self._increments.close(), events))
            self.upto = step
            if self._labels_change is not None and self._labels_change <= step:
                self._regroup()

    def _end_of_step(self, batch: Batch, start: int) -> int:
        """Return the index of the first record from *start* on that passes a cut, or a few on."""
        assert self.upto is not None  # noqa: S101 - the first record has set it
        end = min(start + TOGETHER, len(batch.times))
        boundary = self.upto + STEP
        times = batch.times[start:end]
        if max(times) < boundary:
            return end
        return next(number for number, time in enumerate(times, start) if time >= boundary)

    def _count_together(
        self, found: Sequence[Found], batch: Batch, start: int, outputs: list[Output]
    ) -> bool:
        """Take records of one step at once, if nothing about them is doubtful; say whether.

        Doubtful is what depends on the order of records: an id that is not new, a moment near
        the edge of what is late or early, a command type not yet admitted, or a rule that groups
        by a label. All else commutes, so this does exactly what `_take` does one by one, at
        less than half the cost.
        """
        if self._labels:
            return False
        events = [event for event in found if isinstance(event, DECODED)]
        seconds = [math.floor(event.occurred_at.timestamp()) for event in events]
        clock = max(self.clock, *batch.times[start : start + len(found)])
        if events and not (
            min(seconds) * 1000 >= clock - LATENESS
            and max(seconds) * 1000 + 999 <= self.clock + EARLINESS
            and self.memory.remember_all(events, clock)
        ):
            return False
        self.clock = clock
        self.stats.events += len(events)
        plain = [type(event) is Command and event.status in PLAIN for event in events]
        commands = zip(compress(events, plain), compress(seconds, plain), strict=True)
        self._increments.count_plain(
            (command.command_type, second, command.status, command.autonomous)  # type: ignore[misc, union-attr]
            for command, second in commands
        )
        if len(events) < len(found) or not all(plain):
            self._count_others(found, batch, start, outputs)
        return True

    def _count_others(
        self, found: Sequence[Found], batch: Batch, start: int, outputs: list[Output]
    ) -> None:
        """Take what `_count_together` leaves: what bears evidence, dead letters and ticks."""
        for index, event in enumerate(found, start):
            if not isinstance(event, DECODED):
                self._refuse(event, batch, index, outputs)
            elif type(event) is not Command or event.status not in PLAIN:
                second = math.floor(event.occurred_at.timestamp())
                self._increments.count(event, event.command_type, second, batch.offsets[index])

    def _take(self, event: Found, batch: Batch, index: int, outputs: list[Output]) -> None:
        """Count *event*, or send the record that holds none to the dead letters."""
        if not isinstance(event, DECODED):
            self._refuse(event, batch, index, outputs)
            return
        self.memory.turn(self.clock)
        if self.memory.knows(event.id):
            self.stats.duplicates += 1
            return
        moment = event.occurred_at
        second = math.floor(moment.timestamp())
        happened = second * 1000 + moment.microsecond // 1000
        if happened < self.clock - LATENESS:
            outputs.append(self._dead_late(happened, batch, index))
            return
        self.memory.remember(event.id)
        if happened > self.clock + EARLINESS:
            self.stats.early += 1
            second = self.clock // 1000
        self.stats.events += 1
        kind = event.command_type
        if kind is not None:
            kind = self._admit("commandType", kind)
        labels = self._label_scopes(event) if self._labels and event.labels else ()
        self._increments.count(event, kind, second, batch.offsets[index], labels)

    def _label_scopes(self, event: Decoded) -> list[str]:
        """Return the scopes of the grouped labels that *event* carries."""
        labels = event.labels or {}
        return [
            scope_of(f"labels.{name}", self._admit(f"labels.{name}", labels[name]))
            for name in sorted(self._labels)
            if name in labels
        ]

    def _admit(self, dimension: str, value: str) -> str:
        """Return *value* if it has a scope of its own, or `OTHER`."""
        admitted = self.memory.admit(dimension, value)
        self.stats.overflowed += admitted == OTHER
        return admitted

    # ---------------------------------------------------------------------- what goes out

    def _tallies(self) -> list[Output]:
        """Return one message for each tallies partition with the cuts of this batch."""
        cuts, self._cuts = self._cuts, []
        if not cuts:
            return []
        return [
            Output(TALLIES.name, _encode(Cuts(self.partition, self._share(cuts, home))), home)
            for home in range(self.tally_partitions)
        ]

    def _share(self, cuts: list[Cut], home: int) -> list[Cut]:
        """Return *cuts* with only the rows that live in tallies partition *home*."""
        return [
            Cut(
                cut.frm,
                cut.upto,
                cut.offset,
                [row for row in cut.rows if self._home_of(row.scope) == home],
                cut.events,
            )
            for cut in cuts
        ]

    def _home_of(self, scope: str) -> int:
        """Return the tallies partition of *scope*."""
        home = self._homes.get(scope)
        if home is None:
            if len(self._homes) > 100_000:
                self._homes.clear()
            home = self._homes[scope] = home_of(scope, self.tally_partitions)
        return home

    def _refuse(
        self, found: BadRecord | None, batch: Batch, index: int, outputs: list[Output]
    ) -> None:
        """Send the record that holds no event to the dead letters, unless it is a tick."""
        if found is None:
            self.stats.ticks += 1
        else:
            outputs.append(self._dead(found.reason, found.detail, batch, index))

    def _dead_late(self, happened: int, batch: Batch, index: int) -> Output:
        """Return the dead letter of an event that came too late to count."""
        behind = (self.clock - happened) / 1000
        detail = (
            f"occurredAt {iso_ms(max(happened, 0))} is {behind:.1f} s behind the log's clock "
            f"{iso_ms(self.clock)}; at most {LATENESS // 1000} s may pass"
        )
        return self._dead(Reason.LATE, detail, batch, index)

    def _dead(self, reason: str, detail: str, batch: Batch, index: int) -> Output:
        """Return the dead letter of a record: its bytes, and where and why in headers."""
        self.stats.dead[reason] = self.stats.dead.get(reason, 0) + 1
        value, key = batch.values[index] or b"", batch.keys[index]
        if len(value) > KEPT:
            detail = f"{detail}; its first {KEPT} bytes are kept"
        headers = {
            "topic": self.topic,
            "partition": str(self.partition),
            "offset": str(batch.offsets[index]),
            "reason": str(reason),
            "detail": detail,
            "receivedAt": iso_ms(batch.times[index]),
        }
        return Output(
            DEAD_LETTERS.name,
            value[:KEPT],
            None,
            key and key[: KEPT // 2],
            [(name, text.encode("utf-8", "replace")) for name, text in headers.items()],
        )

    # ------------------------------------------------------------------- rules and storage

    def learn(
        self, entries: Iterable[Entry] = (), *, unusable: Iterable[tuple[str, int]] = ()
    ) -> None:
        """Hear of rules and of protected types: they hold from the cut that their time names.

        While a rule that it counted by is ``lacking``, nothing may be folded: the values of that
        rule's label would not be counted.
        """
        self._rulebook.learn(entries)
        self._rulebook.note_unusable(unusable)
        self.lacking = self._rulebook.lacking(self.adopted)
        if self.upto is None or self.lacking:
            return
        for entry in self._rulebook.missed(self.upto, self.adopted, self.late):
            self.late[entry.key] = self.upto + STEP
        self._regroup()

    def _regroup(self) -> None:
        """Take the groupings and the protected command types in force at the last cut."""
        at = self.upto or 0
        force = self._rulebook.in_force(at, self.late)
        self.adopted = {entry.name: entry.version for entry in force.values()}
        self._labels = self._rulebook.labels(at, self.late)
        self.memory.protected = self._rulebook.protected(at, self.late)
        self._labels_change = self._rulebook.next_change(at, self.late)

    def delta(self) -> TallyDelta | None:
        """Return what changed since the last call, or None if nothing did."""
        if self.pos == self._taken:
            return None
        frm, self._taken = self._taken, self.pos
        held = self._increments
        return TallyDelta(
            frm,
            self.pos,
            self._marks.get(max(self.memory.number - 1, 0), FROM_THE_BEGINNING),
            self.clock,
            self.upto,
            held.events,
            [(kind, second, sparse(row)) for (kind, second), row in held.rows.items()],
            [(scope, second, sparse(row)) for (scope, second), row in held.label_rows.items()],
            [(scope, in_order(classes)) for scope, classes in held.samples.items()],
            self.memory.news(),
            dict(self.adopted),
            dict(self.late),
        )

    def stored(self, delta: TallyDelta, offset: int) -> None:
        """Hear that *delta* lies in the changelog at *offset*."""
        for generation in delta.generations:
            if generation.whole:
                self._marks[generation.number] = offset
        for number in [n for n in self._marks if n < self.memory.number - 2]:
            del self._marks[number]

    def apply(self, delta: TallyDelta, offset: int) -> None:
        """Join the changelog record at *offset*; one that says nothing new changes nothing.

        Raises:
            Gap: a record before it is missing.
        """
        if self.is_restored:
            if delta.pos <= self.pos:
                return
            if delta.frm > self.pos:
                raise Gap(self.pos, delta.frm)
        self.is_restored = True
        self.pos = self._taken = delta.pos
        self.clock, self.upto = delta.clock, delta.upto
        self._increments = _held(delta)
        for generation in delta.generations:
            self.memory.learn(generation)
        self.adopted, self.late = dict(delta.adopted), dict(delta.late)
        self.stored(delta, offset)

    def advance(self) -> list[Output]:
        """Return nothing: a tally never holds back."""
        return []

    def is_complete(self) -> bool:
        """Return whether the records joined so far hold all that is still remembered."""
        return not self.is_restored or max(self.memory.number - 1, 0) in self._marks


def naming(sources: int) -> bytes:
    """Return the message on ``tallies`` that says that there are so many source partitions."""
    return _encode(Cuts(sources - 1, []))


def home_of(scope: str, tally_partitions: int) -> int:
    """Return the partition of ``tallies`` on which the rows of *scope* travel."""
    return zlib.crc32(scope.encode()) % tally_partitions


def _held(delta: TallyDelta) -> Increments:
    """Return what had been counted since the last cut."""
    held = Increments()
    held.events = delta.events
    held.rows = {(kind, second): dense(row) for kind, second, row in delta.rows}
    held.label_rows = {(scope, second): dense(row) for scope, second, row in delta.label_rows}
    for scope, samples in delta.samples:
        for sample in samples:
            held.keep(sample, [scope])
    return held
