"""Proposals and approvals on both databases: once, by the right people, on what they saw."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from governance import handlers
from governance.audit import Act
from governance.desk import Desk
from governance.ladder import ApproverRole, RiskLevel
from governance.proposals import ProposalStatus
from governance.validation import ValidationStatus
from schemas.alerts import AlertType
from schemas.errors import NoRise, ProposalClosed
from schemas.governance import LADDER, Phase
from schemas.rules import RulePatch
from schemas.tallies import WIDTH
from tests.contract.test_store_trips import alerts
from tests.desks import NOON, revert, trip
from tests.ladders import (
    OPS,
    PEOPLE,
    TECH,
    clock_of,
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


def test_a_proposal_names_the_types_that_never_ran(desk: Desk) -> None:
    """A whitelist may hold a misspelt name; what runs in a year under it was never looked at."""
    with desk.store.writing() as unit:
        minute = int(desk.clock().timestamp()) // 60
        unit.minutes.add({(minute, "commandType=SET_POWER"): [1] * WIDTH})
    found = proposed(desk)
    assert found.expansion.commands_to_whitelist == ["SET_POWER", "SET_FAN"]
    assert "SET_FAN never ran here: check its name" in found.risk_assessment.reasons
    assert "SET_POWER" not in "".join(found.risk_assessment.reasons)
    assert found.risk_assessment.level is RiskLevel.LOW


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


def test_that_an_event_grew_old_voids_no_approval(database_url: str, tmp_path: Path) -> None:
    """A proposal is bound to the newest breaker event, which therefore outlives its ninety days."""
    desk = ready_desk(database_url, Phase.L3_PLUS, data_dir=tmp_path)
    for age in (100, 89):
        old = trip(decided_at=NOON - timedelta(days=age))
        handlers.apply_action(desk, old)
        handlers.resolve_event(desk, old.id, by="anna")
    found = proposed(desk)
    handlers.approve_proposal(desk, found.id, TECH)
    clock_of(desk).pass_(timedelta(days=2))
    handlers.prune(desk, by="system")
    desk.scrapes.note(desk.clock())

    assert [one.id for one in handlers.list_events(desk, limit=9)] == [old.id]
    assert handlers.approve_proposal(desk, found.id, OPS).phase_changed
    desk.store.close()
