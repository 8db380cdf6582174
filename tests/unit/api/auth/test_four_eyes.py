"""Approvals over HTTP with tokens: the role must be held, and one person is one person."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from governance import handlers
from governance.callers import Role
from governance.service import StateService
from schemas.governance import Phase
from tests.ladders import Executors, make_ready, proposed
from tests.unit.api.auth.conftest import Bearer


@pytest.fixture
def approve(service: StateService) -> str:
    """Return where a proposal of L4 is approved, which a tech lead and an ops lead do."""
    service.desk = replace(service.desk, measure=Executors())
    make_ready(service.desk, Phase.L3_PLUS)
    return f"/api/governance/proposals/{proposed(service.desk).id}/approve"


def test_a_role_that_is_not_held_is_refused(
    approve: str, guarded: TestClient, bearer: Bearer
) -> None:
    """An ops lead does not become a tech lead by saying so."""
    answer = guarded.post(
        approve, json={"approvedBy": "tech-lead"}, headers=bearer("ben", Role.OPS_LEAD)
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "role_not_held")


def test_two_tokens_of_one_person_are_one_person(
    approve: str, guarded: TestClient, bearer: Bearer
) -> None:
    """Neither two roles in one token nor a second token makes a second person."""
    one = bearer("anna", Role.TECH_LEAD, Role.OPS_LEAD)
    other = bearer("anna", Role.OPS_LEAD)
    first = guarded.post(approve, json={"approvedBy": "tech-lead"}, headers=one)
    codes = [
        guarded.post(approve, json={"approvedBy": "ops-lead"}, headers=headers).json()["code"]
        for headers in (one, other)
    ]

    assert first.status_code == 200
    assert codes == ["one_person_one_role"] * 2
    state = guarded.get("/api/governance/state", headers=one).json()
    assert state["currentPhase"] == "L3+"


def test_what_a_revoked_person_approved_no_longer_counts(
    approve: str, guarded: TestClient, service: StateService, bearer: Bearer
) -> None:
    """Whoever held the token may have been somebody else; with a new one they approve again."""
    anna, ben = bearer("anna", Role.TECH_LEAD), bearer("ben", Role.OPS_LEAD)
    guarded.post(approve, json={"approvedBy": "tech-lead"}, headers=anna)
    (token,) = (one for one in handlers.list_tokens(service.desk) if one.principal == "anna")
    handlers.revoke_token(service.desk, token.id, by="the test")
    answer = guarded.post(approve, json={"approvedBy": "ops-lead"}, headers=ben).json()
    assert (answer["phaseChanged"], answer["missingApprovals"]) == (False, ["tech-lead"])
    again = bearer("anna", Role.TECH_LEAD)

    answer = guarded.post(approve, json={"approvedBy": "tech-lead"}, headers=again).json()
    assert answer["phaseChanged"] is True
    assert handlers.verify_audit(service.desk).intact


def test_two_people_raise_the_phase_and_are_named(
    approve: str, guarded: TestClient, bearer: Bearer
) -> None:
    """Distinct people in the roles that they hold, known by their tokens."""
    anna, ben = bearer("anna", Role.TECH_LEAD), bearer("ben", Role.OPS_LEAD)
    for role, headers in (("tech-lead", anna), ("ops-lead", ben)):
        assert guarded.post(approve, json={"approvedBy": role}, headers=headers).status_code == 200
    found = guarded.get(approve.removesuffix("/approve"), headers=anna).json()["approvals"]

    assert [(one["approver"], one["assurance"]) for one in found] == [
        ("anna", "token"),
        ("ben", "token"),
    ]
    assert guarded.get("/api/governance/state", headers=anna).json()["currentPhase"] == "L4"


def test_an_approval_of_what_changed_is_refused(
    approve: str, guarded: TestClient, bearer: Bearer
) -> None:
    """A stale tag is answered 412 and approves nothing."""
    headers = {**bearer("anna", Role.TECH_LEAD), "If-Match": '"v99"'}
    answer = guarded.post(approve, json={"approvedBy": "tech-lead"}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (412, "outdated")
