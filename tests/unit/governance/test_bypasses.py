"""Ways around the people whom a rise takes: each is refused, and by a reason of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from governance import handlers
from governance.approvals import Approver, Seen
from governance.audit import Act
from governance.desk import Desk
from governance.ladder import ApproverRole, RiskLevel
from governance.proposals import Proposal
from governance.provenance.proposals import told_facts
from schemas.errors import GovernanceError
from schemas.governance import Phase
from tests.desks import NOON, alert, revert, trip
from tests.ladders import (
    OPS,
    PRODUCT,
    TECH,
    clock_of,
    executors_of,
    person,
    proposed,
    ready_desk,
)

Attempt = Callable[[Desk, Proposal], object]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a desk at L3+ that is ready for L4, which takes a tech lead and an ops lead."""
    desk = ready_desk(f"sqlite:///{tmp_path / 'governance.db'}", Phase.L3_PLUS)
    yield desk
    desk.store.close()


def approve(somebody: Approver, seen: Seen | None = None) -> Attempt:
    """Return the attempt to approve as *somebody*."""
    return lambda desk, found: handlers.approve_proposal(desk, found.id, somebody, seen=seen)


def given(*people: Approver) -> Callable[[Attempt], Attempt]:
    """Return what lets *people* approve before an attempt."""

    def before(attempt: Attempt) -> Attempt:
        def attempted(desk: Desk, found: Proposal) -> object:
            for somebody in people:
                handlers.approve_proposal(desk, found.id, somebody)
            return attempt(desk, found)

        return attempted

    return before


def after(change: Callable[[Desk, Proposal], object], attempt: Attempt) -> Attempt:
    """Return *attempt* after *change*."""

    def attempted(desk: Desk, found: Proposal) -> object:
        change(desk, found)
        return attempt(desk, found)

    return attempted


def _edit(desk: Desk, found: Proposal, **update: object) -> Proposal:
    """Write a proposal with other content behind the digest's and the audit log's back."""
    with desk.store.writing() as unit:
        stored = unit.proposals.require(found.id).model_copy(update=update)
        unit.proposals.save(stored)
    return stored


def _open(desk: Desk, found: Proposal, **update: object) -> None:
    """Write a proposal with other content, as if it had been opened so."""
    stored = _edit(desk, found, **update)
    with desk.store.writing() as unit:
        unit.audit.append(
            Act.PROPOSAL_OPENED,
            stored.id,
            actor=stored.proposed_by,
            at=stored.timestamp,
            after=told_facts(stored),
        )


def _widen(desk: Desk, found: Proposal) -> None:
    """Smuggle a command type into a proposal."""
    wider = found.expansion.model_copy(update={"commands_to_whitelist": ["ABORT"]})
    _edit(desk, found, expansion=wider)


def _skip(desk: Desk, found: Proposal) -> None:
    """Let the phase be another than the proposal is for."""
    with desk.store.writing() as unit:
        state = unit.autonomy.load()
        lower = state.__class__(Phase.L3, state.phase_start_date)
        unit.autonomy.save(lower, NOON)
        unit.audit.append(Act.STATE_ADOPTED, "x", actor="test", at=NOON, after=lower.facts())


def _risky(desk: Desk, found: Proposal) -> None:
    """Raise the risk, with a digest to match."""
    risk = found.risk_assessment.model_copy(update={"level": RiskLevel.HIGH})
    again = found.model_copy(update={"risk_assessment": risk}).on(found.basis)
    _open(desk, found, risk_assessment=risk, digest=again.digest)


def _short(desk: Desk, found: Proposal) -> None:
    """Shorten the validation period, with a digest to match."""
    shorter = found.expansion.model_copy(update={"validation_period": 1})
    again = found.model_copy(update={"expansion": shorter}).on(found.basis)
    _open(desk, found, expansion=shorter, digest=again.digest)


def _reject(desk: Desk, found: Proposal) -> None:
    handlers.reject_proposal(desk, found.id, by="dora")


def _pass_time(desk: Desk, found: Proposal) -> None:
    clock_of(desk).pass_(timedelta(days=15))


def _fail(desk: Desk, found: Proposal) -> None:
    executors_of(desk).columns["failed"] = 900


def _trip(desk: Desk, found: Proposal) -> None:
    handlers.apply_action(desk, alert())


def _pause(desk: Desk, found: Proposal) -> None:
    handlers.apply_action(desk, trip())
    handlers.resolve_event(desk, trip().id, by="ben")


def _revert(desk: Desk, found: Proposal) -> None:
    handlers.apply_action(desk, revert())
    handlers.resolve_event(desk, revert().id, by="ben")


def _kill(desk: Desk, found: Proposal) -> None:
    handlers.pull_kill_switch(desk, reason="smoke", by="ben")


def _ask_as_anna(desk: Desk, found: Proposal) -> None:
    _open(desk, found, requested_by="anna")


def _cool(desk: Desk, found: Proposal) -> None:
    """Begin a cooldown without a lowering."""
    from governance.handlers.lowering import cool_down
    from schemas.events import Severity

    with desk.store.writing() as unit:
        cool_down(desk, unit, severity=Severity.HIGH, cause="a test", now=desk.clock())


BOTH = person("anna", ApproverRole.OPS_LEAD, "tech-lead")
AGENT = person("autonomy-governance-agent", ApproverRole.TECH_LEAD)
SERVICE = Approver(
    "ci", ApproverRole.TECH_LEAD, "token", frozenset({"service", "tech-lead", "ops-lead"})
)
BYPASSES: dict[str, tuple[str, Attempt]] = {
    "one person in two roles": ("one_person_one_role", given(TECH)(approve(BOTH))),
    "one person under two names": (
        "one_person_one_role",
        given(TECH)(approve(person("аnna", ApproverRole.OPS_LEAD))),
    ),
    "as who asked for it, under another name": (
        "own_proposal",
        after(_ask_as_anna, approve(person("an\u034fna", ApproverRole.TECH_LEAD))),
    ),
    "a second tech lead instead of an ops lead": (
        "role_taken",
        given(TECH)(approve(person("otto", ApproverRole.TECH_LEAD))),
    ),
    "in a role of somebody else": (
        "role_not_held",
        approve(Approver("ben", ApproverRole.TECH_LEAD, "token", frozenset({"ops-lead"}))),
    ),
    "in no role at all": (
        "role_not_held",
        approve(Approver("vera", ApproverRole.OPS_LEAD, "token", frozenset({"viewer"}))),
    ),
    "in a role that is not asked for": ("role_not_required", approve(PRODUCT)),
    "as a service": ("service_may_not_approve", approve(SERVICE)),
    "as the proposer": ("own_proposal", approve(AGENT)),
    "as who asked for it": ("own_proposal", after(_ask_as_anna, approve(TECH))),
    "after it was rejected": ("proposal_closed", after(_reject, approve(TECH))),
    "after it expired": ("proposal_expired", after(_pass_time, approve(TECH))),
    "after a revert": ("proposal_closed", after(_revert, approve(TECH))),
    "after the kill switch": ("proposal_closed", after(_kill, approve(TECH))),
    "while readiness is too low": ("not_ready", after(_fail, given(TECH)(approve(OPS)))),
    "while an event is unresolved": ("unresolved_events", after(_trip, approve(TECH))),
    "with a digest of another version": (
        "stale_proposal",
        approve(TECH, Seen(digest="0" * 64)),
    ),
    "with another version": ("stale_proposal", approve(TECH, Seen(version=9))),
    "with an epoch of before a pause": (
        "stale_epoch",
        after(_pause, approve(TECH, Seen(epoch=1))),
    ),
    "after its content was edited": ("proposal_closed", after(_widen, approve(TECH))),
    "over a phase": ("phase_skipped", after(_skip, approve(TECH))),
    "with a risk above what is accepted": ("risk_too_high", after(_risky, approve(TECH))),
    "with a shortened validation": ("validation_too_short", after(_short, approve(TECH))),
    "during a cooldown": ("cooldown_running", after(_cool, approve(TECH))),
    "by a name that nobody proposed": (
        "not_found",
        lambda desk, found: handlers.approve_proposal(desk, "expansion-0", TECH),
    ),
    "by rolling back upwards": (
        "refused",
        lambda desk, found: handlers.roll_back(desk, Phase.L5, reason="up", by="anna"),
    ),
}


@pytest.mark.parametrize("name", BYPASSES)
def test_no_way_around_the_people_raises_the_phase(desk: Desk, name: str) -> None:
    """The attempt is refused with its own code, and the phase is no higher than before."""
    code, attempt = BYPASSES[name]
    found = proposed(desk)
    with pytest.raises(GovernanceError) as refused:
        attempt(desk, found)
    assert refused.value.code == code
    state = handlers.show_state(desk)
    assert state.current_phase.rank <= Phase.L3_PLUS.rank
    assert "SET_DRUM" not in state.command_whitelist


def test_an_approval_of_an_older_revision_is_not_replayed(desk: Desk) -> None:
    """What somebody approved before the rules moved does not count for what came after."""
    found = proposed(desk)
    handlers.approve_proposal(desk, found.id, TECH)
    _pause(desk, found)
    done = handlers.approve_proposal(desk, found.id, OPS)
    assert not done.phase_changed
    assert done.missing_approvals == [ApproverRole.TECH_LEAD]
    assert handlers.show_state(desk).current_phase is Phase.L3_PLUS


def test_sql_cannot_raise_the_phase(desk: Desk) -> None:
    """An UPDATE that raises the phase or widens the whitelist is put back."""
    with desk.store.writing() as unit:
        unit.autonomy._connection.exec_driver_sql(
            "UPDATE governance_state SET current_phase = 'L5', command_whitelist = '[\"ABORT\"]'"
        )
    handlers.adopt_sql_changes(desk)
    state = handlers.show_state(desk)
    assert (state.current_phase, state.command_whitelist) == (Phase.L3_PLUS, [])
