"""Ten thousand steps of people, machines and mischief: the phase rises only as people say.

The decisions are the product's own pure functions; the machine keeps books of its own about who
said yes to what, and never asks the product whether that was enough.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from governance import phases
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
from governance.autonomy import Autonomy
from governance.ladder import ApproverRole, next_rise, rise_to
from governance.proposals import Approval, Basis, Proposal, ProposalStatus, opened, what_moved
from schemas.errors import GovernanceError
from schemas.governance import LADDER, Phase
from tests.desks import NOON
from tests.unit.governance.assessing import assessment, counted

NEEDED = {Phase.L3_PLUS: 1, Phase.L4: 2, Phase.L4_PLUS: 3, Phase.L5: 4}
"""How many people a rise takes: the runbook's table, written down here once more."""

NAMES = st.sampled_from(["anna", "ben", "cleo", "dora", "autonomy-governance-agent", "bot"])
ROLES = st.sampled_from(list(ApproverRole))
HELD = st.frozensets(st.sampled_from([*map(str, ApproverRole), "viewer", "service"]), max_size=3)
METRICS = counted(succeeded=10_000)
READY = assessment()


class Ladder(RuleBasedStateMachine):
    """One installation in memory, its people, and what goes wrong."""

    @initialize()
    def begin(self) -> None:
        """Start at the floor."""
        self.now = NOON
        self.state = Autonomy(Phase.L3, NOON)
        self.basis = Basis(
            ruleset_version="r0",
            autonomy_epoch=1,
            blockers=[],
            unresolved_events=[],
            newest_event=None,
        )
        self.proposal: Proposal | None = None
        self.given: list[Approval] = []
        self.validating = False
        self.cooldown_until = NOON
        self.said_yes: dict[str, set[str]] = {}
        self.highest = self.state.phase

    def _lowered(self, state: Autonomy) -> None:
        """Do what every lowering does to what was to be decided."""
        if state.phase.rank < self.state.phase.rank:
            self.cooldown_until = self.now + timedelta(days=7)
            self.validating = False
        self.state, self.highest = state, state.phase
        self.proposal = None

    @rule()
    def propose(self) -> None:
        """Propose the next phase, ready or not: approving must hold by itself."""
        rise = next_rise(self.state.phase, {})
        if rise is None:
            return
        self.basis = self.basis.model_copy(update={"autonomy_epoch": self.state.epoch})
        ready = READY.model_copy(update={"current_phase": self.state.phase})
        self.proposal = opened(
            rise, assessment=ready, metrics=METRICS, trips=0, basis=self.basis,
            lifetime=timedelta(days=14), now=self.now, requested_by="dora",
        )  # fmt: skip
        self.given = []
        self.said_yes = {}

    @rule(
        name=NAMES,
        role=ROLES,
        held=HELD,
        owns=st.booleans(),
        digest=st.none() | st.just("0" * 64),
        ready=st.booleans(),
    )
    def approve(
        self,
        name: str,
        role: ApproverRole,
        held: frozenset[str],
        owns: bool,
        digest: str | None,
        ready: bool,
    ) -> None:
        """Let somebody approve, by right or not, and raise the phase when nothing is missing."""
        roles = frozenset({role.value, *held}) if owns else held
        self._approve(Approver(name, role, "token", roles), digest=digest, ready=ready)

    @rule(role=ROLES)
    def agree(self, role: ApproverRole) -> None:
        """Let the right person approve in that role."""
        name = dict(zip(ApproverRole, ("anna", "ben", "cleo", "erik"), strict=True))[role]
        self._approve(Approver(name, role, "token", frozenset({role.value})))

    @rule()
    def rise(self) -> None:
        """Do all that a rise takes, so that the mischief happens on every rung."""
        self.conclude()
        self.resolve()
        self.now = max(self.now, self.cooldown_until)
        self.propose()
        for role in ApproverRole:
            self.agree(role)

    def _approve(
        self, somebody: Approver, *, digest: str | None = None, ready: bool = True
    ) -> None:
        """Go the way of every approval; keep books on those that are taken."""
        if self.proposal is None:
            return
        self._bind()
        proposal = self.proposal.with_approvals(self.given)
        try:
            if is_repeated(proposal, somebody):
                return
            check_open(proposal, self.now)
            check_person(proposal, somebody)
            check_seen(proposal, Seen(digest=digest), epoch=self.state.epoch)
            check_standing(proposal, self._standing(proposal, ready), self.now)
        except GovernanceError:
            return
        self.given = [*self.given, approval_of(proposal, somebody, self.now)]
        self.said_yes.setdefault(proposal.digest, set()).add(somebody.principal)
        assert somebody.principal not in ("autonomy-governance-agent", "dora")
        assert "service" not in (somebody.roles or ())
        assert somebody.role in (somebody.roles or ())
        self._promote_if_carried(proposal)

    def _bind(self) -> None:
        """Bind the proposal to what is true now, as every approval does first."""
        assert self.proposal is not None
        basis = self.basis.model_copy(update={"autonomy_epoch": self.state.epoch})
        if what_moved(self.proposal.basis, basis):
            self.proposal = self.proposal.on(basis)

    def _standing(self, proposal: Proposal, ready: bool) -> Standing:
        rise = rise_to(proposal.expansion.target_phase, {})
        assert rise is not None
        return Standing(
            phase=self.state.phase,
            epoch=self.state.epoch,
            unresolved=len(self.basis.unresolved_events),
            ready=ready,
            blockers=(),
            accepted_risk=rise.accepted_risk,
            validation_needed=rise.validation.days,
            validating=self.validating,
            cooldown_until=self.cooldown_until,
        )

    def _promote_if_carried(self, proposal: Proposal) -> None:
        """Raise the phase if no approval is missing, and look who said yes."""
        carried = proposal.with_approvals(self.given)
        if carried.missing_approvals:
            return
        target = carried.expansion.target_phase
        adds = carried.expansion.commands_to_whitelist
        self.state = phases.promoted(self.state, target, adds=adds, now=self.now)
        people = self.said_yes[carried.digest]
        assert len(people) >= NEEDED[target], (target, people)
        assert target.rank == self.highest.rank + 1
        assert not self.basis.unresolved_events
        self.highest, self.validating = target, True
        self.proposal = carried.ended(ProposalStatus.APPROVED, self.now, by="", reason=None)

    @rule(name=st.sampled_from(["e1", "e2"]))
    def trip(self, name: str) -> None:
        """Let an event come."""
        waiting = sorted({*self.basis.unresolved_events, name})
        self.basis = self.basis.model_copy(
            update={"unresolved_events": waiting, "newest_event": f"{name}{self.state.epoch}"}
        )

    @rule()
    def resolve(self) -> None:
        """Resolve all events."""
        self.basis = self.basis.model_copy(update={"unresolved_events": []})

    @rule(number=st.integers(0, 3))
    def change_rules(self, number: int) -> None:
        """Change a rule, perhaps back to what it was."""
        self.basis = self.basis.model_copy(update={"ruleset_version": f"r{number}"})

    @rule()
    def pause(self) -> None:
        """Pause a command type, which opens an epoch."""
        self.state = phases.paused(self.state, "SET_POWER")

    @rule(phase=st.sampled_from(LADDER), chance=st.integers(0, 3))
    def roll_back(self, phase: Phase, chance: int) -> None:
        """Ask for a rollback to anywhere, upwards too."""
        if chance:
            return
        try:
            self._lowered(phases.rolled_back(self.state, phase, whitelist=(), now=self.now))
        except GovernanceError:
            assert phase.rank > self.state.phase.rank

    @rule(chance=st.integers(0, 7))
    def kill(self, chance: int) -> None:
        """Pull the kill switch."""
        if chance:
            return
        self._lowered(phases.killed(self.state, ["SET_POWER"], self.now))

    @rule(days=st.sampled_from([1, 8, 15]))
    def wait(self, days: int) -> None:
        """Let time pass; a validation that has had its time ends well."""
        self.now += timedelta(days=days)
        self.validating = self.validating and days < 15

    @rule()
    def conclude(self) -> None:
        """End a validation well."""
        self.validating = False

    def teardown(self) -> None:
        """Show how high it went, for the statistics."""
        event(f"reached {self.state.phase}")

    @invariant()
    def the_phase_is_where_people_put_it(self) -> None:
        """Nothing but a carried proposal ever raised it."""
        if hasattr(self, "state"):
            assert self.state.phase is self.highest


Ladder.TestCase.settings = settings(
    max_examples=250,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestLadder = Ladder.TestCase
TestLadder.__doc__ = "In 10,000 steps no phase rises without the distinct people that it takes."
