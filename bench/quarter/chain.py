"""The audit log of a quarter: what was done about each event, in one chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, cycle, islice
from typing import Any, Final

from sqlalchemy import Engine, insert

from governance.audit import Act, AuditRow, Checkpoint, canonical, chained
from governance.provenance.events import told_facts
from governance.store.tables import audit_log

ROWS: Final = 100_000
"""Rows at least."""

CHUNK: Final = 10_000

FILLING: Final = ((Act.TYPE_PAUSED, "judge"), (Act.TYPE_RESUMED, "ben"))
"""What happens to an event's type beside, over and over until there are rows enough."""

Told = tuple[str, str, Act, str, Mapping[str, Any]]
"""When, who, what, on which event, and what of it."""


def write(engine: Engine, head: Checkpoint, events: Sequence[Mapping[str, Any]]) -> Checkpoint:
    """Append what happened to *events* (rows of their table); return the head."""
    rows = list(_rows(head, events))
    with engine.begin() as connection:
        for first in range(0, len(rows), CHUNK):
            chunk = rows[first : first + CHUNK]
            connection.execute(insert(audit_log), [row._asdict() for row in chunk])
    return Checkpoint(rows[-1].seq, rows[-1].hash)


def _rows(head: Checkpoint, events: Sequence[Mapping[str, Any]]) -> Iterator[AuditRow]:
    """Yield the rows that follow *head*."""
    previous = head.hash
    told = chain.from_iterable(map(_told, events))
    for seq, (at, actor, act, name, after) in enumerate(
        islice(chain(told, _filling(events)), ROWS), head.seq + 1
    ):
        facts = (seq, at, actor, act.value, name, None, canonical(after))
        row = AuditRow(*facts, prev_hash=previous, hash=chained(previous, facts))
        previous = row.hash
        yield row


def _told(event: Mapping[str, Any]) -> Iterator[Told]:
    """Yield what happened to one event, as the product tells it."""
    name = event["id"]
    yield event["recorded_at"], "judge", Act.TRIP_APPLIED, name, told_facts(event)
    if event["acknowledged_at"]:
        seen = {"acknowledged": True}
        answered = event["acknowledged_at"], event["acknowledged_by"]
        yield *answered, Act.EVENT_ACKNOWLEDGED, name, seen
    if event["resolved"]:
        after = {one: event[one] for one in ("finding", "notes", "cause")}
        after |= {"resolved": True, "incidentId": event["incident_id"]}
        yield event["resolved_at"], event["resolved_by"], Act.EVENT_RESOLVED, name, after


def _filling(events: Sequence[Mapping[str, Any]]) -> Iterator[Told]:
    """Yield what happened beside, without an end; as long as the product's rows."""
    for event in cycle(events):
        for act, actor in FILLING:
            yield event["timestamp"], actor, act, event["id"], told_facts(event)
