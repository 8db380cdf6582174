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
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import msgspec

from schemas.errors import BadRecord
from schemas.events import Reason
from schemas.tallies import (
    EARLINESS,
    LATENESS,
    OVERALL,
    SAMPLE_CLASS,
    SAMPLES,
    STEP,
    WIDTH,
    Column,
    Cut,
    Cuts,
    Row,
    Sample,
    SampleClass,
    scope_of,
)
from schemas.topics import DEAD_LETTERS, TALLIES
from schemas.wire import iso_ms
from streams.batch import Batch, Gap, Output
from streams.codec import Command, Decoded, Found, Incident, Safety, decode_all
from streams.deltas import FROM_THE_BEGINNING, Sparse, TallyDelta, decode_tally, sparse
from streams.memory import Memory
from streams.rulebook import Entry, Rulebook

_STATUS: Final = {
    "proposed": Column.PROPOSED, "approved": Column.APPROVED, "rejected": Column.REJECTED,
    "succeeded": Column.SUCCEEDED, "failed": Column.FAILED, "timed_out": Column.TIMED_OUT,
    "rolled_back": Column.ROLLED_BACK, "overridden": Column.OVERRIDDEN,
}  # fmt: skip
_SEVERITY: Final = {
    "critical": Column.INCIDENT_CRITICAL, "high": Column.INCIDENT_HIGH,
    "medium": Column.INCIDENT_MEDIUM, "low": Column.INCIDENT_LOW,
}  # fmt: skip
_SIGNAL: Final = {
    "constraint_violation": Column.CONSTRAINT_VIOLATION,
    "emergency_abort": Column.EMERGENCY_ABORT,
    "safety_gate_trigger": Column.SAFETY_GATE_TRIGGER,
}
PLAIN: Final = frozenset(s for s, column in _STATUS.items() if column not in SAMPLE_CLASS)
"""Statuses that leave no evidence."""

TOGETHER: Final = 512
"""Records counted at once at most: one that is not plain makes all of them go one by one."""

_encode: Final = msgspec.msgpack.Encoder().encode
_Samples = dict[str, dict[SampleClass, deque[Sample]]]


@dataclass(slots=True)
class TallyStats:
    """What has been seen since the start of the process; never decisive, only counted."""

    events: int = 0
    duplicates: int = 0
    early: int = 0
    ticks: int = 0
    dead: dict[str, int] = field(default_factory=dict)


def columns_of(event: Decoded) -> tuple[Column, ...]:
    """Return the columns to which *event* adds one."""
    if type(event) is Command:
        return (_STATUS[event.status],)
    if type(event) is Safety:
        return (_SIGNAL[event.signal],)
    assert type(event) is Incident  # noqa: S101 - narrows the union
    severity = _SEVERITY[event.severity]
    if not event.autonomous:
        return (severity,)
    if severity is Column.INCIDENT_CRITICAL:
        return severity, Column.INCIDENT_AUTONOMOUS, Column.INCIDENT_CRITICAL_AUTONOMOUS
    return severity, Column.INCIDENT_AUTONOMOUS


def subject_of(event: Decoded) -> str:
    """Return the id by which people would look the bad *event* up."""
    if type(event) is Incident:
        return event.incident_id
    return getattr(event, "command_id", None) or event.id


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
    ) -> None:
        self.partition = partition
        self.tally_partitions = tally_partitions
        self.pos = pos
        self.clock = 0
        self.upto: int | None = None
        self.stats = stats or TallyStats()
        self.memory = Memory(scope_limit)
        self.is_restored = False
        self.adopted: dict[str, int] = {}
        self.late: dict[str, int] = {}
        self._rows: dict[tuple[str | None, int], list[int]] = {}
        self._label_rows: dict[tuple[str, int], list[int]] = {}
        self._samples: _Samples = {}
        self._rulebook = Rulebook()
        self._labels: frozenset[str] = frozenset()
        self._labels_change: int | None = None
        self._cuts: list[Cut] = []
        self._events = 0
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
        if not offsets or offsets[-1] < self.pos:
            return []
        if offsets[0] > self.pos:
            raise Gap(self.pos, offsets[0])
        first = bisect_left(offsets, self.pos)
        events = decode_all(batch.values[first:])
        outputs: list[Output] = []
        index = first
        while index < len(offsets):
            self._see(batch.times[index], offsets[index])
            end = self._end_of_step(batch, index)
            found = events[index - first : end - first]
            if not self._count_together(found, batch, index):
                for number, event in enumerate(found, index):
                    self._see(batch.times[number], offsets[number])
                    self._take(event, batch, number, outputs)
            index = end
        self.pos = offsets[-1] + 1
        return self._tallies() + outputs

    def _end_of_step(self, batch: Batch, start: int) -> int:
        """Return the index of the first record from *start* on that passes a cut, or a few on."""
        assert self.upto is not None  # noqa: S101 - the first record has set it
        end = min(start + TOGETHER, len(batch.times))
        boundary = self.upto + STEP
        times = batch.times[start:end]
        if max(times) < boundary:
            return end
        return next(number for number, time in enumerate(times, start) if time >= boundary)

    @property
    def resume(self) -> int:
        """Return the offset from which a recovery reads on."""
        return self.pos

    def skip_to(self, offset: int) -> None:
        """Accept that the log has no records between ``pos`` and *offset*."""
        self.pos = offset

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
            rows = self._close_rows()
            self._cuts.append(Cut(self.upto, step, offset, rows, self._events))
            self._events = 0
            self.upto = step
            if self._labels_change is not None and self._labels_change <= step:
                self._regroup()

    def _count_together(self, events: Sequence[Found], batch: Batch, start: int) -> bool:
        """Count records of one step at once if all are plain; return whether they were.

        Plain are commands that are in time beyond doubt, of known types and with new ids, while
        no rule groups by a label: nearly all there are. What this does is exactly what `_take`
        does one by one, at half the cost.
        """
        if self._labels or set(map(type, events)) != {Command}:
            return False
        commands = cast("Sequence[Command]", events)
        clock = max(self.clock, *batch.times[start : start + len(commands)])
        seconds = [int(command.occurred_at.timestamp()) for command in commands]
        kinds = [command.command_type for command in commands]
        if (
            min(seconds) * 1000 < clock - LATENESS
            or max(seconds) * 1000 + 999 > self.clock + EARLINESS
            or not self.memory.remember_all([c.id for c in commands], set(kinds), clock)
        ):
            return False
        self.clock = clock
        statuses = [command.status for command in commands]
        for (kind, second, status), number in Counter(
            zip(kinds, seconds, statuses, strict=True)
        ).items():
            self._row(kind, second)[_STATUS[status]] += number
        if not PLAIN.issuperset(statuses):
            for number, command in enumerate(commands):
                if command.status not in PLAIN:
                    offset = batch.offsets[start + number]
                    self._keep_bad(command, kinds[number], seconds[number], offset)
        self.stats.events += len(commands)
        self._events += len(commands)
        return True

    def _take(self, event: Found, batch: Batch, index: int, outputs: list[Output]) -> None:
        """Count *event*, or send the record that holds none to the dead letters."""
        if event is None:
            self.stats.ticks += 1
            return
        if isinstance(event, BadRecord):
            outputs.append(self._dead(event.reason, event.detail, batch, index))
            return
        memory = self.memory
        memory.turn(self.clock)
        if memory.knows(event.id):
            self.stats.duplicates += 1
            return
        moment = event.occurred_at
        second = math.floor(moment.timestamp())
        happened = second * 1000 + moment.microsecond // 1000
        if happened < self.clock - LATENESS:
            outputs.append(self._dead_late(happened, batch, index))
            return
        memory.remember(event.id)
        if happened > self.clock + EARLINESS:
            self.stats.early += 1
            second = self.clock // 1000
        self.stats.events += 1
        self._events += 1
        self._count(event, second, batch.offsets[index])

    def _row(self, kind: str | None, second: int) -> list[int]:
        """Return the row of a command type in a pane."""
        row = self._rows.get((kind, second))
        if row is None:
            row = self._rows[kind, second] = [0] * WIDTH
        return row

    def _count(self, event: Decoded, second: int, offset: int) -> None:
        """Add *event* to its pane in each of its scopes."""
        kind = event.command_type
        if kind is not None:
            kind = self.memory.admit("commandType", kind)
        columns = columns_of(event)
        row = self._row(kind, second)
        for column in columns:
            row[column] += 1
        scopes = self._label_scopes(event) if self._labels and event.labels else []
        for scope in scopes:
            row = self._label_rows.setdefault((scope, second), [0] * WIDTH)
            for column in columns:
                row[column] += 1
        if columns[0] in SAMPLE_CLASS:
            self._keep_bad(event, kind, second, offset, scopes)

    def _keep_bad(
        self,
        event: Decoded,
        kind: str | None,
        second: int,
        offset: int,
        scopes: Sequence[str] = (),
    ) -> None:
        """Keep a bad *event* as evidence in all its scopes."""
        sample = Sample(SAMPLE_CLASS[columns_of(event)[0]], second, offset, subject_of(event))
        types = [] if kind is None else [scope_of("commandType", kind)]
        self._keep(sample, [OVERALL, *scopes, *types])

    def _label_scopes(self, event: Decoded) -> list[str]:
        """Return the scopes of the grouped labels that *event* carries."""
        labels = event.labels or {}
        return [
            scope_of(f"labels.{name}", self.memory.admit(f"labels.{name}", labels[name]))
            for name in sorted(self._labels)
            if name in labels
        ]

    def _keep(self, sample: Sample, scopes: list[str]) -> None:
        """Keep *sample* as evidence in each of *scopes*, the newest few of its class."""
        for scope in scopes:
            classes = self._samples.setdefault(scope, {})
            kept = classes.get(SampleClass(sample.kind))
            if kept is None:
                kept = classes[SampleClass(sample.kind)] = deque(maxlen=SAMPLES)
            kept.append(sample)

    # ---------------------------------------------------------------------- what goes out

    def _close_rows(self) -> list[Row]:
        """Return what came since the last cut as rows, and start afresh."""
        if not self._rows:
            return []
        panes: dict[str, dict[int, list[int]]] = {OVERALL: {}}
        for (kind, second), row in self._rows.items():
            _sum(panes[OVERALL], second, row)
            if kind is not None:
                _sum(panes.setdefault(scope_of("commandType", kind), {}), second, row)
        for (scope, second), row in self._label_rows.items():
            _sum(panes.setdefault(scope, {}), second, row)
        rows = [
            Row(
                scope,
                [(second, sparse(row)) for second, row in sorted(seconds.items())],
                _in_order(self._samples.get(scope, {})),
            )
            for scope, seconds in panes.items()
        ]
        self._rows, self._label_rows, self._samples = {}, {}, {}
        return rows

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
        headers = {
            "topic": "command-events",
            "partition": str(self.partition),
            "offset": str(batch.offsets[index]),
            "reason": str(reason),
            "detail": detail,
            "receivedAt": iso_ms(batch.times[index]),
        }
        return Output(
            DEAD_LETTERS.name,
            batch.values[index] or b"",
            None,
            batch.keys[index],
            [(name, text.encode("utf-8", "replace")) for name, text in headers.items()],
        )

    # ------------------------------------------------------------------- rules and storage

    def learn(self, entries: Iterable[Entry]) -> None:
        """Hear of rules: their labels become groupings at the cut that their time names."""
        self._rulebook.learn(entries)
        if self.upto is None:
            return
        for entry in self._rulebook.missed(self.upto, self.adopted, self.late):
            self.late[entry.key] = self.upto + STEP
        self._regroup()

    def _regroup(self) -> None:
        """Take the groupings that are in force at the last cut."""
        at = self.upto or 0
        force = self._rulebook.in_force(at, self.late)
        self.adopted = {entry.name: entry.version for entry in force.values()}
        self._labels = self._rulebook.labels(at, self.late)
        self._labels_change = self._rulebook.next_change(at, self.late)

    def delta(self) -> TallyDelta | None:
        """Return what changed since the last call, or None if nothing did."""
        if self.pos == self._taken:
            return None
        frm, self._taken = self._taken, self.pos
        return TallyDelta(
            frm,
            self.pos,
            self._marks.get(max(self.memory.number - 1, 0), FROM_THE_BEGINNING),
            self.clock,
            self.upto,
            self._events,
            [(kind, second, sparse(row)) for (kind, second), row in self._rows.items()],
            [(scope, second, sparse(row)) for (scope, second), row in self._label_rows.items()],
            [(scope, _in_order(classes)) for scope, classes in self._samples.items()],
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
        self.clock, self.upto, self._events = delta.clock, delta.upto, delta.events
        self._rows = {(kind, second): _dense(row) for kind, second, row in delta.rows}
        self._label_rows = {(scope, second): _dense(row) for scope, second, row in delta.label_rows}
        self._samples = {}
        for scope, samples in delta.samples:
            for sample in samples:
                self._keep(sample, [scope])
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

    decode_delta = staticmethod(decode_tally)


def home_of(scope: str, tally_partitions: int) -> int:
    """Return the partition of ``tallies`` on which the rows of *scope* travel."""
    return zlib.crc32(scope.encode()) % tally_partitions


def _sum(seconds: dict[int, list[int]], second: int, row: list[int]) -> None:
    """Add *row* to the pane of *second*."""
    total = seconds.setdefault(second, [0] * WIDTH)
    for column, number in enumerate(row):
        if number:
            total[column] += number


def _in_order(classes: dict[SampleClass, deque[Sample]]) -> list[Sample]:
    """Return the samples of a scope, class by class."""
    return [sample for _, kept in sorted(classes.items()) for sample in kept]


def _dense(row: Sparse) -> list[int]:
    """Return a row of counts with its zeros."""
    counts = [0] * WIDTH
    for column, number in row:
        counts[column] = number
    return counts
