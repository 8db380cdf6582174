"""What the audit log tells of a breaker event, and how a row differs from it. Pure.

trip.applied ──► unresolved ──► event.acknowledged ──► event.resolved ──► event.reopened ─┐
                     ▲                                                                    │
                     └────────────────────────────────────────────────────────────────────┘
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from governance.audit import Act, AuditRow, canonical
from governance.provenance.reading import after_of

CONTENT: Final = (
    *("id", "timestamp", "rule_name", "rule", "rule_version", "scope", "scope_key"),
    *("command_type", "action", "severity", "metrics", "evidence", "escalation", "details"),
    *("caused_by", "recorded_at", "autonomy_epoch", "judge_epoch"),
)
"""The columns that nothing changes once an event is written; its digest names them."""

ANSWER: Final = (
    *("resolved", "resolved_at", "resolved_by", "finding", "notes", "cause", "incident_id"),
    *("acknowledged_at", "acknowledged_by", "reopened_at"),
)
"""The columns that people's answers write; the log tells every one of them."""

OF_TYPE: Final = "commandType="
"""How the key of a scope begins that is a command type."""


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """One event as the log tells it, by the names of the columns.

    ``digest``, ``timestamp`` and ``due_at`` are None where a version wrote the row that did not
    tell them. Moments are ISO 8601 text, as in the tables.
    """

    id: str
    rule_name: str
    rule_version: int
    scope_key: str
    action: str
    severity: str
    caused_by: str | None
    recorded_at: str
    command_type: str | None = None
    timestamp: str | None = None
    due_at: str | None = None
    digest: str | None = None
    resolved: int = 0
    resolved_at: str | None = None
    resolved_by: str | None = None
    finding: str | None = None
    notes: str | None = None
    cause: str | None = None
    incident_id: str | None = None
    acknowledged_at: str | None = None
    acknowledged_by: str | None = None
    reopened_at: str | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """Return the columns that the log tells, but for moments that it may not know."""
        told = ("rule_name", "rule_version", "scope_key", "action", "severity", "caused_by")
        names = [*told, "recorded_at", *ANSWER]
        names += [name for name in ("timestamp", "due_at") if getattr(self, name) is not None]
        if self.digest is not None or self.scope_key.startswith(OF_TYPE):
            names.append("command_type")
        return {name: getattr(self, name) for name in names}


def digest_of(row: Mapping[str, Any]) -> str:
    """Return what names the content of an event's *row*."""
    text = canonical({name: row[name] for name in CONTENT}) or ""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def differing(row: Mapping[str, Any], told: ToldEvent) -> list[str]:
    """Return the columns in which *row* is not what the log tells; empty for none."""
    found = [name for name, value in told.facts.items() if row[name] != value]
    if not found and told.digest is not None and digest_of(row) != told.digest:
        found.append("content")
    return found


def told_facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the audit log keeps of an event's *row*: enough to tell it, and its digest."""
    return {
        "rule": row["rule_name"],
        "ruleVersion": row["rule_version"],
        "scope": row["scope_key"],
        "action": row["action"],
        "severity": row["severity"],
        "causedBy": row["caused_by"],
        "commandType": row["command_type"],
        "timestamp": row["timestamp"],
        "dueAt": row["due_at"],
        "recordedAt": row["recorded_at"],
        "digest": digest_of(row),
    }


def opened(row: AuditRow) -> ToldEvent:
    """Return the event that an audit row of a trip, or of an escalation, tells."""
    return _told(row.subject, {"recordedAt": row.at, **after_of(row)})


def reopened(row: AuditRow) -> ToldEvent:
    """Return the event that waits again, as the row alone tells it.

    Raises:
        KeyError: a version wrote it that did not.
    """
    before = after_of(row._replace(after=row.before))
    told = _told(row.subject, after_of(row)["event"])
    kept = {"notes": before["notes"], "cause": before["cause"], "incident_id": before["incidentId"]}
    return moved(replace(told, **kept), row)


def _told(event_id: str, facts: Mapping[str, Any]) -> ToldEvent:
    """Return the event that *facts* tell; a version before told fewer of them."""
    scope_key = facts["scope"]
    by_key = scope_key.removeprefix(OF_TYPE) if scope_key.startswith(OF_TYPE) else None
    return ToldEvent(
        id=event_id,
        rule_name=facts["rule"],
        rule_version=facts["ruleVersion"],
        scope_key=scope_key,
        action=facts["action"],
        severity=facts["severity"],
        caused_by=facts["causedBy"],
        recorded_at=facts["recordedAt"],
        command_type=facts.get("commandType", by_key),
        timestamp=facts.get("timestamp"),
        due_at=facts.get("dueAt"),
        digest=facts.get("digest"),
    )


def moved(told: ToldEvent, row: AuditRow) -> ToldEvent:
    """Return *told* after what an audit row says that people, or we, did to it."""
    after = after_of(row)
    if row.act == Act.EVENT_ACKNOWLEDGED:
        return replace(told, acknowledged_at=row.at, acknowledged_by=row.actor)
    if row.act == Act.EVENT_RESOLVED:
        return replace(
            told,
            resolved=1,
            resolved_at=row.at,
            resolved_by=row.actor,
            finding=after["finding"],
            notes=after["notes"],
            cause=after.get("cause"),
            incident_id=after.get("incidentId"),
        )
    if row.act == Act.EVENT_REOPENED:
        return replace(
            told,
            resolved=0,
            resolved_at=None,
            resolved_by=None,
            finding=None,
            acknowledged_at=None,
            acknowledged_by=None,
            reopened_at=row.at,
            due_at=after.get("dueAt"),
        )
    return replace(told, **_restored(after)) if row.act == Act.RECORD_RESTORED else told


def _restored(after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the row has been since it was put back, beside what was told before."""
    names = {"timestamp": "timestamp", "due_at": "dueAt", "digest": "digest"}
    return {name: after[told] for name, told in (*names.items(), ("command_type", "commandType"))}
