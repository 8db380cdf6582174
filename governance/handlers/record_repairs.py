"""Records that SQL changed: put back to what the audit log tells, voided, and alarmed.

an event           as it was told: what only SQL resolved waits for people again
an act, a proposal void: nobody knows any more what people signed
a token            the rights that both its row and the log give it
what no row tells  removed, but for events, which only keep people waiting
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from governance import alerts
from governance.audit import Act
from governance.deadlines import due_at
from governance.desk import Desk
from governance.handlers.changes import publish_alert
from governance.handlers.closing import close_act, take_back, take_back_approvals
from governance.handlers.lowering import SYSTEM, close_proposal
from governance.handlers.records import (
    ACTS,
    EVENTS,
    PROPOSALS,
    TOKENS,
    ledger_of,
    present_differences,
    told_of,
)
from governance.handlers.standing_repairs import put_standing_back
from governance.joint_acts import JointAct, JointStatus
from governance.proposals import Proposal, ProposalStatus
from governance.provenance import ToldEvent, ToldProposal, ToldToken, tokens
from governance.provenance.differences import GONE, UNTOLD, Difference
from governance.provenance.events import told_facts
from governance.store import Unit
from governance.store.moments import read_moment
from governance.store.proposals import read_row as read_proposal
from governance.store.tokens import read_row as read_token_row
from schemas.events import Severity
from schemas.rules import RuleSummary
from schemas.wire import iso

SQL: Final = "sql"
"""The actor of a change that was made by SQL: the database does not say who."""

LONGEST: Final = 500
"""Characters that the audit log keeps of a value that SQL wrote."""

SECRET: Final = frozenset({"hash"})
"""Columns of which the audit log keeps nothing."""


def settle_records(desk: Desk, *ids: str) -> int:
    """Put back, or void, what SQL changed of records; return how many there were.

    *ids* are looked at too if they wait by their own word.

    Raises:
        Unavailable: the database is busy or away.
    """
    with desk.ledger.turn, desk.store.reading() as unit:
        if not any(present_differences(desk, unit, ids)):
            return 0
    now = desk.clock()
    with desk.store.writing(lowers=True) as unit:
        found = list(present_differences(desk, unit, ids))
        for difference in found:
            _settle(desk, unit, difference, now)
    return len(found)


def _settle(desk: Desk, unit: Unit, found: Difference, now: datetime) -> None:
    """Put one record back, or void it, and say so in the audit log and by alert."""
    before, after = _repaired(desk, unit, found, now)
    entry = unit.audit.append(
        Act.RECORD_RESTORED,
        found.id,
        actor=SQL,
        at=now,
        before=before,
        after={"table": found.table, **after, "because": str(found)},
    )
    epoch = unit.autonomy.load().epoch
    alert = alerts.record_restored(found, cause=entry.hash[:32], epoch=epoch, at=now)
    publish_alert(unit, alert, now)


def _repaired(
    desk: Desk, unit: Unit, found: Difference, now: datetime
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Put one record back, or void it; return what the audit log keeps, before and after."""
    repair = {EVENTS: _event, ACTS: _act, PROPOSALS: _proposal, TOKENS: _token}.get(found.table)
    before: dict[str, Any] = {"differs": list(found.fields)}
    if repair is None:
        told = ledger_of(desk, unit).standing
        return before, put_standing_back(unit, told, found)
    row = next(iter(unit.records.rows(found.table, [found.id])), None)
    before["found"] = _shown(row, found)
    return before, repair(desk, unit, found, row, now)


def _event(
    desk: Desk, unit: Unit, found: Difference, row: Mapping[str, Any] | None, now: datetime
) -> dict[str, Any]:
    """Put an event back to what is told of it; what cannot be read is left out."""
    told = ledger_of(desk, unit).events[found.id]
    columns = {**(_of_told(desk, unit, told) if row is None else {}), **told.facts}
    unit.records.put(EVENTS, found.id, columns)
    try:
        unit.events.explained(found.id)
    except (ValueError, TypeError, KeyError):
        unit.records.put(EVENTS, found.id, {**_of_told(desk, unit, told), **told.facts})
    (after,) = unit.records.rows(EVENTS, [found.id])
    return {**told_facts(after), "resolved": bool(after["resolved"])}


def _of_told(desk: Desk, unit: Unit, told: ToldEvent) -> dict[str, Any]:
    """Return the columns of an event whose own row is lost."""
    tripped = told.timestamp or told.recorded_at
    due = due_at(Severity(told.severity), read_moment(tripped), desk.hours)
    return {
        "timestamp": tripped,
        "rule": _rule_of(unit, told).model_dump_json(by_alias=True),
        "scope": told.command_type or told.scope_key,
        "command_type": told.command_type,
        "metrics": "{}",
        "evidence": None,
        "escalation": None,
        "details": f"{told.rule_name} for {told.scope_key}, as the audit log tells it: "
        "its row was changed by SQL",
        "due_at": told.due_at or iso(due),
        "autonomy_epoch": unit.autonomy.load().epoch,
        "judge_epoch": None,
    }


def _rule_of(unit: Unit, told: ToldEvent) -> RuleSummary:
    """Return the rule that tripped, as far as it is still known."""
    versions = {one.version: one.rule for one in unit.rules.versions(told.rule_name)}
    rule = versions.get(told.rule_version)
    return RuleSummary(
        name=told.rule_name,
        condition=rule.condition if rule else "not known any more",
        window=rule.window if rule else "5m",
        action=told.action,
        alert_severity=told.severity,
    )


def _act(
    desk: Desk, unit: Unit, found: Difference, row: Mapping[str, Any] | None, now: datetime
) -> dict[str, Any]:
    """Void an act that waits and is not what people signed; one that is decided stays so."""
    told: JointAct | None = ledger_of(desk, unit).joint_acts.get(found.id)
    told = told or told_of(unit, found.id).joint_acts.get(found.id)
    if told is None:
        unit.records.remove(ACTS, found.id)
        return {"removed": True}
    unit.joint_acts.put_back(told)
    if told.status is JointStatus.WAITING:
        gone = told.ended(JointStatus.VOIDED, now, by=SYSTEM, reason=f"changed by SQL: {found}")
        close_act(unit, gone, act=Act.JOINT_ACT_VOIDED, now=now)
    return {"removed": False}


def _proposal(
    desk: Desk, unit: Unit, found: Difference, row: Mapping[str, Any] | None, now: datetime
) -> dict[str, Any]:
    """Void a proposal that waits and is not what people approved; one that is decided stays so."""
    told: ToldProposal | None = ledger_of(desk, unit).proposals.get(found.id)
    told = told or told_of(unit, found.id).proposals.get(found.id)
    kept = read_proposal(row, []) if row is not None else None
    if told is None or kept is None:
        unit.proposals.remove(found.id)
        return {"removed": True}
    return {"digest": _voided(unit, kept, told, found, now).digest}


def _voided(
    unit: Unit, kept: Proposal, told: ToldProposal, found: Difference, now: datetime
) -> Proposal:
    """Write a proposal as it is told, void if it waited; return it."""
    if told.status is not ProposalStatus.PENDING:
        back = told.put_back(kept)
        unit.proposals.put_back(back)
        return back
    reason = f"changed by SQL: {found}"
    back = told.voided(now, reason).put_back(kept)
    unit.proposals.put_back(back)
    gone = back.ended(ProposalStatus.VOIDED, now, by=SYSTEM, reason=reason)
    publish_alert(unit, close_proposal(unit, gone, act=Act.PROPOSAL_VOIDED, now=now), now)
    return gone


def _token(
    desk: Desk, unit: Unit, found: Difference, row: Mapping[str, Any] | None, now: datetime
) -> dict[str, Any]:
    """Give a token the rights that both its row and the log give it, or end it."""
    told: ToldToken | None = ledger_of(desk, unit).tokens.get(found.id)
    kept = read_token_row(row) if row is not None else None
    if told is None or row is None:
        unit.records.remove(TOKENS, found.id)
        if told is not None and told.shown.revoked_at is None:
            _take_back(unit, told.shown.principal, now)
        return {"removed": True}
    shown = tokens.revoked(told.shown, now)
    if kept is not None and "hash" not in found.fields:
        shown = tokens.least(kept.shown, told.shown)
    unit.tokens.put_back(shown)
    if shown.revoked_at is not None and told.shown.revoked_at is None:
        _take_back(unit, shown.principal, now)
    return {**shown.to_wire(), "proof": tokens.proof_of(row["hash"])}


def _take_back(unit: Unit, person: str, now: datetime) -> None:
    """Void what somebody asked for and approved whose token SQL ended."""
    why = f"a token of {person} was changed by SQL"
    take_back(unit, person, now, because=why)
    take_back_approvals(unit, person, now, because=why)


def _shown(row: Mapping[str, Any] | None, found: Difference) -> dict[str, str | None]:
    """Return what SQL wrote, for people; all of a row that no audit row tells."""
    if row is None:
        return {}
    names = row.keys() if found.fields in (UNTOLD, GONE) else found.fields
    return {
        name: None if row[name] is None else str(row[name])[:LONGEST]
        for name in names
        if name in row and name not in SECRET
    }
