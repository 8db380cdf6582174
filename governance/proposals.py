"""Proposals: what would be allowed, why, at what risk; bound to the facts that they stand on.

    expansion + rationale + risk + basis ──► digest ◄── every approval names it

The basis is what must not change while people decide: the rules, the epoch, the blockers, and
the breaker events. When it does, the proposal gets a new version and digest, and approvals of
the old one no longer count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from governance.audit import canonical
from governance.ladder import ApproverRole, Rise, RiskLevel
from governance.measured import LONG_ENOUGH
from governance.metrics import PeriodMetrics
from governance.readiness import Assessment
from governance.risk import assess_risk
from schemas.governance import Phase
from schemas.rules import RuleVersion
from schemas.wire import Moment, Wire

PROPOSER: Final = "autonomy-governance-agent"
"""Who proposes: this service. Nobody can approve under this name."""


class ProposalStatus(StrEnum):
    """Where a proposal stands; all but pending are final."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    VOIDED = "voided"


class Expansion(Wire):
    """What would be allowed; ``validation_period`` is in days."""

    current_phase: Phase
    target_phase: Phase
    commands_to_whitelist: list[str]
    validation_period: int


class Rationale(Wire):
    """Why: the last month's metrics, the assessment, and both in a few sentences."""

    metrics: PeriodMetrics
    readiness: Assessment
    key_achievements: list[str]


SHOWN_IDS: Final = 100
"""Unresolved events that a proposal names at most."""


class RiskAssessment(Wire):
    """What could go wrong, what is done about it, and how to go back."""

    level: RiskLevel
    reasons: list[str]
    mitigations: list[str]
    rollback_plan: str


class Basis(Wire):
    """What must not change while people decide.

    ``newest_event`` is the id of the last breaker event, so that one which was resolved
    between two looks is noticed too. Of very many ``unresolved_events`` the last entry stands
    for all beyond the first, see `bound_ids`.
    """

    ruleset_version: str
    autonomy_epoch: int
    blockers: list[str]
    unresolved_events: list[str]
    newest_event: str | None


class Approval(Wire):
    """One person's yes in one role, to the content that ``digest`` names.

    ``assurance`` says how well the person is known: their own word, a token, or more.
    """

    role: ApproverRole
    approver: str
    assurance: str
    digest: str
    approved_at: Moment
    voided_at: Moment | None = None
    void_reason: str | None = None

    @property
    def is_standing(self) -> bool:
        """Whether it was not voided."""
        return self.voided_at is None


class Proposal(Wire):
    """A rise that waits for people, or how it ended; ``GET /api/governance/proposals``."""

    id: str
    proposal_id: str
    timestamp: Moment
    proposed_by: str = PROPOSER
    requested_by: str | None = None
    status: ProposalStatus = ProposalStatus.PENDING
    expansion: Expansion
    rationale: Rationale
    risk_assessment: RiskAssessment
    required_approvals: list[ApproverRole]
    missing_approvals: list[ApproverRole] = []
    approvals: list[Approval] = []
    basis: Basis
    digest: str
    version: int = 1
    expires_at: Moment
    decided_at: Moment | None = None
    decided_by: str | None = None
    reason: str | None = None

    def with_approvals(self, approvals: Sequence[Approval]) -> Proposal:
        """Return it with *approvals*, the voided ones too, and the roles that are missing."""
        given = {one.role for one in approvals if one.is_standing and one.digest == self.digest}
        missing = [role for role in self.required_approvals if role not in given]
        return self.model_copy(update={"approvals": list(approvals), "missing_approvals": missing})

    def on(self, basis: Basis) -> Proposal:
        """Return the next version of it, bound to *basis*; its approvals no longer count."""
        digest = digest_of(self.expansion, self.rationale, self.risk_assessment, basis)
        again = self.model_copy(
            update={"basis": basis, "digest": digest, "version": self.version + 1}
        )
        return again.with_approvals(self.approvals)

    def ended(
        self, status: ProposalStatus, now: datetime, *, by: str, reason: str | None
    ) -> Proposal:
        """Return it decided."""
        return self.model_copy(
            update={"status": status, "decided_at": now, "decided_by": by, "reason": reason}
        )


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides whether a rise may be proposed, beside the assessment."""

    phase: Phase
    phase_start: datetime
    unresolved: int
    pending: str | None
    validating: bool
    cooldown_until: datetime | None
    blindness: str | None = None


def obstacles(assessment: Assessment, around: Circumstances, now: datetime) -> list[str]:
    """Return what keeps a rise from being proposed at *now*; empty when nothing does.

    The assessment must be of the present phase: an older one says nothing of this.
    """
    held = now - around.phase_start
    lack = assessment.overall.shown_score
    if assessment.overall.blockers:
        lack += f", missing: {assessment.overall.shown_blockers}"
    checks = (
        (not assessment.overall.ready, f"not ready: {lack}"),
        (assessment.current_phase is not around.phase, "the assessment is of another phase"),
        (around.unresolved > 0, f"{around.unresolved} breaker event(s) are unresolved"),
        (around.pending is not None, f"{around.pending} is pending"),
        (held < LONG_ENOUGH, f"{held.days} of {LONG_ENOUGH.days} days at {around.phase}"),
        (around.validating, f"{around.phase} is still being validated"),
        (
            around.cooldown_until is not None and now < around.cooldown_until,
            "a cooldown is running",
        ),
        (around.blindness is not None, f"the stream is blind: {around.blindness}"),
    )
    return [said.strip() for stands, said in checks if stands]


def opened(
    rise: Rise,
    *,
    assessment: Assessment,
    metrics: PeriodMetrics,
    trips: int,
    basis: Basis,
    lifetime: timedelta,
    now: datetime,
    requested_by: str | None = None,
    never_ran: Sequence[str] = (),
) -> Proposal:
    """Return a new proposal of *rise*; *metrics* and *trips* are those of the last month.

    *never_ran* are those of the command types that it adds of which nothing was ever counted.
    """
    expansion = Expansion(
        current_phase=assessment.current_phase,
        target_phase=rise.target,
        commands_to_whitelist=list(rise.adds),
        validation_period=rise.validation.days,
    )
    rationale = Rationale(
        metrics=metrics,
        readiness=assessment,
        key_achievements=_achievements(assessment, metrics),
    )
    found = assess_risk(rise, metrics, trips=trips, never_ran=never_ran)
    risk = RiskAssessment(
        level=found.level,
        reasons=list(found.reasons),
        mitigations=list(found.mitigations),
        rollback_plan=_plan(assessment.current_phase, rise),
    )
    digest = digest_of(expansion, rationale, risk, basis)
    name = f"expansion-{hashlib.sha256(f'{digest}{now}'.encode()).hexdigest()[:16]}"
    return Proposal(
        id=name,
        proposal_id=name,
        timestamp=now,
        requested_by=requested_by,
        expansion=expansion,
        rationale=rationale,
        risk_assessment=risk,
        required_approvals=list(rise.roles),
        missing_approvals=list(rise.roles),
        basis=basis,
        digest=digest,
        expires_at=now + lifetime,
    )


def digest_of(
    expansion: Expansion, rationale: Rationale, risk: RiskAssessment, basis: Basis
) -> str:
    """Return the SHA-256 of the one spelling of what is approved."""
    content = {
        "expansion": expansion.to_wire(),
        "rationale": rationale.to_wire(),
        "riskAssessment": risk.to_wire(),
        "basis": basis.to_wire(),
    }
    return hashlib.sha256((canonical(content) or "").encode()).hexdigest()


def ruleset_version(rules: Sequence[RuleVersion]) -> str:
    """Return a name for *rules*, the newest version of each: another for every change of any."""
    keys = sorted(version.key for version in rules)
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]


def bound_ids(ids: Sequence[str]) -> list[str]:
    """Return *ids* in order; of very many the first, and one entry that changes with the rest.

    A flood of types trips as many breakers: what people are bound to stays small, and exact.
    """
    named = sorted(ids)
    if len(named) <= SHOWN_IDS:
        return named
    digest = hashlib.sha256("\n".join(named[SHOWN_IDS:]).encode()).hexdigest()[:16]
    return [*named[:SHOWN_IDS], f"and {len(named) - SHOWN_IDS} more, SHA-256 {digest}"]


def what_moved(before: Basis, after: Basis) -> list[str]:
    """Return in words what changed from one basis to the other; empty for nothing."""
    events = (before.unresolved_events, before.newest_event)
    moved = (
        (before.ruleset_version != after.ruleset_version, "the rules changed"),
        (
            before.autonomy_epoch != after.autonomy_epoch,
            f"autonomy was lowered (epoch {before.autonomy_epoch} → {after.autonomy_epoch})",
        ),
        (sorted(before.blockers) != sorted(after.blockers), _of_blockers(after.blockers)),
        (events != (after.unresolved_events, after.newest_event), "breaker events came or went"),
    )
    return [said for changed, said in moved if changed]


def _of_blockers(blockers: Sequence[str]) -> str:
    """Return what there is to say of changed *blockers*."""
    return f"the blockers changed: {', '.join(blockers) or 'there are none now'}"


def _achievements(assessment: Assessment, metrics: PeriodMetrics) -> list[str]:
    """Return what speaks for the rise, each with its number."""
    overall, rates = assessment.overall, metrics.rates
    attempts = metrics.commands.succeeded + metrics.commands.failed
    days = (metrics.period.end - metrics.period.start).days
    found = [
        f"Readiness {overall.shown_score}: {overall.points} of {overall.max_points} points",
        f"{assessment.days_since_phase_start} days at {assessment.current_phase}",
        f"{metrics.incidents.critical_from_autonomous_actions} critical incidents from autonomous "
        f"actions in {days} days",
    ]
    shown = (
        (rates.success_rate, f"of {attempts} attempts succeeded"),
        (rates.approval_rate, f"of {metrics.commands.proposed} proposed commands were approved"),
        (rates.rollback_rate, f"of {metrics.commands.succeeded} successes were rolled back"),
    )
    rated = [f"{rate:.2%} {said} in {days} days" for rate, said in shown if rate is not None]
    return [found[0], *rated, *found[1:]]


def _plan(present: Phase, rise: Rise) -> str:
    """Return how to go back."""
    names = ", ".join(rise.adds) or "nothing more"
    return (
        f"POST /api/governance/rollback with targetPhase {present} takes {names} off the "
        f"whitelist and voids what was decided at {rise.target}; breakers that revert go to L3 by "
        "themselves, and so does POST /api/kill-switch. The validation period demotes to "
        f"{present} by itself when it fails."
    )
