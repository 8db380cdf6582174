"""Proposals: made when everything is met, read, rejected, and voided when the facts move."""

from __future__ import annotations

from datetime import datetime, timedelta

from governance import ladder_alerts
from governance.approvals import check_open
from governance.audit import Act
from governance.autonomy import Autonomy
from governance.desk import Desk
from governance.handlers.changes import publish_alert
from governance.handlers.lowering import SYSTEM, close_proposal, present_basis, revise
from governance.handlers.preconditions import Check, as_it_is
from governance.handlers.records import check_records
from governance.handlers.sql_changes import adopt_sql_changes, present_autonomy
from governance.ladder import next_rise
from governance.measured import MONTH
from governance.proposals import Circumstances, Proposal, ProposalStatus, obstacles, opened
from governance.provenance.proposals import told_facts
from governance.readiness import Assessment
from governance.store import Unit


def propose_if_ready(
    desk: Desk, assessment: Assessment, *, requested_by: str | None = None
) -> Proposal | None:
    """Propose the next phase if nothing stands against it; return the proposal, or None.

    *requested_by* is the person who asked for it, if one is known: they cannot approve it.

    Raises:
        Unavailable: the database is busy or away.
    """
    adopt_sql_changes(desk)
    tend_proposals(desk)
    now = desk.clock()
    metrics = desk.measure(now - MONTH, now)
    with desk.store.writing() as unit:
        check_records(desk, unit)
        state = present_autonomy(desk, unit, now)
        rise = next_rise(state.phase, desk.settings.phase_whitelists)
        if rise is None or obstacles(assessment, circumstances(desk, unit, state, now), now):
            return None
        proposal = opened(
            rise,
            assessment=assessment,
            metrics=metrics,
            trips=unit.events.count_between(now - MONTH, now),
            basis=present_basis(unit, assessment.overall.blockers),
            lifetime=timedelta(days=desk.settings.proposal_days),
            now=now,
            requested_by=requested_by,
            never_ran=unit.rule_records.never_seen(rise.adds),
        )
        _open(unit, proposal, now)
    return proposal


def list_obstacles(desk: Desk, assessment: Assessment) -> list[str]:
    """Return what keeps the next phase from being proposed now; empty when nothing does."""
    now = desk.clock()
    with desk.store.reading() as unit:
        return obstacles(assessment, circumstances(desk, unit, unit.autonomy.load(), now), now)


def list_proposals(desk: Desk) -> list[Proposal]:
    """Return every proposal that waits for people, newest first."""
    now = desk.clock()
    with desk.store.reading() as unit:
        return [one for one in unit.proposals.pending() if now < one.expires_at]


def list_past_proposals(desk: Desk, *, limit: int) -> list[Proposal]:
    """Return the newest *limit* proposals, whatever became of them, newest first."""
    with desk.store.reading() as unit:
        return unit.proposals.newest(limit)


def show_proposal(desk: Desk, proposal_id: str) -> Proposal:
    """Return one proposal with its approvals, the voided ones too.

    Raises:
        NotFound: there is none; carries near matches.
    """
    with desk.store.reading() as unit:
        return unit.proposals.require(proposal_id)


def reject_proposal(
    desk: Desk,
    proposal_id: str,
    *,
    by: str,
    reason: str | None = None,
    check: Check[Proposal] = as_it_is,
) -> Proposal:
    """Reject a proposal for good; rejecting it again changes nothing.

    What *check* raises of it refuses that.

    Raises:
        NotFound: there is none; carries near matches.
        ProposalClosed: it was approved or voided.
        ProposalExpired: its time is over.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        proposal = unit.proposals.require(proposal_id)
        check(proposal)
        if proposal.status is ProposalStatus.REJECTED:
            return proposal
        check_open(proposal, now)
        said = reason or f"rejected by {by}"
        unit.proposals.void_approvals(proposal.id, now, reason=said)
        gone = proposal.ended(ProposalStatus.REJECTED, now, by=by, reason=said)
        publish_alert(unit, close_proposal(unit, gone, act=Act.PROPOSAL_REJECTED, now=now), now)
        return unit.proposals.require(proposal_id)


def tend_proposals(desk: Desk, *, blockers: list[str] | None = None) -> None:
    """Expire what nobody decided on, and void approvals of what is no longer so.

    *blockers* are those of a fresh assessment, or None when there is none. Writes only if
    something is to be written.

    Raises:
        Unavailable: the database is busy or away; the next turn does it.
    """
    now = desk.clock()
    with desk.store.reading() as unit:
        quiet = not any(
            _needs_tending(unit, one, blockers, now) for one in unit.proposals.pending()
        )
    if quiet:
        return
    with desk.store.writing() as unit:
        for proposal in unit.proposals.pending():
            _tend(unit, proposal, blockers, now)


def circumstances(desk: Desk, unit: Unit, state: Autonomy, now: datetime) -> Circumstances:
    """Return what decides, beside readiness, whether a rise from *state* may be proposed."""
    pending = [one for one in unit.proposals.pending() if now < one.expires_at]
    cooldown = unit.trials.cooldown(now)
    return Circumstances(
        phase=state.phase,
        phase_start=state.phase_start_date,
        unresolved=unit.events.count_unresolved(),
        pending=pending[0].id if pending else None,
        validating=unit.trials.running() is not None,
        cooldown_until=cooldown.until if cooldown else None,
        blindness=desk.blindness(),
    )


def _open(unit: Unit, proposal: Proposal, now: datetime) -> None:
    """Write a new proposal and tell subscribers."""
    unit.proposals.add(proposal)
    unit.audit.append(
        Act.PROPOSAL_OPENED,
        proposal.id,
        actor=proposal.proposed_by,
        at=now,
        after=told_facts(proposal),
    )
    publish_alert(unit, ladder_alerts.proposal_opened(proposal), now)


def _needs_tending(
    unit: Unit, proposal: Proposal, blockers: list[str] | None, now: datetime
) -> bool:
    """Whether anything is to be written of a pending proposal."""
    basis = present_basis(unit, proposal.basis.blockers if blockers is None else blockers)
    return now >= proposal.expires_at or basis != proposal.basis


def _tend(unit: Unit, proposal: Proposal, blockers: list[str] | None, now: datetime) -> None:
    """Expire a proposal, or bind it to the present."""
    if now < proposal.expires_at:
        for alert in revise(unit, proposal, now=now, blockers=blockers):
            publish_alert(unit, alert, now)
        return
    reason = "nobody decided on it in time"
    unit.proposals.void_approvals(proposal.id, now, reason=reason)
    gone = proposal.ended(ProposalStatus.EXPIRED, now, by=SYSTEM, reason=reason)
    publish_alert(unit, close_proposal(unit, gone, act=Act.PROPOSAL_EXPIRED, now=now), now)
