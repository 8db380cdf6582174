"""Proposals and the approvals that people gave them; nothing here is ever removed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, insert, select, update

from governance.proposals import Approval, Proposal, ProposalStatus
from governance.store.ladder_tables import proposal_approvals as approvals
from governance.store.ladder_tables import scope_expansion_proposals as proposals
from governance.store.moments import read_moment
from schemas.errors import NotFound
from schemas.wire import iso

APART: Final = {"approvals", "missing_approvals"}
"""What is kept in rows of its own, or follows from them."""


class ProposalShelf:
    """Loads and saves proposals, each with its approvals.

    A row that SQL made unreadable is passed over: it cannot be approved, and above all it cannot
    keep autonomy from being lowered.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, proposal: Proposal) -> None:
        """Insert a new proposal, which has no approvals yet."""
        self._connection.execute(insert(proposals).values(_row(proposal)))

    def save(self, proposal: Proposal) -> None:
        """Write what became of a proposal; its approvals stay as they are."""
        self._connection.execute(
            update(proposals).where(proposals.c.id == proposal.id).values(_row(proposal))
        )

    def require(self, proposal_id: str) -> Proposal:
        """Return one proposal, pending or not.

        Raises:
            NotFound: there is none; carries near matches among the newest.
        """
        found = self._listed(select(proposals.c.proposal).where(proposals.c.id == proposal_id))
        if not found:
            newest = select(proposals.c.id).order_by(proposals.c.seq.desc()).limit(100)
            known = list(self._connection.execute(newest).scalars())
            raise NotFound("proposal", proposal_id, known)
        return found[0]

    def pending(self) -> list[Proposal]:
        """Return all that wait for people, newest first."""
        waiting = proposals.c.status == ProposalStatus.PENDING.value
        return self._listed(
            select(proposals.c.proposal).where(waiting).order_by(proposals.c.seq.desc())
        )

    def newest(self, limit: int) -> list[Proposal]:
        """Return the newest *limit*, whatever became of them, newest first."""
        return self._listed(
            select(proposals.c.proposal).order_by(proposals.c.seq.desc()).limit(limit)
        )

    def approve(self, proposal_id: str, approval: Approval) -> None:
        """Add an approval; the database refuses a second standing one of the same role."""
        row = approval.model_dump(mode="json", exclude={"voided_at", "void_reason"})
        self._connection.execute(insert(approvals).values(proposal_id=proposal_id, **row))

    def void_approvals(
        self, proposal_id: str, now: datetime, *, reason: str, approver: str | None = None
    ) -> int:
        """Say of every standing approval why it no longer counts; return how many there were.

        With an *approver* only of theirs.
        """
        gone = (
            update(approvals)
            .where(approvals.c.proposal_id == proposal_id, approvals.c.voided_at.is_(None))
            .values(voided_at=iso(now), void_reason=reason)
        )
        if approver is not None:
            gone = gone.where(approvals.c.approver == approver)
        return int(self._connection.execute(gone).rowcount)

    def _listed(self, wanted: Select[Any]) -> list[Proposal]:
        """Return the proposals that a query finds, with their approvals."""
        read = [_read(text) for text in self._connection.execute(wanted).scalars()]
        found = [proposal for proposal in read if proposal is not None]
        given = self._approvals([proposal.id for proposal in found])
        return [proposal.with_approvals(given[proposal.id]) for proposal in found]

    def _approvals(self, ids: Sequence[str]) -> dict[str, list[Approval]]:
        """Return the approvals of each of the proposals *ids*, in the order they were given."""
        wanted = select(approvals).where(approvals.c.proposal_id.in_(ids))
        given: dict[str, list[Approval]] = {name: [] for name in ids}
        for row in self._connection.execute(wanted.order_by(approvals.c.seq)).mappings():
            voided = row["voided_at"]
            given[row["proposal_id"]].append(
                Approval(
                    role=row["role"],
                    approver=row["approver"],
                    assurance=row["assurance"],
                    digest=row["digest"],
                    approved_at=read_moment(row["approved_at"]),
                    voided_at=read_moment(voided) if voided else None,
                    void_reason=row["void_reason"],
                )
            )
        return given


def _read(text: str) -> Proposal | None:
    """Return a stored proposal without its approvals, or None if it cannot be read."""
    try:
        return Proposal.model_validate_json(text)
    except ValueError:
        return None


def _row(proposal: Proposal) -> dict[str, Any]:
    """Return a proposal as columns; the document is the truth, the rest is for queries."""
    decided = proposal.decided_at
    return {
        "id": proposal.id,
        "timestamp": iso(proposal.timestamp),
        "status": proposal.status.value,
        "current_phase": proposal.expansion.current_phase.value,
        "target_phase": proposal.expansion.target_phase.value,
        "proposed_by": proposal.proposed_by,
        "digest": proposal.digest,
        "autonomy_epoch": proposal.basis.autonomy_epoch,
        "expires_at": iso(proposal.expires_at),
        "decided_at": iso(decided) if decided else None,
        "decided_by": proposal.decided_by,
        "reason": proposal.reason,
        "version": proposal.version,
        "proposal": proposal.model_dump_json(by_alias=True, exclude=APART),
    }
