"""What a lowering does to how autonomy is earned back: it voids, ends, and cools down.

Every lowering passes here, whoever caused it, in the transaction that writes it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from governance import ladder_alerts
from governance.audit import Act
from governance.autonomy import Autonomy
from governance.cooldown import Cooldown, cooldown_after
from governance.desk import Desk
from governance.proposals import (
    Basis,
    Proposal,
    ProposalStatus,
    bound_ids,
    ruleset_version,
    what_moved,
)
from governance.store import Unit
from governance.validation import ValidationStatus
from schemas.alerts import Alert
from schemas.events import Severity

SYSTEM = "system"
"""The actor of what follows by itself."""


def follow_lowering(
    desk: Desk,
    unit: Unit,
    *,
    before: Autonomy,
    after: Autonomy,
    act: Act,
    because: str,
    severity: Severity,
    now: datetime,
) -> list[Alert]:
    """Void what was to be decided, end what was on trial, and begin a cooldown.

    A pause leaves the phase alone: it voids the approvals and not the proposals, and begins no
    cooldown. Returns what subscribers are told.
    """
    if after.epoch == before.epoch:
        return []
    if act is Act.TYPE_PAUSED:
        return [alert for one in unit.proposals.pending() for alert in revise(unit, one, now=now)]
    told = [_voided(unit, one, because=because, now=now) for one in unit.proposals.pending()]
    if after.phase.rank < before.phase.rank:
        told += _ended(unit, because=because, epoch=after.epoch, now=now)
        cool_down(desk, unit, severity=severity, cause=because, now=now)
    return told


def revise(
    unit: Unit, proposal: Proposal, *, now: datetime, blockers: list[str] | None = None
) -> list[Alert]:
    """Bind *proposal* to the present if that moved, voiding its approvals with the reason.

    *blockers* are those of a fresh assessment, or None to leave them as they were. Returns what
    subscribers are told: nothing when nobody had approved yet.
    """
    basis = present_basis(unit, proposal.basis.blockers if blockers is None else blockers)
    moved = what_moved(proposal.basis, basis)
    if not moved:
        return []
    reason = "; ".join(moved)
    count = unit.proposals.void_approvals(proposal.id, now, reason=reason)
    again = proposal.on(basis)
    unit.proposals.save(again)
    unit.audit.append(
        Act.APPROVALS_VOIDED,
        proposal.id,
        actor=SYSTEM,
        at=now,
        before={"digest": proposal.digest, "version": proposal.version},
        after={
            "digest": again.digest,
            "version": again.version,
            "voided": count,
            "because": reason,
        },
    )
    return [ladder_alerts.approvals_voided(again, count, reason=reason, at=now)] if count else []


def present_basis(unit: Unit, blockers: list[str]) -> Basis:
    """Return what a proposal made now would be bound to."""
    return Basis(
        ruleset_version=ruleset_version(list(unit.rules.newest_of_all().values())),
        autonomy_epoch=unit.autonomy.load().epoch,
        blockers=blockers,
        unresolved_events=bound_ids(unit.events.unresolved_ids()),
        newest_event=unit.events.newest_id(),
    )


def close_proposal(unit: Unit, proposal: Proposal, *, act: Act, now: datetime) -> Alert:
    """Write that *proposal* is decided; return what subscribers are told."""
    unit.proposals.save(proposal)
    unit.audit.append(
        act,
        proposal.id,
        actor=proposal.decided_by or SYSTEM,
        at=now,
        before={"status": ProposalStatus.PENDING.value},
        after={
            "status": proposal.status.value,
            "digest": proposal.digest,
            "because": proposal.reason,
        },
    )
    return ladder_alerts.proposal_closed(proposal, now)


def cool_down(desk: Desk, unit: Unit, *, severity: Severity, cause: str, now: datetime) -> Cooldown:
    """Begin a cooldown: longer when the cause is critical, doubled when it repeats."""
    found = coming_cooldown(desk, unit, severity=severity, cause=cause, now=now)
    unit.trials.cool_down(found)
    unit.audit.append(
        Act.COOLDOWN_STARTED, "governance", actor=SYSTEM, at=now, after=found.to_wire()
    )
    return found


def coming_cooldown(
    desk: Desk, unit: Unit, *, severity: Severity, cause: str, now: datetime
) -> Cooldown:
    """Return the cooldown that a demotion now would begin."""
    critical = severity is Severity.CRITICAL
    settings = desk.settings
    days = settings.cooldown_critical_days if critical else settings.cooldown_high_days
    earlier = [one.started_at for one in unit.trials.cooldowns()]
    return cooldown_after(severity, earlier, first=timedelta(days=days), cause=cause, now=now)


def _voided(unit: Unit, proposal: Proposal, *, because: str, now: datetime) -> Alert:
    """Void a proposal, and every approval of it."""
    reason = f"autonomy was lowered: {because}"
    unit.proposals.void_approvals(proposal.id, now, reason=reason)
    gone = proposal.ended(ProposalStatus.VOIDED, now, by=SYSTEM, reason=reason)
    return close_proposal(unit, gone, act=Act.PROPOSAL_VOIDED, now=now)


def _ended(unit: Unit, *, because: str, epoch: int, now: datetime) -> list[Alert]:
    """End the validation of the phase that was just lost, if one was running."""
    running = unit.trials.running()
    if running is None:
        return []
    ended = running.ended(ValidationStatus.FAILED, now, f"the phase was lost: {because}")
    unit.trials.save(ended)
    unit.audit.append(
        Act.VALIDATION_ENDED,
        ended.proposal_id,
        actor=SYSTEM,
        at=now,
        before=running.to_wire(),
        after=ended.to_wire(),
    )
    return [ladder_alerts.validation_changed(ended, epoch=epoch, at=now)]
