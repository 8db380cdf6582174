"""What tests of the streams are about: records, batches, cuts and rules, in one line each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec

from rules.live import check_rule
from schemas.actions import DECISION, BreakerAction
from schemas.tallies import OVERALL, PANE, STEP, Column, Cut, Cuts, Row, Sample
from schemas.wire import iso_ms
from streams.batch import Batch, Output
from streams.rulebook import Entry
from tests.unit.rules.facts import rule

NOON: Final = 1_795_435_200_000
"""A moment that all resolutions divide."""

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


def command(event_id: str, *, at: int = NOON, **fields: Any) -> bytes:
    """Return the record of a command that succeeded, with some fields changed."""
    written = {
        "kind": "command",
        "id": event_id,
        "occurredAt": iso_ms(at),
        "commandId": f"c-{event_id}",
        "commandType": "FAN",
        "status": "succeeded",
    }
    return json.dumps(written | fields).encode()


def batch(
    values: Sequence[bytes | None],
    *,
    times: Sequence[int] | int = NOON,
    start: int = 0,
    partition: int = 0,
) -> Batch:
    """Return *values* as consecutive records from offset *start* on."""
    clocks = [times] * len(values) if isinstance(times, int) else times
    keys = [f"key-{number}".encode() for number in range(len(values))]
    return Batch(partition, range(start, start + len(values)), clocks, values, keys)


def covering(found: Batch, start: int, end: int) -> Batch:
    """Return *found* as a client brings it that read ``[start, end)``."""
    return replace(found, covers=(start, end))


def cuts_of(outputs: Iterable[Output], home: int = 0) -> list[Cut]:
    """Return the cuts that *outputs* publish on partition *home* of the tallies."""
    mine = (one for one in outputs if one.topic == "tallies" and one.partition == home)
    return [cut for one in mine for cut in msgspec.msgpack.decode(one.value, type=Cuts).cuts]


def dead_letters(outputs: Iterable[Output]) -> list[dict[str, str]]:
    """Return the headers of the dead letters among *outputs*."""
    return [
        {name: text.decode() for name, text in one.headers}
        for one in outputs
        if one.topic == "dead-letters"
    ]


def entry(version: int = 1, *, since: int = 0, **fields: Any) -> Entry:
    """Return a rule's version in force from *since*, as workers hear of it."""
    written = rule(**fields)
    live = check_rule(written, version=version, effective_from=since)
    return Entry(written.name, version, since, live if written.enabled else None)


def row(scope: str = OVERALL, *, at: int = NOON, ids: Sequence[str] = (), **columns: int) -> Row:
    """Return what a cut adds to *scope* in the second of *at*, with failures as evidence."""
    counts = [(int(Column[name.upper()]), number) for name, number in columns.items()]
    samples = [Sample(0, at // PANE, number, one) for number, one in enumerate(ids)]
    return Row(scope, [(at // PANE, counts)], samples)


def cut(frm: int, *rows: Row, upto: int | None = None, offset: int = 0) -> Cut:
    """Return a cut that begins at *frm* and, unless told, ends one step later."""
    return Cut(frm, frm + STEP if upto is None else upto, offset, list(rows), len(rows))


def tallies(
    *sources: tuple[int, Sequence[Cut]], start: int = 0, times: int = NOON, partition: int = 0
) -> Batch:
    """Return a batch of the tallies topic: one message for each ``(source partition, cuts)``."""
    encode = msgspec.msgpack.encode
    values = [encode(Cuts(source, list(cuts))) for source, cuts in sources]
    return batch(values, times=times, start=start, partition=partition)


def actions(outputs: Iterable[Output]) -> list[BreakerAction]:
    """Return the breaker actions among *outputs*."""
    found = (DECISION.validate_json(one.value) for one in outputs)
    return [one for one in found if isinstance(one, BreakerAction)]
