"""Proposals as handlers keep them: what they say, when they end, and what voids approvals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import handlers
from governance.approvals import self_asserted
from governance.audit import Act
from governance.desk import Desk
from governance.ladder import ApproverRole
from governance.proposals import SHOWN_IDS, ProposalStatus, bound_ids
from schemas.errors import NoRise, NotFound, ProposalClosed, ProposalExpired
from schemas.governance import Phase
from tests.contract.test_store_proposals import acts
from tests.desks import alert, revert, trip
from tests.ladders import (
    OPS,
    PRODUCT,
    TECH,
    clock_of,
    executors_of,
    make_ready,
    proposed,
    ready_desk,
)


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Return the address of an empty database."""
    return f"sqlite:///{tmp_path / 'governance.db'}"


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """Return a desk over an installation that is ready for L3+."""
    desk = ready_desk(database_url)
    yield desk
    desk.store.close()


def test_a_proposal_says_why_with_numbers(desk: Desk) -> None:
    """Achievements, risk, mitigations and the way back are all there, for people to judge."""
    found = proposed(desk)
    assert found.id == found.proposal_id
    assert found.expansion.commands_to_whitelist == ["SET_POWER", "SET_FAN"]
    assert found.expansion.validation_period == 14
    assert found.rationale.key_achievements[0] == "Readiness 100.00%: 80 of 80 points"
    assert all(any(c.isdigit() for c in said) for said in found.rationale.key_achievements)
    assert found.risk_assessment.mitigations
    assert "/api/governance/rollback" in found.risk_assessment.rollback_plan
    assert handlers.list_proposals(desk) == [found]


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


@given(ids=st.sets(st.integers(0, 2_000).map(str), max_size=600), other=st.integers(0, 2_000))
def test_what_a_proposal_names_is_small_and_still_exact(ids: set[str], other: int) -> None:
    """However many events wait, one more or less of them is another basis."""
    named = bound_ids(list(ids))
    assert len(named) <= SHOWN_IDS + 1
    assert named == bound_ids(sorted(ids, reverse=True))
    assert bound_ids(list(ids ^ {str(other)})) != named


def test_few_events_are_named_as_they_always_were() -> None:
    """All of them, in order."""
    assert bound_ids(["b", "a"]) == ["a", "b"]
