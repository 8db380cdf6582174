"""Over HTTP: what a lead writes to the database by SQL takes no second person's place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from governance.callers import Role
from tests.unit.api.auth.conftest import Bearer, Person
from tests.unit.api.auth.test_two_people import ACTS, ITEM, RULE, code, sign, waiting
from tests.unit.api.auth.test_two_people_bypasses import EVENTS, RULES, Sql, sql
from tests.unit.api.conftest import Trip

__all__ = ["sql"]

TIGHTER = {"condition": "errorRate > 0.01"}


@pytest.mark.parametrize(
    ("severity", "columns"),
    [
        ("critical", "severity = 'low'"),
        ("high", "severity = 'medium', action = 'alert_only'"),
        ("high", "resolved = 1, resolved_by = 'anna, ben'"),
    ],
)
def test_a_graver_event_takes_two_whatever_its_row_says(
    guarded: TestClient, trip: Trip, sql: Sql, anna: Person, severity: str, columns: str
) -> None:
    """One lead who makes it lesser resolves nothing by that, and it is shown as it was."""
    name = trip(severity=severity)
    sql(f"UPDATE circuit_breaker_events SET {columns}")
    waiting(guarded.post(f"{EVENTS}/{name}/resolve", headers=anna))
    shown = guarded.get(f"{EVENTS}/{name}", headers=anna).json()
    assert (shown["severity"], shown["resolved"]) == (severity, False)


def test_the_first_signature_is_no_other_persons_by_sql(
    guarded: TestClient, sql: Sql, anna: Person
) -> None:
    """Whoever asked cannot make it look as if somebody else had, and then sign."""
    act = waiting(guarded.patch(ITEM, headers=anna, json={"weight": 1}))
    sql("UPDATE joint_acts SET document = replace(document, '\"anna\"', '\"ben\"')")
    assert code(sign(guarded, act, anna)) == (409, "act_closed")
    shown = guarded.get(f"{ACTS}/{act}", headers=anna).json()
    assert (shown["status"], shown["signatures"][0]["person"]) == ("voided", "anna")


def test_what_was_asked_for_is_not_swapped_under_a_signature(
    guarded: TestClient, sql: Sql, anna: Person, ben: Person
) -> None:
    """The second person signs what the first one asked for, or nothing."""
    act = waiting(guarded.patch(ITEM, headers=anna, json={"weight": 1}))
    sql("UPDATE joint_acts SET document = replace(document, '\"weight\":1', '\"weight\":0')")
    assert code(sign(guarded, act, ben)) == (409, "act_closed")
    items = guarded.get("/api/readiness/checklist", headers=ben).json()
    assert 0 not in [item["weight"] for item in items]


def test_an_act_that_sql_inserted_carries_nothing(
    guarded: TestClient, sql: Sql, anna: Person, ben: Person
) -> None:
    """Neither by countersigning it nor by asking for the very same."""
    act = waiting(guarded.delete(RULE, headers=ben))
    made_up: dict[str, Any] = guarded.get(f"{ACTS}/{act}", headers=ben).json()
    guarded.post(f"{ACTS}/{act}/withdraw", headers=ben)
    made_up["id"] = "act-0123456789abcdef"
    row = (made_up["id"], "waiting", json.dumps(made_up))
    sql("INSERT INTO joint_acts (id, status, document) VALUES (?, ?, ?)", *row)
    waiting(guarded.delete(RULE, headers=anna))
    assert code(sign(guarded, made_up["id"], anna)) == (404, "not_found")
    assert guarded.get(RULE, headers=anna).is_success


def test_a_role_that_sql_gave_is_none(guarded: TestClient, sql: Sql, bearer: Bearer) -> None:
    """The very next request is answered as the audit log tells, and so is a revoked token's."""
    vera = bearer("vera", Role.VIEWER)
    sql("UPDATE api_tokens SET roles = '[\"tech-lead\"]' WHERE principal = 'vera'")
    assert code(guarded.patch(RULE, headers=vera, json=TIGHTER)) == (403, "not_permitted")
    sql("UPDATE api_tokens SET roles = 'nonsense' WHERE principal = 'vera'")
    assert code(guarded.get(RULES, headers=vera)) == (401, "not_authenticated")
