"""What subscribers are told of acts that take more than one person, as pure functions."""

from __future__ import annotations

from datetime import datetime

from governance.joint_acts import JointAct
from schemas.alerts import Alert, AlertData, AlertType
from schemas.events import Severity


def waiting(act: JointAct, *, epoch: int) -> Alert:
    """Return the alert that an act waits for other people."""
    roles = ", ".join(act.missing_roles)
    whom = f"waits for {roles}" if roles else "waits for a second person"
    said = f"{act.people} asked: {act.summary}; it {whom}"
    return _of(act, AlertType.ACT_WAITING, said, epoch=epoch, at=act.asked_at)


def closed(act: JointAct, *, epoch: int, at: datetime) -> Alert:
    """Return the alert that an act was carried out, or never will be."""
    why = f": {act.reason}" if act.reason else ""
    said = f"{act.summary}: {act.status} by {act.decided_by}{why}"
    return _of(act, AlertType.ACT_CLOSED, said, epoch=epoch, at=at)


def _of(act: JointAct, kind: AlertType, said: str, *, epoch: int, at: datetime) -> Alert:
    """Return an alert about *act*."""
    return Alert(
        id=f"{act.id}:{kind.rsplit('.', 1)[-1]}",
        type=kind,
        subject=act.subject,
        time=at,
        data=AlertData(
            summary=said,
            severity=Severity.LOW,
            scope="*",
            autonomy_epoch=epoch,
            context={"jointAct": act.to_wire()},
        ),
    )
