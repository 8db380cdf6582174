"""Approvals: given once each, bound to what was seen; the last one that is missing promotes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from governance import ladder_alerts, phases
from governance.approvals import (
    Approver,
    Seen,
    Standing,
    approval_of,
    check_open,
    check_person,
    check_seen,
    check_standing,
    is_repeated,
)
from governance.audit import Act
from governance.autonomy import Autonomy
from governance.desk import Desk
from governance.handlers.changes import Cause, change_autonomy, publish_alert
from governance.handlers.lowering import close_proposal, present_basis
from governance.handlers.preconditions import Check, as_it_is
from governance.handlers.proposals import tend_proposals
from governance.handlers.readiness import assessed_now
from governance.handlers.records import check_records
from governance.handlers.sight import check_sees
from governance.handlers.sql_changes import adopt_sql_changes, present_autonomy
from governance.ladder import ApproverRole, rise_to
from governance.proposals import Proposal, ProposalStatus
from governance.readiness import Assessment
from governance.store import Unit
from governance.validation import Criteria, Validation
from schemas.errors import PhaseSkipped, StaleProposal
from schemas.governance import GovernanceState
from schemas.wire import Wire


class Approved(Wire):
    """An approval stands; ``phase_changed`` says that it was the last one missing.

    ``already`` means that an earlier request gave this very approval.
    """

    success: Literal[True] = True
    id: str
    approved_by: ApproverRole
    already: bool = False
    phase_changed: bool = False
    missing_approvals: list[ApproverRole]
    digest: str = Field(description="What was approved.")
    state: GovernanceState


def approve_proposal(
    desk: Desk,
    proposal_id: str,
    approver: Approver,
    *,
    seen: Seen | None = None,
    check: Check[Proposal] = as_it_is,
) -> Approved:
    """Approve a proposal in a role; the last role that is missing raises the phase, once.

    First the proposal is bound to the present, which voids approvals of what is no longer so;
    that stands even if this approval is then refused. What *check* raises of it refuses too.

    Raises:
        NotFound: there is no such proposal; carries near matches.
        NotPermitted: the approver is a service, or does not hold the role.
        NoRise: something is missing, or nobody sees the stream; its kind says what.
        StaleEpoch: autonomy was lowered since the approver looked.
        Unavailable: the database is busy or away.
    """
    adopt_sql_changes(desk, proposal_id)
    assessment = assessed_now(desk)
    tend_proposals(desk, blockers=assessment.overall.blockers)
    now = desk.clock()
    with desk.store.writing() as unit:
        check_records(desk, unit, proposal_id)
        state = present_autonomy(desk, unit, now)
        proposal = unit.proposals.require(proposal_id)
        check(proposal)
        if is_repeated(proposal, approver):
            return _answer(proposal, approver, state=state, now=now, already=True)
        check_open(proposal, now)
        check_sees(desk)
        check_person(proposal, approver)
        check_seen(proposal, seen or Seen(), epoch=state.epoch)
        _check_bound(unit, proposal, assessment)
        standing = standing_of(desk, unit, proposal, assessment, state=state, now=now)
        check_standing(proposal, standing, now)
        approved = _give(unit, proposal, approver, now)
        if approved.missing_approvals:
            return _answer(approved, approver, state=state, now=now)
        after = _promote(desk, unit, approved, state=state, now=now)
        return _answer(approved, approver, state=after, now=now, changed=True)


def standing_of(
    desk: Desk,
    unit: Unit,
    proposal: Proposal,
    assessment: Assessment,
    *,
    state: Autonomy,
    now: datetime,
) -> Standing:
    """Return what the present says of the rise that *proposal* asks for.

    Raises:
        PhaseSkipped: the proposal is of no rise at all.
    """
    rise = rise_to(proposal.expansion.target_phase, desk.settings.phase_whitelists)
    if rise is None:
        raise PhaseSkipped(f"{proposal.expansion.target_phase} is where autonomy begins")
    cooldown = unit.trials.cooldown(now)
    return Standing(
        phase=state.phase,
        epoch=state.epoch,
        unresolved=unit.events.count_unresolved(),
        ready=assessment.overall.ready and assessment.current_phase is state.phase,
        blockers=tuple(assessment.overall.blockers),
        accepted_risk=rise.accepted_risk,
        validation_needed=rise.validation.days,
        validating=unit.trials.running() is not None,
        cooldown_until=cooldown.until if cooldown else None,
    )


def _check_bound(unit: Unit, proposal: Proposal, assessment: Assessment) -> None:
    """Check that nothing moved since the proposal was bound to the present.

    Raises:
        StaleProposal: something did, between the two transactions.
    """
    if present_basis(unit, assessment.overall.blockers) != proposal.basis:
        raise StaleProposal(f"what {proposal.id} stands on changed this moment")


def _give(unit: Unit, proposal: Proposal, approver: Approver, now: datetime) -> Proposal:
    """Write an approval; return the proposal with it."""
    given = approval_of(proposal, approver, now)
    unit.proposals.approve(proposal.id, given)
    unit.audit.append(
        Act.PROPOSAL_APPROVED,
        proposal.id,
        actor=approver.principal,
        at=now,
        after={"version": proposal.version, **given.to_wire()},
    )
    return unit.proposals.require(proposal.id)


def _promote(
    desk: Desk, unit: Unit, proposal: Proposal, *, state: Autonomy, now: datetime
) -> Autonomy:
    """Raise the phase, close the proposal, and begin the validation; return the new state."""
    expansion = proposal.expansion
    adds = expansion.commands_to_whitelist
    after = phases.promoted(state, expansion.target_phase, adds=adds, now=now)
    people = ", ".join(one.approver for one in proposal.approvals if one.is_standing)
    cause = Cause(
        Act.PHASE_PROMOTED,
        actor=people,
        subject=proposal.id,
        because=f"{proposal.id} approved by {people}",
        id=proposal.id,
    )
    change_autonomy(desk, unit, before=state, after=after, cause=cause, now=now)
    done = proposal.ended(ProposalStatus.APPROVED, now, by=people, reason=None)
    publish_alert(unit, close_proposal(unit, done, act=Act.PROPOSAL_CARRIED, now=now), now)
    _validate(desk, unit, proposal, state=after, now=now)
    return after


def _validate(
    desk: Desk, unit: Unit, proposal: Proposal, *, state: Autonomy, now: datetime
) -> None:
    """Put the new phase on trial."""
    rise = rise_to(state.phase, desk.settings.phase_whitelists)
    validation = Validation(
        proposal_id=proposal.id,
        phase=state.phase,
        previous_phase=proposal.expansion.current_phase,
        started_at=now,
        ends_at=now + rise.validation if rise else now,
        criteria=Criteria(samples=desk.settings.validation_samples),
    )
    unit.trials.start(validation)
    unit.audit.append(
        Act.VALIDATION_STARTED, proposal.id, actor="system", at=now, after=validation.to_wire()
    )
    started = ladder_alerts.validation_changed(validation, epoch=state.epoch, at=now)
    publish_alert(unit, started, now)


def _answer(
    proposal: Proposal,
    approver: Approver,
    *,
    state: Autonomy,
    now: datetime,
    already: bool = False,
    changed: bool = False,
) -> Approved:
    """Return what the approver is told."""
    return Approved(
        id=proposal.id,
        approved_by=approver.role,
        already=already,
        phase_changed=changed,
        missing_approvals=proposal.missing_approvals,
        digest=proposal.digest,
        state=state.view(now),
    )
