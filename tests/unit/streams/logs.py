"""Logs of one source partition for hypothesis: short, and at the edges of everything."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any, Final

import msgspec
from hypothesis import strategies as st

from schemas.tallies import EARLINESS, LATENESS
from schemas.wire import iso_ms
from streams.batch import Batch, Output
from streams.deltas import TallyDelta
from streams.tally import Tally
from tests.unit.streams.facts import MINUTE, NOON, batch

PAUSES: Final = (0, 0, 0, 0, 1, 30, 99, 100, 101, 900, 2_000, MINUTE, 16 * MINUTE, -70)
"""Between two records' append times; the broker's clock may stand back."""

EDGES: Final = (
    -1, -999, -1_000, -1_001, -5_000, -LATENESS - 1, -LATENESS, -LATENESS + 1,
    -LATENESS - 999, -LATENESS - 1_000, EARLINESS - 1_000, EARLINESS - 999, EARLINESS - 1,
    EARLINESS, EARLINESS + 1, 10 * MINUTE,
)  # fmt: skip
SHIFTS: Final = (0,) * len(EDGES) + EDGES
"""How far from its append time an event happened (ms): as often as not, not at all."""

KINDS: Final = ("FAN", "FAN", "DRUM", "加熱")
COMMANDS: Final[tuple[dict[str, Any] | None, ...]] = tuple(
    {"kind": "command", "commandId": "c", "status": status}
    for status in ("succeeded", "succeeded", "proposed", "failed", "timed_out")
)
OTHERS: Final[tuple[dict[str, Any] | None, ...]] = (
    None,
    {"kind": "incident", "incidentId": "i", "severity": "critical", "autonomous": True},
    {"kind": "incident", "incidentId": "i", "severity": "low", "commandType": None},
    {"kind": "safety", "signal": "emergency_abort", "commandId": "c"},
    {"kind": "order"},
)
LABELS: Final = (None, None, {"site": "zug"}, {"site": "ulm", "line": "7"}, {"line": ""})

Recipe = tuple[int, int, int, str, dict[str, Any] | None, dict[str, str] | None]
"""A pause, a shift, an id, a command type, what it is, and its labels."""


def recipes(shapes: tuple[dict[str, Any] | None, ...]) -> st.SearchStrategy[Recipe]:
    """Return what one record may be made of."""
    return st.tuples(
        st.sampled_from(PAUSES),
        st.sampled_from(SHIFTS),
        st.integers(0, 30) | st.integers(0, 10**6),
        st.sampled_from(KINDS),
        st.sampled_from(shapes),
        st.sampled_from(LABELS),
    )


def logs() -> st.SearchStrategy[Batch]:
    """Return logs of up to 25 records: events of all kinds, repeats, rubbish and ticks."""
    mixed = st.lists(recipes(COMMANDS + OTHERS), min_size=1, max_size=25)
    commands = st.lists(recipes(COMMANDS), min_size=1, max_size=25)
    return (commands | mixed).map(written)


def written(records: list[Recipe]) -> Batch:
    """Return the log of *records*; one of nothing is a tick."""
    times = [NOON + pause for pause in accumulate(record[0] for record in records)]
    values = []
    for time, (_, shift, number, kind, shape, labels) in zip(times, records, strict=True):
        about = {"id": str(number), "occurredAt": iso_ms(time + shift), "labels": labels}
        event = {**about, "commandType": kind, **(shape or {})}
        values.append(json.dumps(event).encode() if shape else b"")
    return batch(values, times=times)


@st.composite
def pieces(draw: st.DrawFn, log: Batch) -> list[Batch]:
    """Return *log* as consecutive batches."""
    size = len(log.offsets)
    places = sorted(draw(st.sets(st.integers(0, size), max_size=5)) | {0, size})
    return [piece(log, start, stop) for start, stop in pairwise(places)]


def piece(log: Batch, start: int, stop: int) -> Batch:
    """Return the records ``[start, stop)`` of *log* as a batch of their own."""
    return replace(
        log,
        offsets=log.offsets[start:stop],
        times=log.times[start:stop],
        values=log.values[start:stop],
        keys=log.keys[start:stop],
    )


def fold_all(tally: Tally, batches: list[Batch]) -> list[Output]:
    """Return everything that *tally* publishes of *batches*."""
    return [output for one in batches for output in tally.fold(one)]


def ordered(delta: TallyDelta | None) -> TallyDelta | None:
    """Return *delta* with its rows in order: theirs says nothing."""
    if delta is None:
        return None
    rows = sorted(delta.rows, key=lambda one: (one[0] or "", one[1]))
    return msgspec.structs.replace(delta, rows=rows)
