"""Readiness over HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from governance import handlers
from governance.service import StateService
from schemas.errors import Unavailable
from tests.unit.api.conftest import NOON, Trip

CURRENT = "/api/readiness/current"
CHECKLIST = "/api/readiness/checklist"
ROUND_THE_CLOCK = "24/7 coverage available"
EVIDENCE = {"evidenceUrl": "https://wiki/rota", "note": "two shifts and a half"}


def _item(name: str) -> str:
    return f"{CHECKLIST}/{quote(name, safe='')}"


def _attest(client: TestClient, name: str, **fields: Any) -> Any:
    return client.post(f"{_item(name)}/attest", json={**EVIDENCE, **fields})


def test_current_has_the_contracts_shape(client: TestClient) -> None:
    """The runbook's `jq '.overall.blockers'` and the dashboards find what they look for."""
    shown = client.get(CURRENT).json()

    assert shown.keys() >= {
        "timestamp",
        "currentPhase",
        "daysSincePhaseStart",
        "overall",
        "technical",
        "process",
        "organizational",
        "recommendations",
        "nextActions",
    }
    assert shown["overall"].keys() >= {"score", "ready", "blockers"}
    assert {
        part: shown[part]["maxScore"] for part in ("technical", "process", "organizational")
    } == {
        "technical": 35,
        "process": 25,
        "organizational": 20,
    }
    assert (
        shown["technical"]["items"][0].items()
        >= {
            "name": "6+ months running at L3",
            "weight": 5,
            "required": True,
            "status": False,
        }.items()
    )
    assert shown["recommendations"][0].keys() == {"type", "priority", "rationale", "actions"}
    assert shown["nextActions"][0].keys() >= {"description", "completed"}


def test_latest_is_what_current_kept(client: TestClient) -> None:
    """Assessing keeps; showing the latest does not assess again."""
    kept = client.get(CURRENT).json()

    assert client.get("/api/readiness/latest").json() == kept
    assert len(client.get("/api/readiness/history").json()) == 1


def test_score_is_that_of_the_latest(client: TestClient) -> None:
    """The morning's `jq '.score'` is a number, assessed first if nobody ever did."""
    shown = client.get("/api/readiness/score").json()

    assert shown.items() >= {"score": 5 / 80, "ready": False, "threshold": 0.95}.items()
    assert "Kill switch tested" in shown["blockers"]
    assert shown["timestamp"] == "2026-11-23T12:00:00.000Z"


def test_an_unresolved_event_blocks(client: TestClient, trip: Trip) -> None:
    """While people have something to resolve, a blocker says so."""
    trip()
    assert (
        "No unresolved circuit breaker events" in client.get(CURRENT).json()["overall"]["blockers"]
    )


def test_an_item_is_attested_by_its_name(client: TestClient) -> None:
    """Slash and all; the answer shows the item as it stands now, and who said so."""
    shown = _attest(client, ROUND_THE_CLOCK).json()

    assert (shown["success"], shown["name"], shown["item"]["status"]) == (
        True,
        ROUND_THE_CLOCK,
        True,
    )
    said = shown["item"]["attestation"]
    assert said.items() >= {**EVIDENCE, "met": True, "source": "person"}.items()
    assert (said["attestedBy"], said["attestedAt"]) == (
        "operator (self_asserted)",
        "2026-11-23T12:00:00.000Z",
    )


def test_an_attestation_shows_on_the_assessment(client: TestClient) -> None:
    """Evidence and expiry stand beside the item that they are for."""
    _attest(client, ROUND_THE_CLOCK, expiresAt="2027-01-01T00:00:00Z")
    items = client.get(CURRENT).json()["organizational"]["items"]
    (item,) = [item for item in items if item["name"] == ROUND_THE_CLOCK]

    assert item["evidenceUrl"] == EVIDENCE["evidenceUrl"]
    assert item["expiresAt"] == "2027-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"evidenceUrl": None}, 400),
        ({"evidenceUrl": "on my desk"}, 422),
        ({"evidenceUrl": "javascript:alert(1)"}, 422),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, 400),
        ({"expiresAt": "9999-12-31T23:59:59-14:00"}, 400),
        ({"expiresAt": "0001-01-01T00:00:00+14:00"}, 400),
        ({"met": "yes"}, 422),
        ({"attestedBy": "the boss"}, 422),
        ({"note": "a\x00b"}, 422),
    ],
)
def test_a_wrong_attestation_is_named(
    client: TestClient, fields: dict[str, Any], status: int
) -> None:
    """Each mistake is the client's to mend, and who attests never comes from the body."""
    answer = _attest(client, ROUND_THE_CLOCK, **fields)

    assert answer.status_code == status
    assert answer.json()["field"] == next(iter(fields))


def test_what_is_measured_takes_nobodys_word(client: TestClient) -> None:
    """The success rate is what the stream says."""
    answer = _attest(client, "Command success rate >99.5%")

    assert (answer.status_code, answer.json()["code"]) == (409, "refused")


def test_a_misspelt_item_is_not_found(client: TestClient) -> None:
    """The answer names what resembles it."""
    answer = _attest(client, "24/7 coverage")

    assert answer.status_code == 404
    assert answer.json()["near"][0] == ROUND_THE_CLOCK


def test_a_weight_is_patched(client: TestClient) -> None:
    """The next assessment weighs anew."""
    shown = client.patch(_item(ROUND_THE_CLOCK), json={"weight": 7, "required": True}).json()

    assert shown["item"].items() >= {"weight": 7, "required": True, "maxAgeDays": 365}.items()
    assert client.get(CURRENT).json()["organizational"]["maxScore"] == 25


@pytest.mark.parametrize(
    "patch",
    [
        {"weight": -1},
        {"weight": 101},
        {"weight": "5"},
        {"weight": None},
        {"name": "x"},
        {"maxAgeDays": 0},
    ],
)
def test_a_wrong_patch_is_named(client: TestClient, patch: dict[str, Any]) -> None:
    """A field that nobody knows, or a value that cannot be meant, is refused by name."""
    answer = client.patch(_item(ROUND_THE_CLOCK), json=patch)

    assert answer.status_code == 422
    assert answer.json()["field"] == next(iter(patch))


def test_the_checklist_is_listed_with_what_is_met(client: TestClient) -> None:
    """All 24 items, each with the one way to meet it."""
    shown = client.get(CHECKLIST).json()

    assert len(shown) == 24
    assert sum(entry["weight"] for entry in shown) == 80
    assert {entry["check"] is None for entry in shown if entry["flag"]} == {True}


def test_the_difference_says_what_moved(client: TestClient, service: StateService) -> None:
    """Which item, how many points, why, and by whom."""
    earlier = replace(service.desk, clock=lambda: NOON - timedelta(days=1))
    handlers.assess(earlier)
    _attest(client, ROUND_THE_CLOCK)
    shown = client.get("/api/readiness/diff", params={"since": "2026-11-22T12:00:00"}).json()

    assert shown["before"].items() >= {"points": 5, "maxPoints": 80}.items()
    (change,) = shown["changes"]
    assert change.items() >= {"name": ROUND_THE_CLOCK, "aspect": "status", "points": 2}.items()
    assert change["by"] == "operator (self_asserted)"
    assert change["why"].endswith(EVIDENCE["note"])


def test_the_difference_since_before_the_history(client: TestClient) -> None:
    """It begins with the first assessment; without one there is nothing to tell."""
    shown = client.get("/api/readiness/diff").json()

    assert shown["before"] == shown["after"]
    assert shown["scoreChange"] == 0


@pytest.mark.parametrize("since", ["yesterday", "0001-01-01T00:00:00+14:00"])
def test_a_wrong_moment_is_named(client: TestClient, since: str) -> None:
    """A moment that cannot be meant is the client's to mend."""
    answer = client.get("/api/readiness/diff", params={"since": since})

    assert answer.status_code in (400, 422)
    assert answer.json()["field"] == "since"


def test_a_busy_database_is_said(
    client: TestClient, service: StateService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Assessing needs to write; a client is told to come back."""

    def busy() -> None:
        raise Unavailable("database", "another request is writing")

    monkeypatch.setattr(service.store, "writing", busy)
    answer = client.get(CURRENT)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert handlers.last_assessment(service.desk) is None
