"""What subscribers are told of proposals and validations, as pure functions to an `Alert`."""

from __future__ import annotations

from datetime import datetime

from governance.proposals import Proposal
from governance.validation import Validation, ValidationStatus
from schemas.alerts import Alert, AlertData, AlertType
from schemas.events import Severity


def proposal_opened(proposal: Proposal) -> Alert:
    """Return the alert that a rise waits for people."""
    asked = ", ".join(proposal.required_approvals)
    expansion = proposal.expansion
    return _of_proposal(
        proposal,
        AlertType.PROPOSAL_OPENED,
        f"{expansion.current_phase} → {expansion.target_phase} is proposed; asked: {asked}",
        at=proposal.timestamp,
        name="opened",
    )


def proposal_closed(proposal: Proposal, at: datetime) -> Alert:
    """Return the alert that a proposal was decided on, expired or voided."""
    why = f": {proposal.reason}" if proposal.reason else ""
    said = f"{proposal.id} {proposal.status} by {proposal.decided_by}{why}"
    return _of_proposal(proposal, AlertType.PROPOSAL_CLOSED, said, at=at, name="closed")


def approvals_voided(
    proposal: Proposal, count: int, *, reason: str, at: datetime, cause: str | None = None
) -> Alert:
    """Return the alert that *count* approvals of a proposal no longer count.

    A *cause* tells it from others of the same version.
    """
    said = f"{count} approval(s) of {proposal.id} voided: {reason}"
    name = f"voided:{proposal.version}" + (f":{cause}" if cause else "")
    return _of_proposal(proposal, AlertType.APPROVALS_VOIDED, said, at=at, name=name)


def validation_changed(validation: Validation, *, epoch: int, at: datetime) -> Alert:
    """Return the alert that a validation began, goes on for longer, waits for people, or ended."""
    kind, said = _of_validation(validation)
    failed = validation.status is ValidationStatus.FAILED
    undecided = validation.status is ValidationStatus.INCONCLUSIVE
    severity = validation.severity if failed else Severity.MEDIUM if undecided else Severity.LOW
    return Alert(
        id=f"validation:{validation.proposal_id}:{kind.rsplit('.', 1)[-1]}",
        type=kind,
        subject=validation.phase.value,
        time=at,
        data=AlertData(
            summary=said,
            severity=severity,
            scope="*",
            autonomy_epoch=epoch,
            context={"validation": validation.to_wire()},
        ),
    )


def _of_validation(validation: Validation) -> tuple[AlertType, str]:
    """Return which alert tells how a validation stands, and in which words."""
    phase, why = validation.phase, validation.reason
    if validation.ended_at is not None:
        return AlertType.VALIDATION_ENDED, f"The validation of {phase} {validation.status}: {why}"
    if validation.status is ValidationStatus.INCONCLUSIVE:
        said = f"People must decide whether {phase} is kept: {why}"
        return AlertType.VALIDATION_UNDECIDED, said
    until = f"until {validation.ends_at:%Y-%m-%d}"
    if validation.extended:
        return AlertType.VALIDATION_EXTENDED, f"{phase} is validated {until}: {why}"
    return AlertType.VALIDATION_STARTED, f"{phase} is validated {until}"


def _of_proposal(
    proposal: Proposal, kind: AlertType, said: str, *, at: datetime, name: str
) -> Alert:
    """Return an alert about a proposal; *name* tells it from the others about the same."""
    return Alert(
        id=f"{proposal.id}:{name}",
        type=kind,
        subject=proposal.id,
        time=at,
        data=AlertData(
            summary=said,
            severity=Severity.LOW,
            scope="*",
            autonomy_epoch=proposal.basis.autonomy_epoch,
            context={
                "proposalId": proposal.id,
                "version": proposal.version,
                "targetPhase": proposal.expansion.target_phase.value,
                "digest": proposal.digest,
            },
        ),
    )
