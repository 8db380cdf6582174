"""What takes two people, over HTTP with tokens: asked for by one, done when another signs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from governance.callers import Role, Scope
from governance.service import StateService
from schemas.errors import BadSetting
from schemas.governance import Phase
from schemas.settings import Settings
from tests.ladders import make_ready
from tests.unit.api.auth.conftest import HOME, Bearer, Person
from tests.unit.api.conftest import Trip

ACTS = "/api/governance/joint-acts"
RULE = "/api/circuit-breaker/rules/High%20Error%20Rate"
ITEM = "/api/readiness/checklist/Kill%20switch%20tested"
STATE = "/api/governance/state"
LIFT = "/api/governance/cooldown/lift"
LOOSER = {"condition": "errorRate > 0.08"}
NEW = {
    "name": "Too Many Aborts",
    "condition": "emergencyAborts > 2",
    "window": "10m",
    "action": "alert_only",
    "alertSeverity": "medium",
}


def waiting(answer: Any) -> str:
    """Return the id of the act that an answer says is waiting."""
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert (body["success"], body["waiting"]) == (False, True)
    assert answer.headers["location"] == f"{ACTS}/{body['jointAct']['id']}"
    found: str = body["jointAct"]["id"]
    return found


def sign(client: TestClient, act: str, person: Person) -> Any:
    """Countersign an act."""
    return client.post(f"{ACTS}/{act}/countersign", headers=person)


def code(answer: Any) -> tuple[int, str]:
    """Return the status and the problem of an answer."""
    return answer.status_code, answer.json()["code"]


def test_a_grave_event_is_resolved_by_two(
    guarded: TestClient, trip: Trip, olga: Person, anna: Person
) -> None:
    """An operator asks, a lead signs, and the record names both."""
    event = trip()
    path = f"/api/circuit-breaker/events/{event}"
    act = waiting(guarded.post(f"{path}/resolve", headers=olga, json={"verdict": "drill"}))
    (shown,) = guarded.get(ACTS, headers=anna).json()
    assert shown["summary"] == "resolve Repeated Command Failures for SET_POWER as drill"
    assert guarded.get(path, headers=olga).json()["resolved"] is False
    answer = sign(guarded, act, anna).json()

    assert (answer["carried"], answer["outcome"]["id"]) == (True, event)
    found = guarded.get(path, headers=olga).json()
    assert (found["resolvedBy"], found["finding"]) == ("olga, anna", "drill")
    assert guarded.get(ACTS, headers=olga).json() == []


def test_a_medium_event_takes_one(guarded: TestClient, trip: Trip, olga: Person) -> None:
    """What took nothing away is answered by whoever is there."""
    event = trip(action="alert_only", severity="medium", rule="High Rollback Rate")
    answer = guarded.post(f"/api/circuit-breaker/events/{event}/resolve", headers=olga)

    assert (answer.status_code, answer.json()["event"]["resolvedBy"]) == (200, "olga")


def test_asking_for_the_same_is_signing(
    guarded: TestClient, trip: Trip, anna: Person, ben: Person
) -> None:
    """Two leads who send the runbook's own command resolve the event, without a word of acts."""
    path = f"/api/circuit-breaker/events/{trip()}/resolve"
    first, again = guarded.post(path, headers=anna), guarded.post(path, headers=anna)
    assert waiting(first) == waiting(again)

    assert guarded.post(path, headers=ben).json()["event"]["resolvedBy"] == "anna, ben"


def test_nobody_is_two_people(
    guarded: TestClient, trip: Trip, bearer: Bearer, anna: Person, olga: Person
) -> None:
    """Neither oneself, nor a second token of oneself, nor an operator, nor a service."""
    act = waiting(guarded.post(f"/api/circuit-breaker/events/{trip()}/resolve", headers=anna))
    again = bearer("anna", Role.OPS_LEAD)
    robot = bearer("robot", Role.SERVICE, scopes=tuple(Scope))

    assert code(sign(guarded, act, anna)) == (409, "own_act")
    assert code(sign(guarded, act, again)) == (409, "own_act")
    assert code(sign(guarded, act, olga)) == (403, "not_permitted")
    assert code(sign(guarded, act, robot)) == (403, "not_permitted")
    assert code(sign(guarded, act, bearer("pia", Role.PRODUCT_LEAD))) == (403, "not_permitted")
    assert len(guarded.get(f"{ACTS}/{act}", headers=anna).json()["signatures"]) == 1


def test_an_operator_who_asks_too_does_not_sign(
    guarded: TestClient, trip: Trip, anna: Person, olga: Person
) -> None:
    """The second signature is a lead's."""
    path = f"/api/circuit-breaker/events/{trip()}/resolve"
    act = waiting(guarded.post(path, headers=anna))

    assert waiting(guarded.post(path, headers=olga)) == act
    assert len(guarded.get(f"{ACTS}/{act}", headers=olga).json()["signatures"]) == 1


def test_a_rule_is_tightened_by_one_and_loosened_by_two(
    guarded: TestClient, bearer: Bearer, olga: Person, ben: Person
) -> None:
    """Even a program that may lower autonomy may tighten; what loosens waits for a lead."""
    robot = bearer("robot", Role.SERVICE, scopes=(Scope.LOWER,))
    tighter = guarded.patch(RULE, headers=robot, json={"condition": "errorRate > 0.04"})
    assert (tighter.status_code, tighter.json()["rule"]["version"]) == (200, 2)
    act = waiting(guarded.patch(RULE, headers=olga, json=LOOSER))
    assert guarded.get(RULE, headers=olga).json()["condition"] == "errorRate > 0.04"
    assert sign(guarded, act, ben).json()["outcome"]["condition"] == "errorRate > 0.08"

    assert guarded.get(RULE, headers=olga).json()["condition"] == "errorRate > 0.08"
    assert code(guarded.patch(RULE, headers=robot, json={"enabled": False}))[0] == 403


def test_what_changed_meanwhile_voids_the_act(
    guarded: TestClient, anna: Person, ben: Person
) -> None:
    """The second person signs what the first one saw, or nothing."""
    act = waiting(guarded.patch(RULE, headers=anna, json=LOOSER))
    guarded.patch(RULE, headers=ben, json={"condition": "errorRate > 0.01"})

    assert code(sign(guarded, act, ben)) == (412, "outdated")
    found = guarded.get(f"{ACTS}/{act}", headers=ben).json()
    assert (found["status"], "version" in found["reason"]) == ("voided", True)
    assert code(sign(guarded, act, ben)) == (409, "act_closed")


def test_rules_are_added_and_deleted_by_two(guarded: TestClient, anna: Person, ben: Person) -> None:
    """Both ways; and a rule that could never go live is refused before anybody waits."""
    rules = "/api/circuit-breaker/rules"
    wrong = guarded.post(rules, headers=anna, json={**NEW, "condition": "metric > threshold"})
    assert code(wrong) == (422, "rule_error")
    added = sign(guarded, waiting(guarded.post(rules, headers=anna, json=NEW)), ben)
    assert added.json()["outcome"]["name"] == NEW["name"]
    path = f"{rules}/Too%20Many%20Aborts"
    sign(guarded, waiting(guarded.delete(path, headers=ben)), anna)

    assert guarded.get(path, headers=anna).status_code == 404


def test_a_weight_is_changed_by_two(guarded: TestClient, anna: Person, ben: Person) -> None:
    """Readiness cannot be had by one person's weights."""
    act = waiting(guarded.patch(ITEM, headers=anna, json={"weight": 1}))
    assert "weight 2 → 1" in guarded.get(f"{ACTS}/{act}", headers=ben).json()["summary"]
    assert sign(guarded, act, ben).json()["outcome"]["weight"] == 1


def test_a_type_is_resumed_by_two(
    guarded: TestClient, trip: Trip, olga: Person, anna: Person, ben: Person
) -> None:
    """On the epoch that the first one saw; what could not be done now is not even asked for."""
    event = trip()
    resume = "/api/circuit-breaker/command-types/SET_POWER/resume"
    epoch = guarded.get(STATE, headers=olga).json()["autonomyEpoch"]
    seen = {"autonomyEpoch": epoch}
    assert code(guarded.post(resume, headers=olga, json=seen)) == (409, "refused")
    path = f"/api/circuit-breaker/events/{event}/resolve"
    sign(guarded, waiting(guarded.post(path, headers=anna)), ben)
    act = waiting(guarded.post(resume, headers=olga, json=seen))
    assert guarded.get(STATE, headers=olga).json()["pausedCommandTypes"] == ["SET_POWER"]
    sign(guarded, act, anna)

    assert guarded.get(STATE, headers=olga).json()["pausedCommandTypes"] == []


def test_all_that_the_kill_switch_paused_is_resumed_by_two_signatures(
    guarded: TestClient, olga: Person, anna: Person, ben: Person
) -> None:
    """One act names them all; what was asked for one of them is over once they run."""
    guarded.post("/api/kill-switch", headers=olga, json={"reason": "drill"})
    state = guarded.get(STATE, headers=olga).json()
    seen = {"autonomyEpoch": state["autonomyEpoch"]}
    types = "/api/circuit-breaker/command-types"
    one = waiting(guarded.post(f"{types}/SET_FAN/resume", headers=anna, json=seen))
    wanted = {"commandTypes": state["pausedCommandTypes"], **seen}
    act = waiting(guarded.post(f"{types}/resume", headers=olga, json=wanted))
    assert "SET_FAN, " in guarded.get(f"{ACTS}/{act}", headers=ben).json()["summary"]
    sign(guarded, act, anna)

    assert guarded.get(STATE, headers=olga).json()["pausedCommandTypes"] == []
    assert code(sign(guarded, one, ben)) == (409, "act_closed")
    assert guarded.get(f"{ACTS}/{one}", headers=ben).json()["status"] == "voided"


def test_the_pause_of_everything_is_ended_by_two(
    guarded: TestClient, olga: Person, anna: Person
) -> None:
    """The wish says so in words, and one signature ends nothing."""
    guarded.post("/api/kill-switch", headers=olga, json={"reason": "drill"})
    state = guarded.get(STATE, headers=olga).json()
    wanted = {
        "commandTypes": ["SET_FAN"],
        "allPaused": False,
        "autonomyEpoch": state["autonomyEpoch"],
    }
    types = "/api/circuit-breaker/command-types"
    act = waiting(guarded.post(f"{types}/resume", headers=olga, json=wanted))
    said = guarded.get(f"{ACTS}/{act}", headers=anna).json()["summary"]
    assert said == "end the pause of every command type, and let SET_FAN run again"
    assert guarded.get(STATE, headers=olga).json()["allPaused"]
    sign(guarded, act, anna)

    after = guarded.get(STATE, headers=olga).json()
    assert (after["allPaused"], after["resumedCommandTypes"]) == (False, [])
    assert "SET_FAN" not in after["pausedCommandTypes"]
    assert "SET_POWER" in after["pausedCommandTypes"]


def test_a_role_that_is_named_must_be_held(
    guarded: TestClient, bearer: Bearer, olga: Person
) -> None:
    """Also where the act takes any second person, whose role is not asked for."""
    ops = bearer("otto", Role.OPS_LEAD)
    path = f"{ACTS}/{waiting(guarded.patch(RULE, headers=olga, json=LOOSER))}/countersign"
    named = guarded.post(path, headers=ops, json={"approvedBy": "tech-lead"})

    assert code(named) == (403, "role_not_held")
    assert guarded.post(path, headers=ops, json={"approvedBy": "ops-lead"}).json()["carried"]


def test_an_act_is_withdrawn_by_who_asked_or_by_a_lead(
    guarded: TestClient, bearer: Bearer, olga: Person, anna: Person
) -> None:
    """And by nobody else; then it can be signed no more."""
    other = bearer("oleg", Role.OPERATOR)
    for who in (olga, anna):
        act = waiting(guarded.patch(RULE, headers=olga, json=LOOSER))
        path = f"{ACTS}/{act}/withdraw"
        assert code(guarded.post(path, headers=other)) == (403, "not_permitted")
        gone = guarded.post(path, headers=who, json={"reason": "a mistake"}).json()
        assert (gone["status"], gone["reason"]) == ("withdrawn", "a mistake")
        assert code(sign(guarded, act, anna)) == (409, "act_closed")
    assert len(guarded.get(f"{ACTS}/history", headers=anna).json()) == 2


def test_an_act_waits_for_three_days(
    guarded: TestClient, service: StateService, olga: Person, anna: Person
) -> None:
    """Then nobody remembers why it was asked for."""
    act = waiting(guarded.patch(RULE, headers=olga, json=LOOSER))
    late = service.desk.clock() + timedelta(hours=72)
    object.__setattr__(service.desk, "clock", lambda: late)

    assert guarded.get(ACTS, headers=anna).json() == []
    assert code(sign(guarded, act, anna)) == (409, "act_expired")


def test_one_person_is_enough_where_that_is_chosen(
    service: StateService, settings: Settings, trip: Trip, bearer: Bearer
) -> None:
    """`GOVERNANCE_FOUR_EYES=false`: a lead acts alone, and an operator asks for nothing."""
    chosen = settings.model_copy(update={"auth": "token", "four_eyes": False})
    service.desk = replace(service.desk, settings=chosen)
    lead, operator = bearer("anna", Role.TECH_LEAD), bearer("olga", Role.OPERATOR)
    with TestClient(create_app(service, chosen), base_url=HOME) as client:
        path = f"/api/circuit-breaker/events/{trip()}/resolve"
        assert code(client.post(path, headers=operator)) == (403, "not_permitted")
        assert client.post(path, headers=lead).status_code == 200
        assert code(client.patch(RULE, headers=operator, json=LOOSER)) == (403, "not_permitted")
        assert client.patch(RULE, headers=lead, json=LOOSER).status_code == 200


def test_two_people_are_not_asked_for_where_nobody_is_known() -> None:
    """Open mode cannot tell people apart, and says so instead of pretending."""
    with pytest.raises(BadSetting, match="GOVERNANCE_FOUR_EYES"):
        Settings(four_eyes=True).check_safe()


def test_a_cooldown_is_lifted_by_all_who_approve_the_next_phase(
    guarded: TestClient, service: StateService, bearer: Bearer, anna: Person, ben: Person
) -> None:
    """One person for each role; nobody in two, and nobody in a role that is not asked for."""
    assert code(guarded.post(LIFT, headers=anna, json={"approvedBy": "tech-lead"})) == (
        409,
        "refused",
    )
    make_ready(service.desk, Phase.L4)
    lower = {"targetPhase": "L3+", "reason": "a precaution"}
    guarded.post("/api/governance/rollback", headers=anna, json=lower)
    both = bearer("cleo", Role.TECH_LEAD, Role.OPS_LEAD)
    first = guarded.post(LIFT, headers=both, json={"approvedBy": "tech-lead"}).json()
    assert (first["lifted"], first["missingApprovals"]) == (False, ["ops-lead"])
    for person, role, why in (
        (both, "ops-lead", "one_person_one_role"),
        (anna, "tech-lead", "role_taken"),
        (anna, "ops-lead", "role_not_held"),
        (bearer("pia", Role.PRODUCT_LEAD), "product-lead", "role_not_required"),
    ):
        assert guarded.post(LIFT, headers=person, json={"approvedBy": role}).json()["code"] == why
    act = first["jointAct"]["id"]
    assert code(sign(guarded, act, ben)) == (400, "bad_request")
    path = f"{ACTS}/{act}/countersign"
    assert guarded.post(path, headers=ben, json={"approvedBy": "ops-lead"}).json()["carried"]

    cooldown = guarded.get("/api/governance/cooldown", headers=anna).json()
    assert cooldown == {"running": False, "cooldown": None}
