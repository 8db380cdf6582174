"""Proposals and approvals on both databases: once, by the right people, on what they saw."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from governance import handlers
from governance.approvals import self_asserted
from governance.audit import Act
from governance.desk import Desk
from governance.ladder import ApproverRole
from governance.proposals import ProposalStatus
from governance.validation import ValidationStatus
from schemas.alerts import AlertType
from schemas.errors import NoRise, NotFound, ProposalClosed, ProposalExpired
from schemas.governance import LADDER, Phase
from schemas.rules import RulePatch
from tests.contract.test_store_trips import alerts
from tests.desks import NOON, alert, revert, trip
from tests.ladders import (
    OPS,
    PEOPLE,
    PRODUCT,
    TECH,
    clock_of,
    executors_of,
    make_ready,
    proposed,
    ready_desk,
)


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """Return a desk over an installation that is ready for L3+."""
    desk = ready_desk(database_url)
    yield desk
    desk.store.close()


def acts(desk: Desk) -> list[str]:
    """Return what the audit log tells, oldest first."""
    return [row.act for row in reversed(handlers.list_audit(desk, limit=500))]


def climb(desk: Desk, target: Phase) -> None:
    """Rise to *target*, phase by phase, each validated in time."""
    for phase in LADDER[1 : target.rank + 1]:
        make_ready(desk)
        found = proposed(desk)
        for somebody in PEOPLE[: len(found.required_approvals)]:
            handlers.approve_proposal(desk, found.id, somebody)
        assert handlers.show_state(desk).current_phase is phase
        clock_of(desk).pass_(timedelta(days=60, seconds=1))
        handlers.judge_validation(desk)


def test_the_last_role_raises_the_phase_and_begins_its_validation(desk: Desk) -> None:
    """The whitelist grows by the table, the epoch stays, history and subscribers know."""
    found = proposed(desk)
    done = handlers.approve_proposal(desk, found.id, TECH)
    state = handlers.show_state(desk)
    assert done.phase_changed
    assert (state.current_phase, state.autonomy_epoch) == (Phase.L3_PLUS, 1)
    assert state.command_whitelist == ["SET_FAN", "SET_POWER"]
    assert (state.phase_start_date, state.last_expansion_date) == (NOON, NOON)
    assert handlers.show_phase_history(desk)[0]["actor"] == "anna"
    assert handlers.show_proposal(desk, found.id).status is ProposalStatus.APPROVED
    assert handlers.show_validation(desk).ends_at == NOON + timedelta(days=14)
    assert acts(desk)[-5:] == [
        Act.PROPOSAL_OPENED,
        Act.PROPOSAL_APPROVED,
        Act.PHASE_PROMOTED,
        Act.PROPOSAL_CARRIED,
        Act.VALIDATION_STARTED,
    ]
    assert [said.type for said in alerts(desk)][-3:] == [
        AlertType.PHASE_CHANGED,
        AlertType.PROPOSAL_CLOSED,
        AlertType.VALIDATION_STARTED,
    ]
    assert handlers.verify_audit(desk).intact


def test_a_proposal_says_why_with_numbers(desk: Desk) -> None:
    """Achievements, risk, mitigations and the way back are all there, for people to judge."""
    found = proposed(desk)
    assert found.id == found.proposal_id
    assert found.expansion.commands_to_whitelist == ["SET_POWER", "SET_FAN"]
    assert found.expansion.validation_period == 14
    assert found.rationale.key_achievements[0] == "Readiness 100.0%: 80 of 80 points"
    assert all(any(c.isdigit() for c in said) for said in found.rationale.key_achievements)
    assert found.risk_assessment.mitigations
    assert "/api/governance/rollback" in found.risk_assessment.rollback_plan
    assert handlers.list_proposals(desk) == [found]


def test_the_whole_ladder_takes_ten_approvals_by_four_people(desk: Desk) -> None:
    """From L3 to L5, one phase at a time, with one, two, three and four people."""
    climb(desk, Phase.L5)
    assert acts(desk).count(Act.PROPOSAL_APPROVED) == 10
    assert acts(desk).count(Act.PHASE_PROMOTED) == 4
    assert handlers.show_validation(desk).status is ValidationStatus.SUCCESSFUL
    make_ready(desk)
    assert handlers.propose_if_ready(desk, handlers.assess(desk)) is None


def test_of_fifty_approvals_at_once_one_raises_the_phase(desk: Desk) -> None:
    """A click fifty times over is one approval, one rise, and fifty times the same answer."""
    found = proposed(desk)
    with ThreadPoolExecutor(50) as people:
        done = list(
            people.map(lambda _: handlers.approve_proposal(desk, found.id, TECH), range(50))
        )
    assert sum(one.phase_changed for one in done) == 1
    assert {one.state.current_phase for one in done} == {Phase.L3_PLUS}
    assert acts(desk).count(Act.PHASE_PROMOTED) == 1
    assert acts(desk).count(Act.PROPOSAL_APPROVED) == 1


def test_fifty_people_of_two_roles_raise_the_phase_once(database_url: str) -> None:
    """Whoever comes first in each role counts; all others are told that the role is taken."""
    desk = ready_desk(database_url, Phase.L3_PLUS)
    found = proposed(desk)
    crowd = [
        type(TECH)(f"p{n}", role, "token", frozenset({role.value}))
        for n, role in enumerate((ApproverRole.TECH_LEAD, ApproverRole.OPS_LEAD) * 25)
    ]

    def approve(somebody: object) -> str:
        try:
            done = handlers.approve_proposal(desk, found.id, somebody)  # type: ignore[arg-type]
        except NoRise as refused:
            return refused.code
        return "raised" if done.phase_changed else "given"

    with ThreadPoolExecutor(50) as people:
        said = list(people.map(approve, crowd))
    assert (said.count("raised"), said.count("given")) == (1, 1)
    assert set(said) <= {"raised", "given", "role_taken", "proposal_closed"}
    assert handlers.show_state(desk).current_phase is Phase.L4
    assert acts(desk).count(Act.PHASE_PROMOTED) == 1
    desk.store.close()


def test_a_changed_rule_voids_approvals_with_the_reason(database_url: str) -> None:
    """The proposal stays, at its next version; who approved the last one approves again."""
    desk = ready_desk(database_url, Phase.L3_PLUS)
    found = proposed(desk)
    handlers.approve_proposal(desk, found.id, TECH)
    handlers.patch_rule(desk, "High Error Rate", RulePatch(window="10m"), by="ben")
    handlers.tend_proposals(desk)
    again = handlers.show_proposal(desk, found.id)
    assert (again.version, again.digest != found.digest) == (2, True)
    assert again.approvals[0].void_reason == "the rules changed"
    assert again.missing_approvals == [ApproverRole.TECH_LEAD, ApproverRole.OPS_LEAD]
    handlers.approve_proposal(desk, found.id, OPS)
    assert handlers.approve_proposal(desk, found.id, TECH).phase_changed
    assert AlertType.APPROVALS_VOIDED in [said.type for said in alerts(desk)]
    desk.store.close()


@pytest.mark.parametrize("kind", ["event", "pause", "blocker"])
def test_whatever_moves_voids_the_approvals(database_url: str, kind: str) -> None:
    """An event, even one that was resolved again, a pause, a blocker: each voids, and says so."""
    desk = ready_desk(database_url, Phase.L3_PLUS)
    found = proposed(desk)
    handlers.approve_proposal(desk, found.id, TECH)
    if kind == "blocker":
        executors_of(desk).columns["failed"] = 600
    else:
        action = trip() if kind == "pause" else alert()
        handlers.apply_action(desk, action)
        handlers.resolve_event(desk, action.id, by="ben")
    code = None
    try:
        handlers.approve_proposal(desk, found.id, OPS)
    except NoRise as refused:
        code = refused.code
    assert code == ("not_ready" if kind == "blocker" else None)
    standing = [one for one in handlers.show_proposal(desk, found.id).approvals if one.is_standing]
    assert TECH.principal not in [one.approver for one in standing]
    assert handlers.show_state(desk).current_phase is Phase.L3_PLUS
    desk.store.close()


def test_a_revert_voids_the_proposal_itself(desk: Desk) -> None:
    """What was proposed before a revert is never approved after it, resolved or not."""
    found = proposed(desk)
    handlers.apply_action(desk, revert())
    handlers.resolve_event(desk, revert().id, by="ben")
    gone = handlers.show_proposal(desk, found.id)
    assert gone.status is ProposalStatus.VOIDED
    assert "High Error Rate" in (gone.reason or "")
    assert handlers.list_proposals(desk) == []
    with pytest.raises(ProposalClosed):
        handlers.approve_proposal(desk, found.id, TECH)


def test_rejecting_is_final_and_needs_no_reason(desk: Desk) -> None:
    """Once rejected, a second rejection changes nothing and an approval is refused."""
    found = proposed(desk)
    gone = handlers.reject_proposal(desk, found.id, by="cleo")
    again = handlers.reject_proposal(desk, found.id, by="dora", reason="me too")
    assert (gone.status, gone.reason) == (ProposalStatus.REJECTED, "rejected by cleo")
    assert again == gone
    with pytest.raises(ProposalClosed, match="rejected by cleo"):
        handlers.approve_proposal(desk, found.id, TECH)
    assert acts(desk).count(Act.PROPOSAL_REJECTED) == 1


def test_a_proposal_expires_after_two_weeks(desk: Desk) -> None:
    """It is listed no more, cannot be decided, and the next cycle may propose again."""
    found = proposed(desk)
    clock_of(desk).pass_(timedelta(days=14))
    assert handlers.list_proposals(desk) == []
    with pytest.raises(ProposalExpired):
        handlers.approve_proposal(desk, found.id, TECH)
    with pytest.raises(ProposalExpired):
        handlers.reject_proposal(desk, found.id, by="cleo")
    assert handlers.show_proposal(desk, found.id).status is ProposalStatus.EXPIRED
    make_ready(desk)
    assert proposed(desk).id != found.id


def test_without_authentication_each_role_speaks_for_a_person(database_url: str) -> None:
    """The runbook's curl works: two roles are two people on their word, and it says so."""
    desk = ready_desk(database_url, Phase.L3_PLUS)
    found = proposed(desk)
    for role in (ApproverRole.TECH_LEAD, ApproverRole.OPS_LEAD):
        done = handlers.approve_proposal(desk, found.id, self_asserted(role))
    assert done.phase_changed
    given = handlers.show_proposal(desk, found.id).approvals
    assert {one.assurance for one in given} == {"self_asserted"}
    assert [one.approver for one in given] == [
        "tech-lead (self_asserted)",
        "ops-lead (self_asserted)",
    ]
    desk.store.close()


def test_an_unknown_proposal_is_not_found(desk: Desk) -> None:
    """A mistyped id gets its near match."""
    found = proposed(desk)
    with pytest.raises(NotFound, match=found.id):
        handlers.approve_proposal(desk, found.id[:-1], TECH)


def test_an_installation_says_what_a_phase_adds(database_url: str) -> None:
    """The whitelist of the phase table is a setting."""
    desk = ready_desk(database_url, phase_whitelists={Phase.L3_PLUS: ("BREW",)})
    handlers.approve_proposal(desk, proposed(desk).id, TECH)
    assert handlers.show_state(desk).command_whitelist == ["BREW"]
    desk.store.close()


def test_a_row_that_sql_broke_cannot_hold_a_revert_back(desk: Desk) -> None:
    """A proposal that nobody can read is passed over: lowering always works."""
    found = proposed(desk)
    with desk.store.writing() as unit:
        unit.proposals._connection.exec_driver_sql(
            "UPDATE scope_expansion_proposals SET proposal = 'nonsense'"
        )
    assert handlers.apply_action(desk, revert())
    with pytest.raises(NotFound):
        handlers.approve_proposal(desk, found.id, PRODUCT)
