"""What has been counted since the last cut: increments per scope and pane, and the evidence.

Counting touches only the row of the command type; everything's row is the sum of those, made
once per cut. Events of one step can be counted in any order, so many are counted at once.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final

from schemas.tallies import (
    OVERALL,
    SAMPLE_CLASS,
    SAMPLES,
    WIDTH,
    Column,
    Row,
    Sample,
    SampleClass,
    scope_of,
)
from streams.codec import Command, Decoded, Incident, Safety
from streams.deltas import Sparse, sparse

STATUS: Final = {
    "proposed": Column.PROPOSED, "approved": Column.APPROVED, "rejected": Column.REJECTED,
    "succeeded": Column.SUCCEEDED, "failed": Column.FAILED, "timed_out": Column.TIMED_OUT,
    "rolled_back": Column.ROLLED_BACK, "overridden": Column.OVERRIDDEN,
}  # fmt: skip
_AUTONOMOUS: Final = {
    "succeeded": Column.SUCCEEDED_AUTONOMOUS,
    "failed": Column.FAILED_AUTONOMOUS,
    "timed_out": Column.FAILED_AUTONOMOUS,
}
"""How an attempt counts besides if nobody had approved it."""

_SEVERITY: Final = {
    "critical": Column.INCIDENT_CRITICAL, "high": Column.INCIDENT_HIGH,
    "medium": Column.INCIDENT_MEDIUM, "low": Column.INCIDENT_LOW,
}  # fmt: skip
_SIGNAL: Final = {
    "constraint_violation": Column.CONSTRAINT_VIOLATION,
    "emergency_abort": Column.EMERGENCY_ABORT,
    "safety_gate_trigger": Column.SAFETY_GATE_TRIGGER,
}
PLAIN: Final = frozenset(s for s, column in STATUS.items() if column not in SAMPLE_CLASS)
"""Statuses of commands that leave no evidence."""


def columns_of(event: Decoded) -> tuple[Column, ...]:
    """Return the columns to which *event* adds one; the first says what it is."""
    if type(event) is Command:
        status = event.status
        if event.autonomous and status in _AUTONOMOUS:
            return STATUS[status], _AUTONOMOUS[status]
        return (STATUS[status],)
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


class Increments:
    """The counts and samples of the step that is not cut off yet."""

    def __init__(self) -> None:
        self.events = 0
        self.rows: dict[tuple[str | None, int], list[int]] = {}
        self.label_rows: dict[tuple[str, int], list[int]] = {}
        self.samples: dict[str, dict[SampleClass, deque[Sample]]] = {}

    def count(
        self, event: Decoded, kind: str | None, second: int, offset: int, labels: Sequence[str] = ()
    ) -> None:
        """Count *event*: in its pane of its command type *kind* and of the scopes *labels*."""
        self.events += 1
        columns = columns_of(event)
        for row in (self._row(kind, second), *(self._label_row(s, second) for s in labels)):
            for column in columns:
                row[column] += 1
        if columns[0] in SAMPLE_CLASS:
            sample = Sample(SAMPLE_CLASS[columns[0]], second, offset, subject_of(event))
            types = () if kind is None else (scope_of("commandType", kind),)
            self.keep(sample, (OVERALL, *labels, *types))

    def count_plain(self, commands: Iterable[tuple[str, int, str, bool]]) -> None:
        """Count commands that leave no evidence, given as (type, second, status, autonomous)."""
        for (kind, second, status, autonomous), number in Counter(commands).items():
            row = self._row(kind, second)
            row[STATUS[status]] += number
            if autonomous and status in _AUTONOMOUS:
                row[_AUTONOMOUS[status]] += number
            self.events += number

    def keep(self, sample: Sample, scopes: Iterable[str]) -> None:
        """Keep *sample* as evidence in each of *scopes*, the newest few of its class."""
        kind = SampleClass(sample.kind)
        for scope in scopes:
            classes = self.samples.setdefault(scope, {})
            if kind not in classes:
                classes[kind] = deque(maxlen=SAMPLES)
            classes[kind].append(sample)

    def close(self) -> list[Row]:
        """Return everything as rows, in the order of their scopes, and start afresh."""
        panes: dict[str, dict[int, list[int]]] = {OVERALL: {}} if self.rows else {}
        for (kind, second), row in self.rows.items():
            _sum(panes[OVERALL], second, row)
            if kind is not None:
                _sum(panes.setdefault(scope_of("commandType", kind), {}), second, row)
        for (scope, second), row in self.label_rows.items():
            _sum(panes.setdefault(scope, {}), second, row)
        samples = self.samples
        self.events, self.rows, self.label_rows, self.samples = 0, {}, {}, {}
        return [
            Row(
                scope,
                [(second, sparse(row)) for second, row in sorted(seconds.items())],
                in_order(samples.get(scope, {})),
            )
            for scope, seconds in sorted(panes.items())
        ]

    def _row(self, kind: str | None, second: int) -> list[int]:
        """Return the row of a command type (None: of none) in a pane."""
        row = self.rows.get((kind, second))
        if row is None:
            row = self.rows[kind, second] = [0] * WIDTH
        return row

    def _label_row(self, scope: str, second: int) -> list[int]:
        """Return the row of a label's scope in a pane."""
        return self.label_rows.setdefault((scope, second), [0] * WIDTH)


def in_order(classes: dict[SampleClass, deque[Sample]]) -> list[Sample]:
    """Return the samples of a scope, class by class."""
    return [sample for _, kept in sorted(classes.items()) for sample in kept]


def dense(row: Sparse) -> list[int]:
    """Return a row of counts with its zeros."""
    counts = [0] * WIDTH
    for column, number in row:
        counts[column] = number
    return counts


def _sum(seconds: dict[int, list[int]], second: int, row: list[int]) -> None:
    """Add *row* to the pane of *second*."""
    total = seconds.get(second)
    if total is None:
        seconds[second] = row.copy()
        return
    for column, number in enumerate(row):
        if number:
            total[column] += number
