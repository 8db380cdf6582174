"""The state over HTTP: read, rolled back, command types resumed."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from governance import handlers
from governance.service import StateService
from tests.unit.api.conftest import Trip

STATE = "/api/governance/state"
ROLLBACK = "/api/governance/rollback"
TYPES = "/api/circuit-breaker/command-types"


def test_a_new_installation_is_at_the_floor(client: TestClient) -> None:
    """L3, nothing allowed, nothing paused: the names and values of the contract."""
    state = client.get(STATE).json()

    assert state == {
        "currentPhase": "L3",
        "phaseStartDate": "2026-11-23T12:00:00.000Z",
        "commandWhitelist": [],
        "pausedCommandTypes": [],
        "allPaused": False,
        "resumedCommandTypes": [],
        "autonomyEpoch": 1,
        "daysSincePhaseStart": 0,
        "lastReportDate": None,
        "lastExpansionDate": None,
    }


def test_a_rollback_opens_a_new_epoch(client: TestClient, service: StateService) -> None:
    """Lowering works at the floor too, and the audit log has the reason and the incident."""
    wanted = {"targetPhase": "L3", "reason": "A precaution.", "incidentId": "i-7"}
    answer = client.post(ROLLBACK, json=wanted)
    row = handlers.list_audit(service.desk, limit=1)[0]

    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert answer.json()["state"]["autonomyEpoch"] == 2
    assert row.actor == "operator (self_asserted)"
    assert "A precaution." in row.after["because"]
    assert "i-7" in row.after["because"]


def test_a_rollback_raises_nothing(client: TestClient) -> None:
    """Upwards is refused with what would allow it, and changes nothing."""
    before = client.get(STATE).json()
    answer = client.post(ROLLBACK, json={"targetPhase": "L5", "reason": "Courage."})

    assert (answer.status_code, answer.json()["code"]) == (409, "refused")
    assert answer.json()["allowedWhen"]
    assert client.get(STATE).json() == before


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"targetPhase": "L3"}, "reason"),
        ({"targetPhase": "L3", "reason": " "}, "reason"),
        ({"targetPhase": "L2", "reason": "x"}, "targetPhase"),
        ({"targetPhase": "L3", "reason": "x", "force": True}, "force"),
        ({"reason": "x"}, "targetPhase"),
    ],
)
def test_a_wrong_rollback_is_named(client: TestClient, wanted: dict[str, Any], field: str) -> None:
    """A rollback without a reason, or to nowhere, names the field."""
    answer = client.post(ROLLBACK, json=wanted)

    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_rollback_without_a_body_says_what_is_missing(client: TestClient) -> None:
    """An empty body is a 422, never a rollback by accident."""
    assert client.post(ROLLBACK).status_code == 422
    assert client.get(STATE).json()["autonomyEpoch"] == 1


def test_a_resolved_type_is_resumed(client: TestClient, trip: Trip) -> None:
    """Pause, resolve, resume: each by an act of its own, on the epoch that was seen."""
    event = trip()
    paused = client.get(STATE).json()
    client.post(f"/api/circuit-breaker/events/{event}/resolve")
    answer = client.post(
        f"{TYPES}/SET_POWER/resume", json={"autonomyEpoch": paused["autonomyEpoch"]}
    )

    assert paused["pausedCommandTypes"] == ["SET_POWER"]
    assert answer.json()["state"]["pausedCommandTypes"] == []
    assert answer.json()["state"]["autonomyEpoch"] == paused["autonomyEpoch"]


def test_an_unresolved_event_holds_its_type(client: TestClient, trip: Trip) -> None:
    """A type whose breaker is open stays paused, and the answer names the event."""
    event = trip()
    answer = client.post(f"{TYPES}/SET_POWER/resume", json={"autonomyEpoch": 2})

    assert (answer.status_code, answer.json()["code"]) == (409, "refused")
    assert event in answer.json()["detail"]


def test_a_decision_on_an_old_state_is_refused(client: TestClient, trip: Trip) -> None:
    """Whoever has not seen the last lowering may not raise anything."""
    client.post(f"/api/circuit-breaker/events/{trip()}/resolve")
    answer = client.post(f"{TYPES}/SET_POWER/resume", json={"autonomyEpoch": 1})
    said = answer.json()

    assert (answer.status_code, said["code"]) == (409, "stale_epoch")
    assert (said["seenEpoch"], said["autonomyEpoch"]) == (1, 2)


@pytest.mark.parametrize(
    "name",
    [
        "A\nB",
        "A\r\nB",
        "\n",
        "A\n",
        "A/B",
        "/A",
        "A/resume",
        "A?b#c",
        "100%",
        "Ä b",
        "A\u2028B",
    ],
)
def test_a_type_of_any_name_is_resumed(client: TestClient, trip: Trip, name: str) -> None:
    """Producers choose the names; whatever a rule paused, people can let run again."""
    event = trip(command_type=name)
    paused = client.get(STATE).json()
    client.post(f"/api/circuit-breaker/events/{event}/resolve")
    answer = client.post(
        f"{TYPES}/{quote(name, safe='')}/resume", json={"autonomyEpoch": paused["autonomyEpoch"]}
    )

    assert paused["pausedCommandTypes"] == [name]
    assert (answer.status_code, answer.json()["state"]["pausedCommandTypes"]) == (200, [])


@pytest.mark.parametrize("name", [".", "..", "A/.."])
def test_a_type_that_clients_take_for_a_folder_is_resumed_by_its_name_in_the_body(
    client: TestClient, trip: Trip, name: str
) -> None:
    """HTTP clients leave out such a part of a path before they send it; a body is as it is."""
    event = trip(command_type=name)
    epoch = client.get(STATE).json()["autonomyEpoch"]
    client.post(f"/api/circuit-breaker/events/{event}/resolve")
    wanted = {"commandTypes": [name], "autonomyEpoch": epoch}

    assert client.post(f"{TYPES}/resume", json=wanted).json()["state"]["pausedCommandTypes"] == []


def test_several_types_are_resumed_by_one_act(client: TestClient, trip: Trip) -> None:
    """All of them or none: while a breaker holds one, the answer names it and none runs."""
    client.post("/api/kill-switch", json={"reason": "drill"})
    held = trip(command_type="SET_POWER")
    paused = client.get(STATE).json()
    names = paused["pausedCommandTypes"]
    wanted = {
        "commandTypes": [*reversed(names), names[0]],
        "autonomyEpoch": paused["autonomyEpoch"],
    }
    refused = client.post(f"{TYPES}/resume", json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (409, "refused")
    assert f"SET_POWER is held by unresolved events: {held}" in refused.json()["detail"]
    assert client.get(STATE).json() == paused
    client.post(f"/api/circuit-breaker/events/{held}/resolve")
    state = client.post(f"{TYPES}/resume", json=wanted).json()["state"]

    assert len(names) > 5
    assert state["pausedCommandTypes"] == []
    assert state["autonomyEpoch"] == paused["autonomyEpoch"]


def test_one_wrong_name_resumes_nothing(client: TestClient) -> None:
    """A mistyped command type among good ones is a 404 with near matches."""
    client.post("/api/kill-switch", json={"reason": "drill"})
    paused = client.get(STATE).json()
    wanted = {"commandTypes": ["SET_FAN", "SET_POWR"], "autonomyEpoch": paused["autonomyEpoch"]}
    answer = client.post(f"{TYPES}/resume", json=wanted)

    assert (answer.status_code, answer.json()["near"][0]) == (404, "SET_POWER")
    assert client.get(STATE).json() == paused
    assert client.post(f"{TYPES}/resume", json={**wanted, "commandTypes": []}).status_code == 422


@pytest.mark.parametrize("body", [{}, {"autonomyEpoch": -1}, {"autonomyEpoch": "x"}])
def test_the_epoch_seen_is_required(client: TestClient, trip: Trip, body: dict[str, Any]) -> None:
    """Resuming blindly is not possible."""
    trip()
    answer = client.post(f"{TYPES}/SET_POWER/resume", json=body)

    assert (answer.status_code, answer.json()["field"]) == (422, "autonomyEpoch")


def test_a_type_that_is_not_paused_is_not_found(client: TestClient, trip: Trip) -> None:
    """A mistyped command type is a 404 with near matches, whatever characters it has."""
    trip(command_type="SET/POWER %")
    answer = client.post(f"{TYPES}/SET%2FPOWR%20%25/resume", json={"autonomyEpoch": 2})

    assert answer.status_code == 404
    assert answer.json()["near"] == ["SET/POWER %"]


def test_the_kill_switch_is_one_fact(client: TestClient) -> None:
    """The state says that everything is paused; types run again by name, as exceptions."""
    client.post("/api/kill-switch", json={"reason": "drill"})
    state = client.get(STATE).json()
    seen = {"autonomyEpoch": state["autonomyEpoch"]}
    resumed = client.post(f"{TYPES}/SET_FAN/resume", json=seen).json()["state"]

    assert (state["allPaused"], state["resumedCommandTypes"]) == (True, [])
    assert "SET_FAN" in state["pausedCommandTypes"]
    assert (resumed["allPaused"], resumed["resumedCommandTypes"]) == (True, ["SET_FAN"])
    assert "SET_FAN" not in resumed["pausedCommandTypes"]


def test_people_end_the_pause_of_everything(client: TestClient) -> None:
    """Saying so is enough; `true` would be a lowering, which is the kill switch."""
    client.post("/api/kill-switch", json={"reason": "drill"})
    seen = {"autonomyEpoch": client.get(STATE).json()["autonomyEpoch"]}
    wrong = client.post(f"{TYPES}/resume", json={**seen, "allPaused": True})
    nothing = client.post(f"{TYPES}/resume", json=seen)
    answer = client.post(f"{TYPES}/resume", json={**seen, "allPaused": False})

    assert (wrong.status_code, nothing.status_code) == (422, 422)
    assert "allPaused" in nothing.json()["detail"]
    assert answer.json()["state"]["allPaused"] is False
    assert "SET_FAN" in answer.json()["state"]["pausedCommandTypes"]


def test_the_name_of_all_others_is_no_command_type(client: TestClient) -> None:
    """It is refused by name, in both ways to resume."""
    client.post("/api/kill-switch", json={"reason": "drill"})
    seen = {"autonomyEpoch": client.get(STATE).json()["autonomyEpoch"]}
    for answer in (
        client.post(f"{TYPES}/__other__/resume", json=seen),
        client.post(f"{TYPES}/resume", json={**seen, "commandTypes": ["__other__"]}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "refused")
        assert "__other__ is no command type" in answer.json()["detail"]
