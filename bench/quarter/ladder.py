"""The ladder's quarter: a phase that came and went, proposals, a rise on trial, one that waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from governance.audit import Act
from governance.checklist import Attestation, Kind, Source
from governance.desk import Desk
from governance.handlers.lowering import cool_down, present_basis
from governance.handlers.readiness import assessed_now
from governance.ladder import rise_to
from governance.proposals import Approval, Proposal, ProposalStatus, opened
from governance.provenance.proposals import told_facts
from governance.readiness import Assessment
from governance.store import Unit
from governance.validation import Criteria, Validation
from schemas.events import Severity
from schemas.governance import Phase

WEEK: Final = timedelta(days=7)
WEEKS: Final = 12
ON_TRIAL: Final = timedelta(days=13)
MONTH: Final = timedelta(days=30)
ENDS: Final = {
    ProposalStatus.APPROVED: Act.PROPOSAL_CARRIED,
    ProposalStatus.REJECTED: Act.PROPOSAL_REJECTED,
}


def attest(desk: Desk) -> None:
    """Let somebody say four times of every item that people attest that it is met."""
    with desk.store.writing() as unit:
        for item in 4 * unit.readiness.checklist():
            if item.kind is Kind.ATTESTED:
                unit.readiness.attest(
                    Attestation(
                        item=item.name,
                        met=True,
                        evidence_url="https://wiki.example/evidence",
                        source=Source.PERSON,
                        attested_by="anna",
                        attested_at=desk.clock(),
                    )
                )


def climb(desk: Desk, *, began: datetime) -> int:
    """Write the quarter since *began*; return how many proposals there were.

    Each week a phase was begun and a proposal rejected. L3+ is on trial now, and the next rise
    waits for people, who approved it in one role.
    """
    assessment, now = assessed_now(desk), desk.clock()
    risen = now - ON_TRIAL
    with desk.store.writing() as unit:
        for number in range(WEEKS):
            at = began + number * WEEK
            _begin(unit, Phase.L3, at=at)
            _propose(desk, unit, assessment, Phase.L3_PLUS, at=at, ends=ProposalStatus.REJECTED)
        trial = _propose(
            desk, unit, assessment, Phase.L3_PLUS, at=risen, ends=ProposalStatus.APPROVED
        )
        _begin(unit, Phase.L3_PLUS, at=risen)
        _try(desk, unit, trial, at=risen)
        cool_down(desk, unit, severity=Severity.HIGH, cause="a storm of trips", now=risen)
        _propose(desk, unit, assessment, Phase.L4, at=now, ends=None)
    return WEEKS + 2


def _begin(unit: Unit, phase: Phase, *, at: datetime) -> None:
    """Leave the present phase for *phase*."""
    before = unit.autonomy.load()
    unit.autonomy.leave_phase(before, at)
    after = replace(before, phase=phase, phase_start_date=at, epoch=before.epoch + 1)
    unit.autonomy.enter_phase(after, cause="phase.rolled_back", actor="ben", now=at)
    unit.autonomy.save(after, at)
    unit.audit.append(
        Act.PHASE_ROLLED_BACK,
        "governance",
        actor="ben",
        at=at,
        before=before.facts(),
        after={**after.facts(), "because": "phase.rolled_back"},
    )


def _propose(
    desk: Desk,
    unit: Unit,
    assessment: Assessment,
    target: Phase,
    *,
    at: datetime,
    ends: ProposalStatus | None,
) -> Proposal:
    """Write a proposal of *target* with an approval, and how it ended unless it waits."""
    rise = rise_to(target, desk.settings.phase_whitelists)
    assert rise is not None
    proposal = opened(
        rise,
        assessment=assessment,
        metrics=desk.measure(at - MONTH, at),
        trips=100,
        basis=present_basis(unit, assessment.overall.blockers),
        lifetime=WEEK,
        now=at,
    )
    given = Approval(
        role=rise.roles[0],
        approver="anna",
        assurance="token",
        digest=proposal.digest,
        approved_at=at,
    )
    unit.proposals.add(proposal)
    unit.proposals.approve(proposal.id, given)
    _tell(unit, Act.PROPOSAL_OPENED, proposal, told_facts(proposal), at=at)
    _tell(unit, Act.PROPOSAL_APPROVED, proposal, given.to_wire(), at=at)
    if ends is not None:
        reason = "not before the fix"
        if ends is not ProposalStatus.APPROVED:
            unit.proposals.void_approvals(proposal.id, at, reason=reason)
        unit.proposals.save(proposal.ended(ends, at, by="ben", reason=reason))
        told = {"status": ends.value, "digest": proposal.digest, "because": reason}
        _tell(unit, ENDS[ends], proposal, told, at=at)
    return proposal


def _tell(unit: Unit, act: Act, proposal: Proposal, after: dict[str, Any], *, at: datetime) -> None:
    """Let the audit log tell what became of a proposal."""
    actors = {Act.PROPOSAL_OPENED: proposal.proposed_by, Act.PROPOSAL_APPROVED: "anna"}
    unit.audit.append(act, proposal.id, actor=actors.get(act, "ben"), at=at, after=after)


def _try(desk: Desk, unit: Unit, proposal: Proposal, *, at: datetime) -> None:
    """Begin the validation of a proposal that was approved."""
    unit.trials.start(
        Validation(
            proposal_id=proposal.id,
            phase=proposal.expansion.target_phase,
            previous_phase=proposal.expansion.current_phase,
            started_at=at,
            ends_at=at + timedelta(days=proposal.expansion.validation_period),
            criteria=Criteria(critical_incidents=1_000, samples=desk.settings.validation_samples),
        )
    )
