"""Proposals: what may be allowed next, who approved it, and whether one should."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Response

from api.asking import AskActor, AskDesk, approver_of
from api.auth.gate import AskCaller
from api.ladder_shapes import ApproveRequest, Rejected, RejectRequest
from api.openapi import problems
from api.tags import AskTag, version_tag
from governance import handlers
from governance.decisions import DecisionAnswer
from governance.handlers import Approved
from governance.handlers.preconditions import Check, check_tag
from governance.proposals import Proposal

router = APIRouter(prefix="/api/governance/proposals", tags=["Proposals"])

ProposalId = Annotated[str, Path(description="The proposal's id.", max_length=256)]
Most = Annotated[int, Query(ge=1, le=500, description="How many proposals at most.")]

REFUSALS = (
    "not_ready",
    "unresolved_events",
    "risk_too_high",
    "validation_too_short",
    "validation_running",
    "cooldown_running",
    "stream_blind",
    "phase_skipped",
    "proposal_closed",
    "proposal_expired",
    "stale_proposal",
    "stale_epoch",
    "role_not_required",
    "role_taken",
    "one_person_one_role",
    "own_proposal",
)
"""Why a rise may not be approved, each a problem of its own."""


@router.get("", responses=problems("unavailable"))
def list_proposals(desk: AskDesk) -> list[Proposal]:
    """List every proposal that waits for people, newest first; the list is never cut."""
    return handlers.list_proposals(desk)


@router.get("/history", responses=problems("invalid_request", "unavailable"))
def list_past_proposals(desk: AskDesk, limit: Most = 20) -> list[Proposal]:
    """List the newest proposals, whatever became of them, newest first."""
    return handlers.list_past_proposals(desk, limit=limit)


@router.get("/{proposal_id}", responses=problems("not_found", "unavailable"))
def show_proposal(desk: AskDesk, proposal_id: ProposalId, answer: Response) -> Proposal:
    """Show one proposal with its approvals; those that were voided say why.

    Its `ETag` as `If-Match` makes sure that you decide on what you saw.
    """
    proposal = handlers.show_proposal(desk, proposal_id)
    answer.headers["ETag"] = version_tag(proposal.version)
    return proposal


async def _as_seen(seen: AskTag) -> Check[Proposal]:
    """Return what checks that the proposal is the one that the caller saw, if they say which."""
    return lambda proposal: check_tag(seen, version_tag(proposal.version))


AskSeen = Annotated[Check[Proposal], Depends(_as_seen)]


@router.get("/{proposal_id}/decision", responses=problems("not_found", "unavailable"))
def decide_approval(desk: AskDesk, proposal_id: ProposalId) -> DecisionAnswer:
    """Answer the runbook's “Should I approve this expansion proposal?”, with every number.

    The answers are those of this moment, not those of when it was proposed.
    """
    return handlers.decide_approval(desk, proposal_id)


@router.post(
    "/{proposal_id}/approve",
    responses=problems(
        "bad_request", "role_not_held", "service_may_not_approve", "not_found", *REFUSALS,
        "outdated", "unavailable",
    ),
)  # fmt: skip
def approve_proposal(
    desk: AskDesk,
    caller: AskCaller,
    proposal_id: ProposalId,
    as_seen: AskSeen,
    wanted: Annotated[ApproveRequest | None, Body()] = None,
) -> Approved:
    """Approve a proposal in a role of yours; the last role that is missing raises the phase.

    One person approves in one role. The approval is bound to the digest of what is proposed:
    when the rules, the epoch, the blockers or the breaker events change, it is voided.
    """
    asked = wanted or ApproveRequest()
    approver = approver_of(caller, asked.role)
    return handlers.approve_proposal(desk, proposal_id, approver, seen=asked.seen, check=as_seen)


@router.post(
    "/{proposal_id}/reject",
    responses=problems(
        "not_found", "proposal_closed", "proposal_expired", "outdated", "unavailable"
    ),
)
def reject_proposal(
    desk: AskDesk,
    actor: AskActor,
    proposal_id: ProposalId,
    as_seen: AskSeen,
    wanted: Annotated[RejectRequest | None, Body()] = None,
) -> Rejected:
    """Reject a proposal for good; the body may be left out, `reason` keeps why."""
    said = wanted.reason if wanted else None
    gone = handlers.reject_proposal(desk, proposal_id, by=actor, reason=said, check=as_seen)
    return Rejected(id=gone.id, reason=gone.reason)
