"""Proposals and the approvals that people gave them; nothing here is ever removed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, insert, select, update

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

    def remove(self, proposal_id: str) -> None:
        """Remove what is no proposal of ours, with whatever approves it."""
        self._connection.execute(delete(approvals).where(approvals.c.proposal_id == proposal_id))
        self._connection.execute(delete(proposals).where(proposals.c.id == proposal_id))

    def put_back(self, proposal: Proposal) -> None:
        """Write a proposal and all of its approvals as they are given, whatever is there."""
        self.save(proposal)
        self._connection.execute(delete(approvals).where(approvals.c.proposal_id == proposal.id))
        for one in proposal.approvals:
            row = one.model_dump(mode="json")
            self._connection.execute(insert(approvals).values(proposal_id=proposal.id, **row))

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
        self,
        proposal_id: str,
        now: datetime,
        *,
        reason: str,
        approvers: Collection[str] | None = None,
    ) -> int:
        """Say of every standing approval why it no longer counts; return how many there were.

        With *approvers* only of theirs.
        """
        gone = (
            update(approvals)
            .where(approvals.c.proposal_id == proposal_id, approvals.c.voided_at.is_(None))
            .values(voided_at=iso(now), void_reason=reason)
        )
        if approvers is not None:
            gone = gone.where(approvals.c.approver.in_(approvers))
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
            if (approval := _approval(dict(row))) is not None:
                given[row["proposal_id"]].append(approval)
        return given


def read_row(row: Mapping[str, Any], given: Sequence[Mapping[str, Any]]) -> Proposal | None:
    """Return the proposal of a row with the approvals that can be read, or None."""
    found = _read(row["proposal"])
    return found and found.with_approvals([one for one in map(_approval, given) if one])


def misfits(row: Mapping[str, Any], given: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns that do not say what the document of their row says."""
    found = _read(row["proposal"])
    if found is None:
        return ["proposal"]
    names = [
        name for name, value in _row(found).items() if name != "proposal" and row[name] != value
    ]
    return names if all(map(_approval, given)) else [*names, "approvals"]


def _read(text: str) -> Proposal | None:
    """Return a stored proposal without its approvals, or None if it cannot be read."""
    try:
        return Proposal.model_validate_json(text)
    except ValueError:
        return None


def _approval(row: Mapping[str, Any]) -> Approval | None:
    """Return a stored approval, or None if it cannot be read: then it is nobody's."""
    voided = row["voided_at"]
    try:
        return Approval(
            role=row["role"],
            approver=row["approver"],
            assurance=row["assurance"],
            digest=row["digest"],
            approved_at=read_moment(row["approved_at"]),
            voided_at=read_moment(voided) if voided else None,
            void_reason=row["void_reason"],
        )
    except (ValueError, TypeError):
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
