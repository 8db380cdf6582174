"""What people might try so that one of them is enough, and what must not stand in their way."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from api.app import create_app
from governance import handlers
from governance.audit import Act
from governance.callers import Role, Scope
from governance.joint_acts import MOST_WAITING
from governance.provenance.joint_acts import digest_of
from governance.service import StateService
from schemas.settings import Settings
from tests.unit.api.auth.conftest import HOME, Bearer, Person, renamed
from tests.unit.api.auth.test_two_people import (
    ACTS,
    ITEM,
    LOOSER,
    NEW,
    RULE,
    STATE,
    code,
    sign,
    waiting,
)
from tests.unit.api.conftest import Trip

RULES = "/api/circuit-breaker/rules"
EVENTS = "/api/circuit-breaker/events"

Sql = Callable[..., None]


@pytest.fixture
def sql(settings: Settings) -> Sql:
    """Return what runs a statement on the file, as the runbook does."""

    def sql(statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(settings.db_path)) as connection, connection:
            connection.execute(statement, values)

    return sql


def status(client: TestClient, act: str, person: Person) -> str:
    """Return where an act stands."""
    found: str = client.get(f"{ACTS}/{act}", headers=person).json()["status"]
    return found


def test_what_a_revoked_person_asked_for_is_void(
    guarded: TestClient, service: StateService, bearer: Bearer, anna: Person, ben: Person
) -> None:
    """A stolen token is no half of a pair: neither countersigning nor asking for it too helps."""
    act = waiting(guarded.patch(RULE, headers=bearer("olga", Role.OPERATOR), json=LOOSER))
    other = waiting(guarded.patch(ITEM, headers=anna, json={"weight": 1}))
    (token,) = (one for one in handlers.list_tokens(service.desk) if one.principal == "olga")
    handlers.revoke_token(service.desk, token.id, by="the test")

    assert code(sign(guarded, act, ben)) == (409, "act_closed")
    assert status(guarded, act, ben) == "voided"
    assert waiting(guarded.patch(RULE, headers=ben, json=LOOSER)) != act
    assert status(guarded, other, ben) == "waiting"


def test_a_rule_that_only_sql_has_written_is_added_by_two(
    guarded: TestClient, sql: Sql, olga: Person
) -> None:
    """What mends a row that could never go live puts a new rule in force."""
    sql(
        "INSERT INTO circuit_breaker_rules (name, condition, window, action, alert_severity)"
        " VALUES ('Mine', 'no such thing', '5m', 'alert_only', 'low')"
    )
    answer = guarded.patch(f"{RULES}/Mine", headers=olga, json={"condition": "errorRate > 0.5"})

    waiting(answer)
    assert guarded.get(f"{RULES}/Mine", headers=olga).json()["version"] == 0


def test_a_change_by_sql_is_in_force_before_another_builds_on_it(
    guarded: TestClient, sql: Sql, olga: Person
) -> None:
    """Else what is tighter than the old rule would loosen the one that SQL has tightened."""
    sql(
        "UPDATE circuit_breaker_rules SET condition = 'errorRate > 0.01' WHERE name LIKE '% Error%'"
    )
    answer = guarded.patch(RULE, headers=olga, json={"condition": "errorRate > 0.03"})

    waiting(answer)
    shown = guarded.get(RULE, headers=olga).json()
    assert (shown["version"], shown["condition"]) == (2, "errorRate > 0.01")


def test_what_sql_did_to_a_rule_is_not_signed_along(
    guarded: TestClient, sql: Sql, olga: Person, ben: Person
) -> None:
    """The rule becomes what the first person asked for to the letter, or stays as it is."""
    act = waiting(guarded.patch(RULE, headers=olga, json=LOOSER))
    sql("UPDATE circuit_breaker_rules SET action = 'alert_only' WHERE name LIKE '% Error%'")

    assert code(sign(guarded, act, ben)) == (412, "outdated")
    assert status(guarded, act, ben) == "voided"


def test_a_rule_that_was_deleted_and_added_again_is_another(
    guarded: TestClient, anna: Person, ben: Person, olga: Person
) -> None:
    """An act on the old one does nothing to the new one of the same name."""
    act = waiting(guarded.patch(RULE, headers=olga, json=LOOSER))
    rule = guarded.get(RULE, headers=anna).json()
    added = {name: rule[name] for name in ("name", "condition", "window", "action")}
    added["alertSeverity"] = rule["alertSeverity"]
    sign(guarded, waiting(guarded.delete(RULE, headers=anna)), ben)
    sign(guarded, waiting(guarded.post(RULES, headers=anna, json=added)), ben)

    assert code(sign(guarded, act, ben)) == (412, "outdated")
    shown = guarded.get(RULE, headers=olga).json()
    assert (shown["version"], shown["condition"]) == (3, rule["condition"])


def test_tightening_twice_is_no_way_to_loosen(guarded: TestClient, olga: Person) -> None:
    """Each step is compared with what is in force, null fields too."""
    first = {"condition": "errorRate > 0.04 or failures >= 50", "minSamples": 1}
    assert guarded.patch(RULE, headers=olga, json=first).status_code == 200
    for step in (
        {"condition": "errorRate > 0.05"},
        {"condition": "errorRate > 0.04"},
        {"groupBy": "commandType"},
        {"for": "1s"},
        {"recoverWhen": "errorRate < 0.9", "action": "alert_only"},
    ):
        waiting(guarded.patch(RULE, headers=olga, json=step))
    assert guarded.patch(RULE, headers=olga, json={"groupBy": None}).status_code == 200


def test_a_stale_tag_neither_tightens_nor_asks(guarded: TestClient, olga: Person) -> None:
    """`If-Match` is looked at whatever it would take."""
    guarded.patch(RULE, headers=olga, json={"condition": "errorRate > 0.04"})
    stale = {**olga, "If-Match": '"1"'}
    for patch in ({"condition": "errorRate > 0.02"}, LOOSER):
        assert code(guarded.patch(RULE, headers=stale, json=patch)) == (412, "outdated")
    assert code(guarded.delete(RULE, headers=stale)) == (412, "outdated")
    assert guarded.get(ACTS, headers=olga).json() == []


def test_an_event_that_is_reopened_again_takes_two_again(
    guarded: TestClient, trip: Trip, olga: Person, anna: Person, ben: Person
) -> None:
    """Whoever repeats a resolution gets the first one's answer, and resolves nothing."""
    path = f"{EVENTS}/{trip()}"
    sign(guarded, waiting(guarded.post(f"{path}/resolve", headers=olga)), anna)
    again = guarded.post(f"{path}/resolve", headers=olga).json()
    assert (again["already"], again["event"]["resolvedBy"]) == (True, "olga, anna")
    guarded.post(f"{path}/reopen", headers=olga, json={"reason": "too soon"})

    waiting(guarded.post(f"{path}/resolve", headers=ben))
    assert guarded.get(path, headers=olga).json()["resolved"] is False


def test_what_was_done_otherwise_is_not_done_again(
    guarded: TestClient, service: StateService, trip: Trip, olga: Person, ben: Person
) -> None:
    """An act whose event somebody resolved meanwhile, by a way of their own, is void."""
    event = trip()
    act = waiting(guarded.post(f"{EVENTS}/{event}/resolve", headers=olga))
    handlers.resolve_event(service.desk, event, by="anna (command line)")

    assert code(sign(guarded, act, ben)) == (409, "act_closed")
    assert status(guarded, act, ben) == "voided"
    assert guarded.get(f"{EVENTS}/{event}", headers=olga).json()["resolvedBy"][:4] == "anna"


def test_an_act_outlives_that_two_people_are_asked_for(
    guarded: TestClient, service: StateService, settings: Settings, olga: Person, ben: Person
) -> None:
    """Switched off, a lead acts alone; what waits still takes somebody else, and is void then."""
    act = waiting(guarded.patch(RULE, headers=ben, json=LOOSER))
    chosen = settings.model_copy(update={"auth": "token", "four_eyes": False})
    service.desk = replace(service.desk, settings=chosen)
    with TestClient(create_app(service, chosen), base_url=HOME) as client:
        assert code(sign(client, act, ben)) == (409, "own_act")
        assert code(sign(client, act, olga)) == (403, "not_permitted")
        assert client.patch(RULE, headers=ben, json=LOOSER).status_code == 200
        assert code(client.post(f"{ACTS}/{act}/countersign", headers=olga))[0] == 403
        assert status(client, act, ben) == "waiting"


def test_nobody_floods_the_others(
    guarded: TestClient, olga: Person, anna: Person, ben: Person
) -> None:
    """One person asks for so much and no more; the others' acts, and what lowers, go on."""
    for number in range(MOST_WAITING):
        waiting(guarded.post(RULES, headers=olga, json={**NEW, "name": f"Flood {number}"}))
    assert code(guarded.patch(RULE, headers=olga, json=LOOSER)) == (409, "too_many_acts")
    assert guarded.patch(RULE, headers=olga, json={"window": "5m"}).status_code == 200
    act = waiting(guarded.patch(RULE, headers=anna, json=LOOSER))
    assert waiting(guarded.patch(RULE, headers=olga, json=LOOSER)) == act

    assert sign(guarded, act, ben).json()["carried"] is True


def test_an_act_that_cannot_be_read_keeps_nobody_from_the_others(
    guarded: TestClient, sql: Sql, anna: Person, ben: Person, olga: Person
) -> None:
    """Neither what SQL made of its content nor a row that is no act at all: both are void."""
    odd = waiting(guarded.patch(ITEM, headers=olga, json={"weight": 1}))
    lost = waiting(guarded.patch(ITEM, headers=olga, json={"weight": 3}))
    act = waiting(guarded.patch(RULE, headers=olga, json=LOOSER))
    sql(
        "UPDATE joint_acts SET document = replace(document, '\"patch\":', '\"p\":') WHERE id = ?",
        odd,
    )
    sql("UPDATE joint_acts SET document = '{\"id\": 1}' WHERE id = ?", lost)

    assert [one["id"] for one in guarded.get(ACTS, headers=anna).json()] == [act, odd]
    assert code(sign(guarded, odd, ben)) == (409, "act_closed")
    assert code(sign(guarded, lost, ben)) == (409, "act_closed")
    assert [status(guarded, one, ben) for one in (odd, lost)] == ["voided", "voided"]
    assert sign(guarded, act, ben).json()["carried"] is True


def test_an_act_of_another_version_keeps_nobody_from_the_others(
    guarded: TestClient, service: StateService, anna: Person, ben: Person, olga: Person
) -> None:
    """One that was asked for in a way that is no longer known can be withdrawn."""
    act = waiting(guarded.patch(RULE, headers=olga, json=LOOSER))
    known = handlers.show_joint_act(service.desk, waiting(_weighed(guarded, olga)))
    odd = known.model_copy(update={"id": "act-odd", "content": {"p": 1}})
    odd = odd.model_copy(update={"digest": digest_of(odd)})
    with service.desk.store.writing() as unit:
        unit.joint_acts.add(odd)
        unit.audit.append(
            Act.JOINT_ACT_ASKED, odd.id, actor="olga", at=odd.asked_at, after=odd.to_wire()
        )

    assert code(sign(guarded, odd.id, ben)) == (412, "outdated")
    assert sign(guarded, act, ben).json()["carried"] is True
    assert guarded.post(f"{ACTS}/{odd.id}/withdraw", headers=olga).json()["status"] == "withdrawn"


def _weighed(client: TestClient, person: Person) -> Response:
    """Return the answer to who wants another weight for an item."""
    return client.patch(ITEM, headers=person, json={"weight": 1})


def test_asking_for_what_is_so_already_waits_for_nobody(guarded: TestClient, olga: Person) -> None:
    """A change that changes nothing is answered at once, and leaves no trace."""
    item = guarded.patch(ITEM, headers=olga, json={"weight": 2, "required": True})
    assert (item.status_code, item.json()["item"]["weight"]) == (200, 2)
    assert guarded.patch(RULE, headers=olga, json={}).json()["rule"]["version"] == 1
    assert guarded.get(f"{ACTS}/history", headers=olga).json() == []


def test_a_key_repeats_the_answer_and_not_the_signature(
    guarded: TestClient, olga: Person, anna: Person, ben: Person
) -> None:
    """A replayed 202 is the first one's, though the act was carried; nobody else has that key."""
    keyed = {**olga, "Idempotency-Key": "k-1"}
    first = guarded.patch(RULE, headers=keyed, json=LOOSER)
    act = waiting(first)
    mine = {**anna, "Idempotency-Key": "k-1"}
    assert guarded.patch(RULE, headers=mine, json=LOOSER).status_code == 200
    again = guarded.patch(RULE, headers=keyed, json=LOOSER)

    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert (status(guarded, act, ben), guarded.get(ACTS, headers=ben).json()) == ("carried", [])


def test_who_may_not_is_told_nothing_of_what_there_is(
    guarded: TestClient, bearer: Bearer, olga: Person, anna: Person
) -> None:
    """403 comes before 404; other methods are no way in."""
    vera = bearer("vera", Role.VIEWER)
    robot = bearer("robot", Role.SERVICE, scopes=(Scope.READ, Scope.LOWER))
    for person in (vera, robot, olga):
        assert code(sign(guarded, "act-none", person)) == (403, "not_permitted")
    assert code(sign(guarded, "act-none", anna)) == (404, "not_found")
    for person in (vera, robot):
        for answer in (
            guarded.delete(f"{RULES}/None", headers=person),
            guarded.patch(f"{RULES}/None", headers=vera, json=LOOSER),
            guarded.patch("/api/readiness/checklist/None", headers=person, json={"weight": 1}),
            guarded.post(f"{EVENTS}/none/resolve", headers=person),
            guarded.post(f"{ACTS}/none/withdraw", headers=person),
        ):
            assert code(answer) == (403, "not_permitted")
    for method in ("HEAD", "OPTIONS", "PUT"):
        answer = guarded.request(method, f"{ACTS}/act-none/countersign", headers=anna)
        assert answer.status_code == 405


def test_long_and_foreign_words_are_asked_for_and_signed(
    guarded: TestClient, service: StateService, bearer: Bearer, trip: Trip
) -> None:
    """Notes in any script, and names of before, as long as may be, come through to the letter."""
    zoe, dai = bearer("zoe", Role.OPERATOR), bearer("dai", Role.TECH_LEAD)
    for token in handlers.list_tokens(service.desk):
        renamed(service, token.id, {"zoe": "Zoë Ω 🙂", "dai": "戴"}[token.principal])
    notes = "☂\u2028\n\"'<script>&" * 140
    path = f"{EVENTS}/{trip()}"
    sign(guarded, waiting(guarded.post(f"{path}/resolve", headers=zoe, json={"notes": notes})), dai)
    found = guarded.get(path, headers=dai).json()

    assert (found["resolvedBy"], found["notes"]) == ("Zoë Ω 🙂, 戴", notes)
    raw = {**zoe, "Content-Type": "application/json"}
    lone = guarded.post(f"{EVENTS}/{trip()}/resolve", headers=raw, content=b'{"notes": "\\ud800"}')
    assert lone.status_code in (202, 400, 422)


def test_an_expired_act_is_expired_whatever_happened(
    guarded: TestClient, service: StateService, olga: Person, anna: Person
) -> None:
    """Neither signed, nor voided for a reason that came later, nor taken back."""
    act = waiting(guarded.patch(RULE, headers=olga, json=LOOSER))
    late = service.desk.clock() + timedelta(hours=72)
    object.__setattr__(service.desk, "clock", lambda: late)
    assert code(sign(guarded, act, anna)) == (409, "act_expired")
    assert code(guarded.post(f"{ACTS}/{act}/withdraw", headers=olga)) == (409, "act_expired")
    handlers.tend_joint_acts(service.desk)

    assert status(guarded, act, anna) == "expired"
    assert guarded.get(STATE, headers=anna).status_code == 200
