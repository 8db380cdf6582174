"""Approvals: who may say yes to a proposal, in which role, and what that decides. Pure.

asked of a person                          asked of the proposal, once more each time
─────────────────                          ──────────────────────────────────────────
not a service, holds the role              pending, in time, still what was seen
the role is asked for and free             the runbook's five questions
no other role of theirs, not their own     no cooldown, no validation, the next phase
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from governance.ladder import ApproverRole, RiskLevel
from governance.people import is_same_person, told_as
from governance.proposals import Approval, Proposal, ProposalStatus, digest_of
from rules.questions import ApprovalFacts
from schemas.errors import (
    CooldownRunning,
    NotReady,
    OnePersonOneRole,
    OwnProposal,
    PhaseSkipped,
    ProposalClosed,
    ProposalExpired,
    RiskTooHigh,
    RoleNotHeld,
    RoleNotRequired,
    RoleTaken,
    ServiceMayNotApprove,
    StaleEpoch,
    StaleProposal,
    UnresolvedEvents,
    ValidationRunning,
    ValidationTooShort,
)
from schemas.governance import Phase

SELF_ASSERTED: Final = "self_asserted"
"""The assurance of somebody who is known by their own word only."""

SERVICE: Final = "service"
"""The role of a program; whoever holds it approves nothing."""


@dataclass(frozen=True, slots=True)
class Approver:
    """Who approves: the person, the role in which they do, and those that they hold.

    ``assurance`` says how they are known. ``roles`` None means that nobody checked: where no
    authentication is configured, people are who they say.
    """

    principal: str
    role: ApproverRole
    assurance: str
    roles: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the approver decided on, as far as they said; None is not checked."""

    digest: str | None = None
    epoch: int | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the present says of a rise, at the moment of an approval."""

    phase: Phase
    epoch: int
    unresolved: int
    ready: bool
    blockers: tuple[str, ...]
    accepted_risk: RiskLevel
    validation_needed: int
    validating: bool
    cooldown_until: datetime | None


def self_asserted(role: ApproverRole) -> Approver:
    """Return the approver that a request without authentication speaks for.

    The role is all that is known of the person: two roles count as two people, on their word.
    """
    return Approver(f"{role} ({SELF_ASSERTED})", role, SELF_ASSERTED, roles=None)


def is_repeated(proposal: Proposal, approver: Approver) -> bool:
    """Whether this very approval stands already: a second click changes nothing."""
    return any(
        one.is_standing and (one.role, one.approver) == (approver.role, approver.principal)
        and one.digest == proposal.digest
        for one in proposal.approvals
    )  # fmt: skip


def check_holds(approver: Approver) -> None:
    """Check that *approver* is a person who holds the role.

    Raises:
        ServiceMayNotApprove: it is a program.
        RoleNotHeld: the role is not theirs.
    """
    person, role = approver.principal, approver.role
    if approver.roles is not None and SERVICE in approver.roles:
        raise ServiceMayNotApprove(f"{person} is a service, and approving takes a person")
    if approver.roles is not None and role not in approver.roles:
        raise RoleNotHeld(f"{person} does not hold the role {role}")


def check_person(proposal: Proposal, approver: Approver) -> None:
    """Check that *approver* may approve *proposal* in that role.

    Raises:
        ServiceMayNotApprove: it is a program.
        RoleNotHeld: the role is not theirs.
        OwnProposal: they proposed it or asked for it.
        RoleNotRequired: the proposal does not ask for the role.
        RoleTaken: somebody else approved in it.
        OnePersonOneRole: they approved in another role.
    """
    check_holds(approver)
    person, role = approver.principal, approver.role
    for asker in filter(None, (proposal.proposed_by, proposal.requested_by)):
        if is_same_person(asker, person):
            raise OwnProposal(f"{told_as(asker, person)} asked for this proposal")
    if role not in proposal.required_approvals:
        asked = ", ".join(proposal.required_approvals)
        raise RoleNotRequired(f"{role} is not among the required approvals: {asked}")
    for given in proposal.approvals:
        if given.is_standing and given.role is role and given.approver != person:
            raise RoleTaken(f"{given.approver} approved as {role}")
        if given.is_standing and given.role is not role and is_same_person(given.approver, person):
            raise OnePersonOneRole(f"{told_as(given.approver, person)} approved as {given.role}")


def check_open(proposal: Proposal, now: datetime) -> None:
    """Check that *proposal* can still be decided on at *now*.

    Raises:
        ProposalClosed: it was decided on, or voided.
        ProposalExpired: its time is over.
    """
    if proposal.status is ProposalStatus.EXPIRED or (
        proposal.status is ProposalStatus.PENDING and now >= proposal.expires_at
    ):
        raise ProposalExpired(f"{proposal.id} expired on {proposal.expires_at:%Y-%m-%d}")
    if proposal.status is not ProposalStatus.PENDING:
        why = f": {proposal.reason}" if proposal.reason else ""
        raise ProposalClosed(f"{proposal.id} is {proposal.status}{why}")


def check_seen(proposal: Proposal, seen: Seen, *, epoch: int) -> None:
    """Check that the approver saw *proposal* as it is, in the present *epoch*.

    Raises:
        StaleEpoch: autonomy was lowered since.
        StaleProposal: its content changed since, or is not what was written.
    """
    if seen.epoch is not None and seen.epoch != epoch:
        raise StaleEpoch(seen.epoch, epoch)
    if seen.digest is not None and seen.digest != proposal.digest:
        raise StaleProposal(f"{proposal.id} has another digest now")
    if seen.version is not None and seen.version != proposal.version:
        raise StaleProposal(f"you saw version {seen.version}, it is now {proposal.version}")
    whole = digest_of(
        proposal.expansion, proposal.rationale, proposal.risk_assessment, proposal.basis
    )
    if proposal.digest != whole:
        raise StaleProposal(f"the content of {proposal.id} is not what its digest names")


def check_standing(proposal: Proposal, standing: Standing, now: datetime) -> None:
    """Ask the runbook's questions once more, all but the one for the approvals themselves.

    Raises:
        PhaseSkipped: the proposal is not of the next phase.
        CooldownRunning: autonomy was lowered not long ago.
        ValidationRunning: the last rise is still on trial.
        UnresolvedEvents: breaker events wait for people.
        NotReady: readiness is too low, or a required item is missing.
        RiskTooHigh: the risk is above what the phase accepts.
        ValidationTooShort: the phase needs a longer validation.
    """
    expansion, risk = proposal.expansion, proposal.risk_assessment.level
    steps = (expansion.current_phase, expansion.target_phase.rank)
    if steps != (standing.phase, standing.phase.rank + 1):
        raise PhaseSkipped(f"{expansion.target_phase} does not follow on {standing.phase}")
    if standing.cooldown_until is not None and now < standing.cooldown_until:
        raise CooldownRunning(f"a cooldown runs until {standing.cooldown_until:%Y-%m-%d}")
    if standing.validating:
        raise ValidationRunning(f"{standing.phase} is still being validated")
    if standing.unresolved:
        raise UnresolvedEvents(f"{standing.unresolved} breaker event(s) are unresolved")
    if not standing.ready:
        raise NotReady(f"not ready: {', '.join(standing.blockers) or 'the score is too low'}")
    if risk.rank > standing.accepted_risk.rank:
        raise RiskTooHigh(f"the risk is {risk}, more than {standing.accepted_risk}")
    if expansion.validation_period < standing.validation_needed:
        days = f"{expansion.validation_period} of {standing.validation_needed} days"
        raise ValidationTooShort(f"the validation period has {days}")


def approval_of(proposal: Proposal, approver: Approver, now: datetime) -> Approval:
    """Return the approval that *approver* gives to *proposal* as it is."""
    return Approval(
        role=approver.role,
        approver=approver.principal,
        assurance=approver.assurance,
        digest=proposal.digest,
        approved_at=now,
    )


def facts_of(proposal: Proposal, standing: Standing, *, points: int, most: int) -> ApprovalFacts:
    """Return what the decision tree is asked on; *points* of *most* are the readiness."""
    needed = len(proposal.required_approvals)
    return ApprovalFacts(
        score=points * 10_000 // most if most else 0,
        approvals=needed - len(proposal.missing_approvals),
        approvals_needed=needed,
        unresolved=standing.unresolved,
        risk=proposal.risk_assessment.level.rank,
        risk_limit=standing.accepted_risk.rank,
        validation_days=proposal.expansion.validation_period,
        validation_needed=standing.validation_needed,
    )
