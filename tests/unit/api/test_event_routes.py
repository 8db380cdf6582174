"""Breaker events over HTTP."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from governance import handlers
from governance.service import StateService
from schemas.events import Severity
from schemas.rules import Action
from tests.unit.api.conftest import Trip

EVENTS = "/api/circuit-breaker/events"
CONTRACT = {
    "id",
    "timestamp",
    "rule",
    "metrics",
    "action",
    "details",
    "resolved",
    "resolvedAt",
    "scope",
    "commandType",
}


def _ids(client: TestClient, url: str) -> list[str]:
    return [event["id"] for event in client.get(url).json()]


def test_nothing_happened_is_an_empty_list(client: TestClient) -> None:
    """The morning check's all clear is ``[]``, and nothing else."""
    assert client.get(f"{EVENTS}/unresolved").text == "[]"
    assert client.get(EVENTS).text == "[]"


def test_an_event_has_the_names_of_the_contract(client: TestClient, trip: Trip) -> None:
    """Every name that clients read is there, the rule's six among them."""
    trip()
    (event,) = client.get(EVENTS).json()

    assert event.keys() >= CONTRACT
    assert set(event["rule"]) == {
        "name",
        "enabled",
        "condition",
        "window",
        "action",
        "alertSeverity",
    }
    assert (event["scope"], event["commandType"]) == ("SET_POWER", "SET_POWER")


def test_an_overall_event_names_no_command_type(client: TestClient, trip: Trip) -> None:
    """``commandType`` is null and ``scope`` is ``*`` when the trip is about everything."""
    trip(command_type=None, action=Action.ALERT_ONLY, severity=Severity.MEDIUM)
    (event,) = client.get(EVENTS).json()

    assert (event["scope"], event["commandType"]) == ("*", None)


def test_the_newest_twenty_come_first(client: TestClient, trip: Trip) -> None:
    """Without a limit there are twenty events, newest first."""
    ids = [trip(action=Action.ALERT_ONLY, severity=Severity.LOW) for _ in range(25)]

    assert _ids(client, EVENTS) == ids[:-21:-1]


def test_pages_hold_every_event_once_while_events_arrive(client: TestClient, trip: Trip) -> None:
    """Following ``Link`` to the end shows each event of the beginning exactly once."""
    ids = [trip(action=Action.ALERT_ONLY, severity=Severity.LOW) for _ in range(10)]
    shown: list[str] = []
    url: str | None = f"{EVENTS}?limit=4"
    while url:
        answer = client.get(url)
        shown += [event["id"] for event in answer.json()]
        url = answer.links.get("next", {}).get("url")
        trip(action=Action.ALERT_ONLY, severity=Severity.LOW)

    assert shown == ids[::-1]


def test_a_last_full_page_links_nowhere(client: TestClient, trip: Trip) -> None:
    """Where no event is left there is no ``Link``."""
    for _ in range(4):
        trip()

    assert "Link" not in client.get(f"{EVENTS}?limit=4").headers


@pytest.mark.parametrize("limit", ["0", "501", "-1", "many", "9" * 40])
def test_a_wrong_limit_is_named(client: TestClient, limit: str) -> None:
    """A limit outside 1 to 500 is refused by its name."""
    answer = client.get(EVENTS, params={"limit": limit})

    assert answer.status_code == 422
    assert answer.json()["field"] == "limit"


def test_unresolved_events_are_never_cut(client: TestClient, trip: Trip) -> None:
    """However many there are, people see all that waits for them."""
    ids = [trip(action=Action.ALERT_ONLY, severity=Severity.LOW) for _ in range(600)]

    assert _ids(client, f"{EVENTS}/unresolved") == ids[::-1]


def test_an_event_explains_itself(client: TestClient, trip: Trip) -> None:
    """One event shows the numbers, the failing commands, the log and who decided what."""
    event = client.get(f"{EVENTS}/{trip()}").json()
    evidence = event["evidence"]

    assert evidence["substituted"] == "3 >= 3"
    assert evidence["ruleVersion"] == 1
    assert evidence["readings"][0]["numerator"] == 3
    assert evidence["commandIds"] == ["c-1", "c-2", "c-3"]
    assert evidence["log"] == [
        {"topic": "governance.command-events", "partition": 2, "from": 10, "upto": 99}
    ]
    assert event["escalation"]["effect"] == "pause_command_type"
    assert event["escalation"]["fired"]


def test_an_unknown_event_has_near_matches(client: TestClient, trip: Trip) -> None:
    """A mistyped id is a 404 that shows what it may have been."""
    known = trip()
    answer = client.get(f"{EVENTS}/{known}x")

    assert answer.status_code == 404
    assert answer.json()["near"] == [known]


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}])
def test_an_empty_body_resolves(client: TestClient, trip: Trip, headers: dict[str, str]) -> None:
    """The runbook's ``curl -X POST`` is enough, and the all clear is back."""
    event = trip()
    answer = client.post(f"{EVENTS}/{event}/resolve", headers=headers)

    assert answer.status_code == 200
    assert answer.json().items() >= {"success": True, "id": event, "already": False}.items()
    assert client.get(f"{EVENTS}/unresolved").json() == []


def test_a_verdict_and_notes_are_kept(client: TestClient, trip: Trip) -> None:
    """What people found is on the event, with who said so and how sure that is."""
    event = trip()
    found = {"verdict": "false_positive", "notes": "A drill of the night shift."}
    client.post(f"{EVENTS}/{event}/resolve", json=found)
    kept = client.get(f"{EVENTS}/{event}").json()

    assert (kept["finding"], kept["notes"]) == (found["verdict"], found["notes"])
    assert kept["resolvedBy"] == "operator (self_asserted)"


def test_the_first_to_resolve_wins(client: TestClient, trip: Trip) -> None:
    """A second click changes nothing and is told what stands."""
    event = trip()
    client.post(f"{EVENTS}/{event}/resolve", json={"verdict": "true_positive"})
    again = client.post(f"{EVENTS}/{event}/resolve", json={"verdict": "duplicate"}).json()

    assert (again["success"], again["already"]) == (True, True)
    assert again["event"]["finding"] == "true_positive"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"verdict": "maybe"}, "verdict"),
        ({"verdct": "drill"}, "verdct"),
        ({"notes": "x" * 4097}, "notes"),
        ({"notes": "a\u0000b"}, "notes"),
        ([], "body"),
    ],
)
def test_a_wrong_finding_is_named(client: TestClient, trip: Trip, body: object, field: str) -> None:
    """A finding that nobody understands resolves nothing."""
    event = trip()
    answer = client.post(f"{EVENTS}/{event}/resolve", json=body)

    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert _ids(client, f"{EVENTS}/unresolved") == [event]


def test_an_unknown_event_is_not_resolved(client: TestClient) -> None:
    """404, and nothing is written to the audit log."""
    assert client.post(f"{EVENTS}/nothing/resolve").status_code == 404


def test_resolving_is_audited_as_said_and_not_proved(
    client: TestClient, service: StateService, trip: Trip
) -> None:
    """Without authentication the audit log never shows a name as if it were proved."""
    event = trip()
    client.post(f"{EVENTS}/{event}/resolve")
    newest = handlers.list_audit(service.desk, limit=1)[0]

    assert (newest.act, newest.subject) == ("event.resolved", event)
    assert newest.actor == "operator (self_asserted)"
