"""A joint act as its audit rows tell it, and how a stored one differs from it. Pure.

The row that it was asked by holds the whole act, each signature has a row of its own, and so has
the end. So an act is rebuilt from them, whatever became of its document.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from governance.audit import Act, AuditRow
from governance.joint_acts import JointAct, JointStatus, Signature, Wording
from governance.provenance.reading import after_of

ENDS: Final = frozenset(
    {
        Act.JOINT_ACT_CARRIED.value,
        Act.JOINT_ACT_WITHDRAWN.value,
        Act.JOINT_ACT_VOIDED.value,
        Act.JOINT_ACT_EXPIRED.value,
    }
)
"""The acts of the log after which nobody signs any more."""


def asked(row: AuditRow) -> JointAct:
    """Return the act that somebody asked for.

    Raises:
        ValueError: the row does not hold one.
    """
    return JointAct.model_validate(after_of(row))


def moved(told: JointAct, row: AuditRow) -> JointAct:
    """Return *told* after a signature, or after its end."""
    after = after_of(row)
    if row.act == Act.RECORD_RESTORED:
        return told
    if row.act == Act.JOINT_ACT_SIGNED:
        given = Signature.model_validate(after)
        return told.model_copy(update={"signatures": [*told.signatures, given]})
    return told.ended(
        JointStatus(after["status"]),
        datetime.fromisoformat(row.at),
        by=row.actor,
        reason=after["because"],
    )


def differing(row: Mapping[str, Any], told: JointAct) -> list[str]:
    """Return in what a stored act (``id``, ``status``, ``document``) is not what is told."""
    try:
        found = JointAct.model_validate_json(row["document"])
    except (ValueError, TypeError):
        return ["document"]
    mine, theirs = told.to_wire(), found.to_wire()
    names = [name for name in mine if mine[name] != theirs[name]]
    if row["status"] != told.status.value and "status" not in names:
        names.append("status")
    if digest_of(found) != told.digest and "digest" not in names:
        names.append("digest")
    return names


def waits(row: Mapping[str, Any]) -> bool:
    """Whether a stored act waits for people, by its column or by its document."""
    if row["status"] == JointStatus.WAITING:
        return True
    with suppress(ValueError, TypeError):
        return JointAct.model_validate_json(row["document"]).status is JointStatus.WAITING
    return False


def digest_of(act: JointAct) -> str:
    """Return the digest of what *act* would do, computed anew."""
    return Wording(act.act, act.subject, act.summary, (), act.content).digest
