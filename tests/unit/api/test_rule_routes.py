"""Breaker rules over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

RULES = "/api/circuit-breaker/rules"
HIGH = f"{RULES}/High%20Error%20Rate"
NEW = {
    "name": "Overrides",
    "condition": "overrideRate > 0.2",
    "window": "1h",
    "action": "alert_only",
    "alertSeverity": "low",
}


def _rule(client: TestClient, name: str) -> dict[str, Any]:
    (found,) = [rule for rule in client.get(RULES).json() if rule["name"] == name]
    return dict(found)


def test_the_default_rules_are_there(client: TestClient) -> None:
    """A fresh installation has the contract's four rules, each with its six fields."""
    rules = client.get(RULES).json()

    assert {
        (r["name"], r["enabled"], r["condition"], r["window"], r["action"], r["alertSeverity"])
        for r in rules
    } == {
        ("High Error Rate", True, "errorRate > 0.05", "5m", "revert_to_l3", "critical"),
        (
            "Repeated Command Failures",
            True,
            "commandType.failures >= 3",
            "5m",
            "pause_command_type",
            "high",
        ),
        (
            "Critical Incident Detected",
            True,
            'incident.severity === "critical"',
            "1m",
            "revert_to_l3",
            "critical",
        ),
        ("High Rollback Rate", True, "rollbackRate > 0.1", "15m", "alert_only", "medium"),
    }


def test_a_disabled_rule_is_not_among_the_enabled(client: TestClient) -> None:
    """Disabling takes a rule from ``/rules/enabled`` and leaves it in ``/rules``."""
    answer = client.patch(HIGH, json={"enabled": False})

    assert answer.json().items() >= {"success": True, "name": "High Error Rate"}.items()
    assert "High Error Rate" not in [r["name"] for r in client.get(f"{RULES}/enabled").json()]
    assert _rule(client, "High Error Rate")["enabled"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"condition": "errorRate > 0.08", "window": "10m", "alertSeverity": "high"},
        {"action": "alert_only"},
        {"window": "7d"},
        {"for": "30s", "minSamples": 20},
        {},
    ],
)
def test_any_subset_of_fields_changes(client: TestClient, change: dict[str, Any]) -> None:
    """What a patch names is changed, and nothing else is."""
    before = _rule(client, "High Error Rate")
    answer = client.patch(HIGH, json=change)
    after = _rule(client, "High Error Rate")

    assert answer.status_code == 200
    assert answer.json()["rule"] == after
    bookkeeping = {"version", "effectiveFrom", "updatedAt", "updatedBy"}
    kept = before.keys() - change.keys() - bookkeeping
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert {name: after[name] for name in change} == change


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"action": "explode"}, "action", "explode"),
        ({"alertSeverity": "awful"}, "alertSeverity", "awful"),
        ({"treshold": 1}, "treshold", "no such field"),
        ({"name": "Other"}, "name", "no such field"),
        ({"window": "10min"}, "window", "10m"),
        ({"window": "1s"}, "window", "5s to 7d"),
        ({"enabled": "maybe"}, "enabled", "boolean"),
        ({"minSamples": 0}, "minSamples", "1"),
    ],
)
def test_a_wrong_field_is_named(
    client: TestClient, change: dict[str, Any], field: str, said: str
) -> None:
    """An unknown action, field or value is a 422 that names it, and changes nothing."""
    before = _rule(client, "High Error Rate")
    answer = client.patch(HIGH, json=change)

    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert said in answer.json()["detail"]
    assert _rule(client, "High Error Rate") == before


def test_a_wrong_condition_is_pointed_at(client: TestClient) -> None:
    """A rule error shows where and what was meant; the last good rule stays live."""
    answer = client.patch(HIGH, json={"condition": "errorRat > 0.08"})
    said = answer.json()

    assert (answer.status_code, said["code"]) == (422, "rule_error")
    assert said["source"][said["position"] :].startswith("errorRat")
    assert said["caret"].splitlines()[1] == "^"
    assert said["suggestion"] == "errorRate"
    assert _rule(client, "High Error Rate")["condition"] == "errorRate > 0.05"


def test_an_unknown_rule_has_near_matches(client: TestClient) -> None:
    """A mistyped name is a 404 that shows what it may have been."""
    answer = client.patch(f"{RULES}/High%20Eror%20Rate", json={"enabled": False})

    assert answer.status_code == 404
    assert "High Error Rate" in answer.json()["near"]


def test_a_rule_can_be_added_changed_and_deleted(client: TestClient) -> None:
    """The address in ``Location`` is the rule's for as long as it lives."""
    added = client.post(RULES, json=NEW)
    where = added.headers["Location"]

    assert added.status_code == 201
    assert added.json()["rule"].items() >= NEW.items()
    assert client.patch(where, json={"window": "2h"}).json()["rule"]["version"] == 2
    assert client.delete(where).json().items() >= {"success": True, "version": 3}.items()
    assert client.delete(where).status_code == 404


@pytest.mark.parametrize("name", ["a/b", "50 % más", "?x=1#y", "...", "Enabled"])
def test_any_name_can_stand_in_an_address(client: TestClient, name: str) -> None:
    """Whatever a rule is called, its URL-encoded name reaches it."""
    where = client.post(RULES, json={**NEW, "name": name}).headers["Location"]

    assert client.patch(where, json={"enabled": False}).json()["name"] == name
    assert client.get(where).json()["name"] == name


def test_a_name_is_taken_once(client: TestClient) -> None:
    """A second rule of the same name is a conflict that says what to do."""
    answer = client.post(RULES, json={**NEW, "name": "High Error Rate"})

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert answer.json()["allowedWhen"]


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"minSample": 20}, 422, "minSample"),
        ({"name": ""}, 422, "name"),
        ({"name": ".."}, 422, "name"),
        ({"name": "a\nb"}, 422, "name"),
        ({"name": "enabled"}, 422, "name"),
        ({"name": "a/stats"}, 422, "name"),
        ({"name": "a/decision"}, 422, "name"),
        ({"condition": "errorRate >"}, 422, "condition"),
        ({"groupBy": "planet"}, 422, "groupBy"),
    ],
)
def test_a_wrong_new_rule_is_not_added(
    client: TestClient, change: dict[str, Any], status: int, field: str
) -> None:
    """A field that nobody knows is refused rather than lost."""
    before = client.get(RULES).json()
    answer = client.post(RULES, json={**NEW, **change})

    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert "pattern" not in answer.json()["detail"]
    assert client.get(RULES).json() == before
