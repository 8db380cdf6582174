"""What the audit log tells of a proposal and its approvals, and how stored ones differ. Pure.

The rationale and the risk are too long for the log, and the digest that it tells names them: a
proposal whose content has another digest is not the one that people saw.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from governance.audit import Act, AuditRow, canonical
from governance.ladder import RISES, ApproverRole
from governance.proposals import Approval, Proposal, ProposalStatus, digest_of
from governance.provenance.reading import after_of
from schemas.wire import iso

CONTENT: Final = ("expansion", "rationale", "riskAssessment", "basis")
"""What people approve, by the names of the document."""

ENDS: Final = {
    Act.PROPOSAL_CARRIED.value: ProposalStatus.APPROVED,
    Act.PROPOSAL_REJECTED.value: ProposalStatus.REJECTED,
    Act.PROPOSAL_EXPIRED.value: ProposalStatus.EXPIRED,
    Act.PROPOSAL_VOIDED.value: ProposalStatus.VOIDED,
}
"""The acts of the log after which nobody approves any more."""


@dataclass(frozen=True, slots=True)
class ToldProposal:
    """One proposal as the log tells it; ``expires_at`` is None where it was not told."""

    id: str
    at: str
    proposed_by: str
    requested_by: str | None
    required: tuple[ApproverRole, ...]
    digest: str
    expires_at: str | None = None
    version: int = 1
    status: ProposalStatus = ProposalStatus.PENDING
    decided_at: str | None = None
    decided_by: str | None = None
    reason: str | None = None
    approvals: tuple[Approval, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a stored proposal has to say of itself, by the names of its fields."""
        told = {
            "id": self.id,
            "proposal_id": self.id,
            "timestamp": self.at,
            "proposed_by": self.proposed_by,
            "requested_by": self.requested_by,
            "required_approvals": list(self.required),
            "digest": self.digest,
            "version": self.version,
            "status": self.status,
            "decided_at": self.decided_at,
            "decided_by": self.decided_by,
            "reason": self.reason,
        }
        return told if self.expires_at is None else {**told, "expires_at": self.expires_at}

    def put_back(self, found: Proposal) -> Proposal:
        """Return *found* with everything that the log tells of it but the content's digest."""
        moments = {
            name: datetime.fromisoformat(text) if text else None
            for name, text in (("timestamp", self.at), ("decided_at", self.decided_at))
        }
        if self.expires_at is not None:
            moments["expires_at"] = datetime.fromisoformat(self.expires_at)
        told = {**self.facts, **moments, "digest": content_digest(found)}
        return found.model_copy(update=told).with_approvals(self.approvals)

    def voided(self, now: datetime, reason: str) -> ToldProposal:
        """Return it with every standing approval voided at *now*."""
        return _voided(self, iso(now), reason, lambda _: True)


def told_facts(proposal: Proposal) -> dict[str, Any]:
    """Return what the audit log keeps of a new proposal: enough to tell it, and its digest."""
    return {
        "digest": proposal.digest,
        "expansion": proposal.expansion.to_wire(),
        "basis": proposal.basis.to_wire(),
        "requestedBy": proposal.requested_by,
        "requiredApprovals": [role.value for role in proposal.required_approvals],
        "expiresAt": iso(proposal.expires_at),
    }


def opened(row: AuditRow) -> ToldProposal:
    """Return the proposal that an audit row says was made.

    A version that did not tell the roles took them from the phase table, which stands.
    """
    after = after_of(row)
    target = after["expansion"]["targetPhase"]
    by_table = next((rise.roles for rise in RISES if rise.target == target), ())
    said = after.get("requiredApprovals")
    return ToldProposal(
        id=row.subject,
        at=row.at,
        proposed_by=row.actor,
        requested_by=after["requestedBy"],
        required=by_table if said is None else tuple(map(ApproverRole, said)),
        digest=after["digest"],
        expires_at=after.get("expiresAt"),
    )


def moved(told: ToldProposal, row: AuditRow) -> ToldProposal:
    """Return *told* after an approval, after approvals were voided, or after its end."""
    after = after_of(row)
    if row.act == Act.PROPOSAL_APPROVED:
        return replace(told, approvals=(*told.approvals, Approval.model_validate(after)))
    if row.act == Act.RECORD_RESTORED:
        return replace(told, digest=after.get("digest", told.digest))
    if row.act == Act.APPROVALS_VOIDED:
        return _without_approvals(told, row, after)
    status = ENDS[row.act]
    ended = replace(
        told,
        status=status,
        digest=after["digest"],
        decided_at=row.at,
        decided_by=row.actor,
        reason=after["because"],
    )
    if status is ProposalStatus.APPROVED:
        return ended
    return _voided(ended, row.at, after["because"], lambda _: True)


def differing(found: Proposal, told: ToldProposal, *, content: str) -> list[str]:
    """Return the fields in which a stored proposal is not what is told; empty for none.

    *content* is the digest of its document, as `document_digest` reads it.
    """
    names = [
        name for name, value in told.facts.items() if _plain(getattr(found, name)) != _plain(value)
    ]
    if content != told.digest:
        names.append("content")
    mine, theirs = [_spelled(one) for one in told.approvals], map(_spelled, found.approvals)
    return names if mine == list(theirs) else [*names, "approvals"]


def document_digest(text: str) -> str:
    """Return the digest of what a stored document proposes, to the letter.

    A version that knows more fields than the one that wrote it would spell it otherwise.
    """
    document = json.loads(text)
    content = {name: document[name] for name in CONTENT}
    return hashlib.sha256((canonical(content) or "").encode("utf-8", "surrogatepass")).hexdigest()


def content_digest(proposal: Proposal) -> str:
    """Return the digest of what would be approved, computed anew."""
    return digest_of(
        proposal.expansion, proposal.rationale, proposal.risk_assessment, proposal.basis
    )


def _without_approvals(told: ToldProposal, row: AuditRow, after: dict[str, Any]) -> ToldProposal:
    """Return *told* after all approvals, or those of one person, were voided."""
    if "version" in after:
        bound = replace(told, version=after["version"], digest=after["digest"])
        return _voided(bound, row.at, after["because"], lambda _: True)
    people = _people(after)
    return _voided(told, row.at, after["because"], lambda one: one.approver in people)


def _people(after: dict[str, Any]) -> Sequence[str]:
    """Return whose approvals were voided, by all their spellings."""
    people: Sequence[str] = after.get("approvers", [after["approver"]])
    return people


def _voided(told: ToldProposal, at: str, reason: str, applies: Any) -> ToldProposal:
    """Return *told* with the standing approvals to which it *applies* voided."""
    gone = {"voided_at": datetime.fromisoformat(at), "void_reason": reason}
    return replace(
        told,
        approvals=tuple(
            one.model_copy(update=gone) if one.is_standing and applies(one) else one
            for one in told.approvals
        ),
    )


def _spelled(approval: Approval) -> dict[str, Any]:
    """Return an approval as it is written, to the millisecond."""
    return approval.to_wire()


def _plain(value: object) -> object:
    """Return *value* for comparing: moments as text."""
    return iso(value) if isinstance(value, datetime) else value
