"""Proposals, decisions, the ladder and the kill switch over HTTP, as the runbook asks for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from governance.service import StateService
from schemas.governance import Phase
from tests.ladders import Executors, make_ready, proposed
from tests.unit.api.conftest import Trip

PROPOSALS = "/api/governance/proposals"


@pytest.fixture
def pending(service: StateService) -> str:
    """Return the id of a proposal of L4, which a tech lead and an ops lead approve."""
    service.desk = replace(service.desk, measure=Executors())
    make_ready(service.desk, Phase.L3_PLUS)
    return proposed(service.desk).id


def test_a_proposal_has_the_fields_of_the_contract(client: TestClient, pending: str) -> None:
    """What the runbook tells people to review is there under the names that clients know."""
    (found,) = client.get(PROPOSALS).json()

    assert found["id"] == found["proposalId"] == pending
    assert found["proposedBy"] == "autonomy-governance-agent"
    assert found["expansion"] == {
        "currentPhase": "L3+",
        "targetPhase": "L4",
        "commandsToWhitelist": ["SET_DRUM", "SET_AIRFLOW"],
        "validationPeriod": 21,
    }
    assert set(found["rationale"]) == {"metrics", "readiness", "keyAchievements"}
    assert {"level", "mitigations", "rollbackPlan"} <= set(found["riskAssessment"])
    assert found["requiredApprovals"] == ["tech-lead", "ops-lead"]
    assert client.get(f"{PROPOSALS}/{pending}").json() == found


def test_nothing_pending_is_an_empty_list(client: TestClient) -> None:
    """The runbook pipes it into jq."""
    assert client.get(PROPOSALS).json() == []


def test_the_runbooks_approvals_raise_the_phase(client: TestClient, pending: str) -> None:
    """Two roles by curl; the second changes the state, and the record says how sure it is."""
    first = client.post(f"{PROPOSALS}/{pending}/approve", json={"approvedBy": "tech-lead"}).json()
    last = client.post(f"{PROPOSALS}/{pending}/approve", json={"approvedBy": "Ops Lead"}).json()
    acts = client.get(f"{PROPOSALS}/{pending}").json()["approvals"]

    assert {k: first[k] for k in ("success", "id", "approvedBy", "missingApprovals")} == {
        "success": True,
        "id": pending,
        "approvedBy": "tech-lead",
        "missingApprovals": ["ops-lead"],
    }
    assert last["phaseChanged"]
    assert client.get("/api/governance/state").json()["currentPhase"] == "L4"
    assert {act["assurance"] for act in acts} == {"self_asserted"}
    assert client.get(PROPOSALS).json() == []
    assert client.get(f"{PROPOSALS}/history").json()[0]["status"] == "approved"
    assert client.get("/api/governance/phases/history").json()[0]["phase"] == "L4"
    assert client.get("/api/governance/validation").json()["status"] == "running"


ROLES: list[Any] = ["", "somebody", "x" * 100, None, 5, ["tech-lead"], {}]
NO_ROLE: list[Any] = [
    *(None, {}, [], "tech-lead", 5, [{"approvedBy": "tech-lead"}]),
    *({"approvedBy": said} for said in ROLES),
    *({"remarks": "fine"}, {"version": "two"}, {"digest": 5, "autonomyEpoch": -1, "by": {}}),
]


@pytest.mark.parametrize("body", NO_ROLE)
def test_an_approval_names_its_role(client: TestClient, pending: str, body: Any) -> None:
    """Without a role, or in one that approves nothing, it is a 400 that names the field.

    Whatever else is in it, right or wrong.
    """
    answer = client.post(f"{PROPOSALS}/{pending}/approve", json=body)

    assert (answer.status_code, answer.json()["field"]) == (400, "approvedBy")


@pytest.mark.parametrize("more", [{"remarks": "fine"}, {"version": "two"}, {"digest": 5}])
def test_what_else_is_wrong_with_an_approval_is_named(
    client: TestClient, pending: str, more: dict[str, Any]
) -> None:
    """With its role it is a request like any other."""
    answer = client.post(f"{PROPOSALS}/{pending}/approve", json={"approvedBy": "tech-lead", **more})

    assert (answer.status_code, answer.json()["field"]) == (422, next(iter(more)))


def test_a_refusal_says_what_would_allow_it(client: TestClient, pending: str, trip: Trip) -> None:
    """An unresolved event is a problem of its own kind, with its remedy and its page."""
    trip()
    answer = client.post(f"{PROPOSALS}/{pending}/approve", json={"approvedBy": "tech-lead"})

    assert (answer.status_code, answer.json()["code"]) == (409, "unresolved_events")
    assert answer.json()["allowedWhen"]
    assert answer.json()["type"] == "/docs/problems#unresolved_events"


def test_a_stale_digest_is_refused(client: TestClient, pending: str) -> None:
    """Who says what they saw is held to it."""
    body = {"approvedBy": "tech-lead", "digest": "0" * 64}
    answer = client.post(f"{PROPOSALS}/{pending}/approve", json=body)

    assert (answer.status_code, answer.json()["code"]) == (409, "stale_proposal")


def test_rejecting_needs_no_body(client: TestClient, pending: str) -> None:
    """The answer has the id, and the proposal waits no more."""
    answer = client.post(f"{PROPOSALS}/{pending}/reject")

    assert answer.json()["success"] is True
    assert answer.json()["id"] == pending
    assert client.get(PROPOSALS).json() == []


def test_an_unknown_proposal_has_near_matches(client: TestClient, pending: str) -> None:
    """A mistyped id is a 404."""
    answer = client.get(f"{PROPOSALS}/{pending}x")

    assert (answer.status_code, answer.json()["near"]) == (404, [pending])


def test_the_approval_tree_is_answered_with_its_numbers(client: TestClient, pending: str) -> None:
    """Five questions in the runbook's words; with the approvals missing, wait."""
    said = client.get(f"{PROPOSALS}/{pending}/decision").json()

    assert (said["tree"], said["outcome"], said["subject"]) == ("approve", "wait", pending)
    assert [asked["answer"] for asked in said["questions"]] == ["yes", "no", "no", "yes", "yes"]
    assert said["questions"][0]["question"] == "Is readiness score ≥ 95%?"
    assert (said["questions"][1]["value"], said["questions"][1]["limit"]) == (0, 2)
    assert said["questions"][1]["leadsTo"] == "wait"
    assert len(said["fired"]) == 5


def test_the_rollback_tree_is_answered(client: TestClient, pending: str) -> None:
    """Nothing speaks for it; asked for by stakeholders, it is a rollback with approval."""
    calm = client.get("/api/governance/decisions/rollback").json()
    asked = client.get("/api/governance/decisions/rollback?requested=true").json()

    assert (calm["outcome"], calm["fired"]) == ("stay", [])
    assert asked["outcome"] == "roll_back_with_approval"
    assert [one["answer"] for one in asked["questions"]] == ["no", "no", "no", "no", "yes"]


FOUND = ("true_positive", "false_positive", "benign_expected", "duplicate", "drill", None)


@pytest.mark.parametrize(
    "verdicts",
    [
        ("false_positive", "drill", "drill", "true_positive", None),
        ("false_positive", "false_positive", "benign_expected", "duplicate", None, None, None),
        ("drill", "benign_expected"),
        ("true_positive",) * 19 + ("false_positive",),
        FOUND * 3,
        (),
    ],
)
def test_there_is_one_false_positive_rate(
    client: TestClient, trip: Trip, verdicts: tuple[str | None, ...]
) -> None:
    """The report, the statistics and the adjustment tree show the same number for any trips."""
    for verdict in verdicts:
        body = {"verdict": verdict} if verdict else {}
        client.post(f"/api/circuit-breaker/events/{trip()}/resolve", json=body)
    name = "Repeated Command Failures"
    rule = f"/api/circuit-breaker/rules/{name}"
    report = client.post("/api/governance/run-cycle").json()
    (reported,) = [one for one in report["rules"] if one["rule"] == name]
    asked = client.get(f"{rule}/decision").json()["questions"][0]
    rate = client.get(f"{rule}/stats").json()["falsePositiveRate"]
    counted = [verdict for verdict in verdicts if verdict not in ("drill", "benign_expected")]

    assert rate == (counted.count("false_positive") / len(counted) if counted else None)
    assert reported["falsePositiveRate"] == asked["value"] == rate
    assert asked["answer"] == ("unknown" if rate is None else "yes" if rate > 0.05 else "no")


def test_the_adjustment_tree_counts_false_positives(client: TestClient, trip: Trip) -> None:
    """One false positive of one trigger is a rule to make less sensitive."""
    body = {"verdict": "false_positive"}
    client.post(f"/api/circuit-breaker/events/{trip()}/resolve", json=body)
    rule = "/api/circuit-breaker/rules/Repeated%20Command%20Failures/decision"
    said = client.get(rule).json()

    assert said["outcome"] == "make_less_sensitive"
    assert (said["questions"][0]["answer"], said["questions"][0]["value"]) == ("yes", 1.0)
    assert said["questions"][3]["answer"] == "unknown"
    assert client.get("/api/circuit-breaker/rules/High%20Eror%20Rate/decision").json()["near"]


@pytest.mark.parametrize("body", [None, {"reason": "smoke in the roastery"}])
def test_the_kill_switch_needs_no_words(
    client: TestClient, pending: str, body: dict[str, str] | None
) -> None:
    """An emergency may leave the reason out; pulled twice, it changes nothing more."""
    first = client.post("/api/kill-switch", json=body).json()
    again = client.post("/api/kill-switch", json=body).json()

    assert (first["success"], first["already"], again["already"]) == (True, False, True)
    assert first["voidedProposals"] == [pending]
    assert first["state"]["currentPhase"] == "L3"
    assert first["state"]["commandWhitelist"] == []
    assert "SET_POWER" in first["state"]["pausedCommandTypes"]
    assert again["state"] == first["state"]


def test_a_dry_run_changes_nothing(client: TestClient, pending: str) -> None:
    """It shows the state, the proposals that it would void and the cooldown to come."""
    before = client.get("/api/governance/state").json()
    body = {"targetPhase": "L3", "reason": "what if", "dryRun": True}
    said = client.post("/api/governance/rollback", json=body).json()

    assert (said["dryRun"], said["state"]["currentPhase"]) == (True, "L3")
    assert said["preview"]["voidsProposals"] == [pending]
    assert said["preview"]["cooldown"]["severity"] == "high"
    assert client.get("/api/governance/state").json() == before
    assert client.get("/api/governance/cooldown").json() == {"running": False, "cooldown": None}


def test_there_is_no_validation_before_a_rise(client: TestClient) -> None:
    """Nothing to show is a 404, and nothing to conclude too."""
    assert client.get("/api/governance/validation").status_code == 404
    conclude = "/api/governance/validation/conclude"
    answer = client.post(conclude, json={"keep": True, "reason": "fine"})
    assert answer.status_code == 404
