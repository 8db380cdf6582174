"""Acknowledging, reopening and judging over HTTP."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from schemas.events import Severity
from schemas.rules import Action
from tests.unit.api.conftest import Trip

EVENTS = "/api/circuit-breaker/events"
STATS = "/api/circuit-breaker/rules/Repeated%20Command%20Failures/stats"


def test_an_event_is_acknowledged_without_a_body(client: TestClient, trip: Trip) -> None:
    """It is late for a high event of half an hour ago, and no longer once somebody looks."""
    event = trip()
    assert client.get(EVENTS).json()[0]["overdue"] is True
    answer = client.post(f"{EVENTS}/{event}/acknowledge").json()

    assert answer.items() >= {"success": True, "id": event, "already": False}.items()
    assert answer["event"]["acknowledgedBy"] == "operator (self_asserted)"
    assert client.get(f"{EVENTS}/unresolved").json()[0]["overdue"] is False
    assert client.post(f"{EVENTS}/{event}/acknowledge").json()["already"] is True


def test_an_event_is_reopened_with_a_reason(client: TestClient, trip: Trip) -> None:
    """It is among the unresolved again."""
    event = trip()
    found = {"verdict": "true_positive", "cause": "a full disk", "incidentId": "i-7"}
    resolved = client.post(f"{EVENTS}/{event}/resolve", json=found).json()["event"]
    assert (resolved["cause"], resolved["incidentId"]) == ("a full disk", "i-7")
    answer = client.post(f"{EVENTS}/{event}/reopen", json={"reason": "it failed again"}).json()

    assert (answer["already"], answer["event"]["resolved"]) == (False, False)
    assert [one["id"] for one in client.get(f"{EVENTS}/unresolved").json()] == [event]


@pytest.mark.parametrize("body", [None, {}, {"reason": " "}, {"reason": "a\u0000b"}])
def test_reopening_takes_a_reason(client: TestClient, trip: Trip, body: object) -> None:
    """Without one, nothing is reopened."""
    event = trip()
    client.post(f"{EVENTS}/{event}/resolve")

    assert client.post(f"{EVENTS}/{event}/reopen", json=body).status_code == 422
    assert client.get(f"{EVENTS}/unresolved").json() == []


@pytest.mark.parametrize("act", ["resolve", "acknowledge"])
def test_a_field_that_nobody_knows_is_refused(client: TestClient, trip: Trip, act: str) -> None:
    """What somebody wrote is not dropped while the answer says 200."""
    event = trip()
    answer = client.post(f"{EVENTS}/{event}/{act}", json={"remarks": "I look after it"})

    assert (answer.status_code, answer.json()["detail"]) == (422, "remarks: no such field")
    shown = client.get(f"{EVENTS}/{event}").json()
    assert (shown["resolved"], shown["acknowledgedAt"]) == (False, None)


@pytest.mark.parametrize("body", ["", "{}", "null"])
def test_an_event_is_acknowledged_with_an_empty_body(
    client: TestClient, trip: Trip, body: str
) -> None:
    """However a client writes that it has nothing to say."""
    answer = client.post(
        f"{EVENTS}/{trip()}/acknowledge", content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["already"]) == (200, False)


@pytest.mark.parametrize(("act", "body"), [("acknowledge", {}), ("reopen", {"reason": "why not"})])
def test_an_unknown_event_is_not_found(client: TestClient, act: str, body: dict[str, str]) -> None:
    """404, whatever is to be done with it."""
    assert client.post(f"{EVENTS}/none/{act}", json=body).status_code == 404


def test_a_rule_shows_how_good_it_is(client: TestClient, trip: Trip) -> None:
    """Triggers, rates with their interval, and mean times; null where nothing was counted."""
    assert client.get(STATS).json()["falsePositiveRate"] is None
    client.post(f"{EVENTS}/{trip()}/resolve", json={"verdict": "false_positive"})
    client.post(f"{EVENTS}/{trip()}/resolve", json={"verdict": "drill"})
    found = client.get(STATS).json()

    assert (found["triggers"], found["excluded"], found["falsePositiveRate"]) == (2, 1, 1.0)
    assert found["falsePositiveInterval"] == {"low": pytest.approx(0.207, abs=0.001), "high": 1.0}
    assert found["meanTimeToResolve"] == 30 * 60
    assert client.get(f"{STATS}?since=2026-11-23T12:00:00Z").json()["triggers"] == 0


def test_an_unknown_rule_has_no_statistics(client: TestClient) -> None:
    """404 with near matches."""
    answer = client.get("/api/circuit-breaker/rules/High%20Eror%20Rate/stats")

    assert (answer.status_code, answer.json()["near"][0]) == (404, "High Error Rate")


def test_overdue_events_are_exported(client: TestClient, trip: Trip) -> None:
    """One gauge says how many nobody answered in time."""
    trip()
    trip(action=Action.ALERT_ONLY, severity=Severity.LOW)

    assert (
        "\nsimcorp_governance_circuit_breaker_events_overdue 1.0\n" in client.get("/metrics").text
    )
