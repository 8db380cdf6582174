"""What tally tells judge: what was counted in each step of a source partition's clock.

    command-events, one partition        cut            cut            cut
    ── r r r r ── r r ── tick ── r r r ───┼── r r r ─────┼── tick ──────┼──►  append time
                                         frm            upto
                                          └── Cut(frm, upto, rows) ─────┘

A cut holds only *increments*: what the records between two multiples of 100 ms of append time
added to each (scope, pane). Each cut names the one before it (``frm``), so a hole is seen and a
repeat is skipped, whoever sent it. Messages are msgpack arrays; field order is the format.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import msgspec

from schemas.wire import OVERFLOW

STEP: Final = 100
"""Milliseconds between two cuts: every decision falls on a multiple of it."""

PANE: Final = 1_000
"""Milliseconds in a fine pane."""

LATENESS: Final = 60_000
"""How far behind its partition's clock an event may have happened and still count."""

EARLINESS: Final = 30_000
"""How far ahead of its partition's clock an event may have happened; beyond, it counts at it."""

ID_MEMORY: Final = 15 * 60_000
"""How long an event id is remembered at least, unless more than `ID_LIMIT` come sooner."""

ID_LIMIT: Final = 500_000
"""Ids remembered per source partition at most (two generations of half of it)."""

OVERALL: Final = "*"
"""The scope of everything."""

OTHER: Final = OVERFLOW
"""The scope value that stands for all beyond the cap on distinct values; nobody may send it."""

SAMPLES: Final = 20
"""Failing commands kept as evidence per scope, class and cut."""


class Column(IntEnum):
    """What is counted in a pane; the position in a row of counts."""

    PROPOSED = 0
    APPROVED = 1
    REJECTED = 2
    SUCCEEDED = 3
    FAILED = 4
    TIMED_OUT = 5
    ROLLED_BACK = 6
    OVERRIDDEN = 7
    INCIDENT_CRITICAL = 8
    INCIDENT_HIGH = 9
    INCIDENT_MEDIUM = 10
    INCIDENT_LOW = 11
    INCIDENT_AUTONOMOUS = 12
    INCIDENT_CRITICAL_AUTONOMOUS = 13
    CONSTRAINT_VIOLATION = 14
    EMERGENCY_ABORT = 15
    SAFETY_GATE_TRIGGER = 16
    SUCCEEDED_AUTONOMOUS = 17
    FAILED_AUTONOMOUS = 18


WIDTH: Final = len(Column)

Counts = list[int]
"""One number per `Column`."""


class SampleClass(IntEnum):
    """What kind of evidence a sample is; a rule shows the classes that its metrics stand on."""

    FAILURE = 0
    ROLLBACK = 1
    OVERRIDE = 2
    INCIDENT = 3
    SAFETY = 4


SAMPLE_CLASS: Final[dict[Column, SampleClass]] = {
    Column.FAILED: SampleClass.FAILURE,
    Column.TIMED_OUT: SampleClass.FAILURE,
    Column.ROLLED_BACK: SampleClass.ROLLBACK,
    Column.OVERRIDDEN: SampleClass.OVERRIDE,
    Column.INCIDENT_CRITICAL: SampleClass.INCIDENT,
    Column.INCIDENT_HIGH: SampleClass.INCIDENT,
    Column.INCIDENT_MEDIUM: SampleClass.INCIDENT,
    Column.INCIDENT_LOW: SampleClass.INCIDENT,
    Column.CONSTRAINT_VIOLATION: SampleClass.SAFETY,
    Column.EMERGENCY_ABORT: SampleClass.SAFETY,
    Column.SAFETY_GATE_TRIGGER: SampleClass.SAFETY,
}
"""The class of the sample that an event in a column leaves; other columns leave none."""


class Sample(msgspec.Struct, array_like=True, frozen=True):
    """One bad event as evidence: ``id`` is the command's, the incident's or the event's."""

    kind: int
    pane: int
    offset: int
    id: str


class Row(msgspec.Struct, array_like=True, frozen=True):
    """What one cut adds to one scope: increments per pane, and the newest bad events.

    ``panes`` holds ``(pane, [(column, increment), ...])``; a pane is event time // 1 s.
    """

    scope: str
    panes: list[tuple[int, list[tuple[int, int]]]]
    samples: list[Sample]


class Cut(msgspec.Struct, array_like=True, frozen=True):
    """What the records of ``[frm, upto)`` of append time added; both are multiples of `STEP`.

    All of it came before ``frm + STEP``: had a record come later, there would be a cut there.
    ``offset`` is the source offset of the first record after the cut, ``events`` the number of
    events counted in it, whatever their scopes.
    """

    frm: int
    upto: int
    offset: int
    rows: list[Row]
    events: int = 0


class Cuts(msgspec.Struct, array_like=True, frozen=True):
    """One message on ``tallies``: the cuts that one batch of one source partition closed.

    It names its source, and so all partitions before it; one without cuts does nothing else.
    """

    partition: int
    cuts: list[Cut]


def scope_of(dimension: str, value: str) -> str:
    """Return the key of the scope that holds all events whose *dimension* has *value*.

    >>> scope_of("commandType", "SET_POWER")
    'commandType=SET_POWER'
    """
    return f"{dimension}={value}"


def dimension_of(scope: str) -> str:
    """Return what a scope groups by: ``overall``, ``commandType`` or ``labels.NAME``."""
    return "overall" if scope == OVERALL else scope.split("=", 1)[0]


def value_of(scope: str) -> str:
    """Return the value part of a scope key (``*`` for overall)."""
    return OVERALL if scope == OVERALL else scope.split("=", 1)[1]
