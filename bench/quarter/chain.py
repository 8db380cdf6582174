"""The audit log of a quarter: what was done about each event, in one chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any, Final

from sqlalchemy import Engine, insert

from governance.audit import Act, AuditRow, Checkpoint, canonical, chained
from governance.events import ExplainedEvent
from governance.store.tables import audit_log
from schemas.wire import iso

ROWS: Final = 100_000
"""Rows at least."""

CHUNK: Final = 10_000

ABOUT: Final = (
    (Act.TRIP_APPLIED, "judge"),
    (Act.TYPE_PAUSED, "judge"),
    (Act.EVENT_ACKNOWLEDGED, "anna"),
    (Act.EVENT_RESOLVED, "anna"),
    (Act.TYPE_RESUMED, "ben"),
)
"""What happens to an event, and who does it."""


def write(engine: Engine, head: Checkpoint, events: Sequence[ExplainedEvent]) -> Checkpoint:
    """Append what happened to *events*, over and over until there are `ROWS`; return the head."""
    rows = list(_rows(head, events))
    with engine.begin() as connection:
        for first in range(0, len(rows), CHUNK):
            chunk = rows[first : first + CHUNK]
            connection.execute(insert(audit_log), [row._asdict() for row in chunk])
    return Checkpoint(rows[-1].seq, rows[-1].hash)


def _rows(head: Checkpoint, events: Sequence[ExplainedEvent]) -> Iterator[AuditRow]:
    """Yield the rows that follow *head*."""
    previous = head.hash
    for seq in count(head.seq + 1):
        if seq > ROWS + head.seq:
            return
        number = seq - head.seq - 1
        event = events[number // len(ABOUT) % len(events)]
        act, actor = ABOUT[number % len(ABOUT)]
        row = _row(seq, event.timestamp, actor=actor, act=act, event=event, previous=previous)
        previous = row.hash
        yield row


def _row(
    seq: int, at: datetime, *, actor: str, act: Act, event: ExplainedEvent, previous: str
) -> AuditRow:
    """Return one row; its snapshot is as long as the product's."""
    after: Mapping[str, Any] = {
        "rule": event.rule.name,
        "ruleVersion": event.rule_version,
        "scope": event.scope_key,
        "action": event.action.value,
        "severity": event.severity.value,
        "causedBy": event.caused_by,
    }
    facts = (seq, iso(at), actor, act.value, event.id, None, canonical(after))
    return AuditRow(*facts, prev_hash=previous, hash=chained(previous, facts))
