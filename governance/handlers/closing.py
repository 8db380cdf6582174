"""Closing: what ends a joint act, and what a person who is no longer known leaves undecided."""

from __future__ import annotations

from datetime import datetime

from governance import joint_alerts, ladder_alerts
from governance.audit import Act
from governance.handlers.changes import publish_alert
from governance.handlers.lowering import SYSTEM
from governance.joint_acts import JointAct, JointStatus
from governance.people import is_same_person
from governance.store import Unit


def close_act(unit: Unit, decided: JointAct, *, act: Act, now: datetime) -> JointAct:
    """Write that an act is decided, with its audit row and its alert; return it."""
    unit.joint_acts.save(decided)
    unit.audit.append(
        act,
        decided.id,
        actor=decided.decided_by or SYSTEM,
        at=now,
        before={"status": JointStatus.WAITING.value},
        after={
            "status": decided.status.value,
            "act": decided.act,
            "subject": decided.subject,
            "digest": decided.digest,
            "people": decided.people,
            "because": decided.reason,
        },
    )
    epoch = unit.autonomy.load().epoch
    publish_alert(unit, joint_alerts.closed(decided, epoch=epoch, at=now), now)
    return decided


def take_back(unit: Unit, person: str, now: datetime, *, because: str) -> None:
    """Void what waits and *person* has signed: they are no longer somebody who may."""
    for act in unit.joint_acts.waiting():
        if now < act.expires_at and any(
            is_same_person(one.person, person) for one in act.signatures
        ):
            gone = act.ended(JointStatus.VOIDED, now, by=SYSTEM, reason=because)
            close_act(unit, gone, act=Act.JOINT_ACT_VOIDED, now=now)


def take_back_approvals(unit: Unit, person: str, now: datetime, *, because: str) -> None:
    """Void what *person* approved of what is not decided yet; the other approvals stand."""
    for proposal in unit.proposals.pending():
        names = sorted(
            {
                one.approver
                for one in proposal.approvals
                if one.is_standing and is_same_person(one.approver, person)
            }
        )
        if not names:
            continue
        count = unit.proposals.void_approvals(proposal.id, now, reason=because, approvers=names)
        row = unit.audit.append(
            Act.APPROVALS_VOIDED,
            proposal.id,
            actor=SYSTEM,
            at=now,
            after={
                "digest": proposal.digest,
                "approver": person,
                "approvers": names,
                "because": because,
            },
        )
        alert = ladder_alerts.approvals_voided(
            proposal, count, reason=because, at=now, cause=row.hash[:16]
        )
        publish_alert(unit, alert, now)
