"""Replays: a request that is sent twice happens once, and stale decisions change nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from governance import handlers
from governance.callers import Role
from governance.handlers.replays import begin_request, finish_request
from governance.replays import Answer, Asked
from governance.service import StateService
from schemas.errors import KeyInFlight, KeyReused
from tests.desks import at
from tests.unit.api.conftest import NOON

BACK = "/api/governance/rollback"
WANTED: dict[str, Any] = {"targetPhase": "L3", "reason": "a precaution"}
RULE = "/api/circuit-breaker/rules/High%20Error%20Rate"


def test_a_double_click_happens_once(client: TestClient) -> None:
    """The second answer is the first one's bytes, and says so."""
    headers = {"Idempotency-Key": "k-1"}
    first = client.post(BACK, json=WANTED, headers=headers)
    second = client.post(BACK, json=WANTED, headers=headers)
    epoch = client.get("/api/governance/state").json()["autonomyEpoch"]

    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert first.headers["Content-Type"] == second.headers["Content-Type"]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.json()["state"]["autonomyEpoch"] == epoch


def test_a_refusal_is_repeated_too(client: TestClient) -> None:
    """What was wrong the first time is as wrong the second, to the byte."""
    headers = {"Idempotency-Key": "k-1"}
    answers = [client.post(BACK, json={}, headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].content == answers[1].content


def test_a_key_is_for_one_request(client: TestClient) -> None:
    """Another body under the same key is a mistake, not a repetition."""
    headers = {"Idempotency-Key": "k-1"}
    client.post(BACK, json=WANTED, headers=headers)
    answer = client.post(BACK, json={**WANTED, "reason": "another"}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_a_key_belongs_to_its_caller(service: StateService) -> None:
    """Another caller's key of the same name is another key: nobody reads what others were told."""
    mine, theirs = Asked("token:anna", "k", "r"), Asked("token:bert", "k", "r")
    begin_request(service.desk, mine)
    finish_request(service.desk, mine, Answer(200, (), b"secret"))

    assert begin_request(service.desk, theirs) is None


def test_a_request_that_is_being_worked_on_is_not_begun_again(service: StateService) -> None:
    """The parallel one is told to come back; another body is told that the key is taken."""
    asked = Asked("open:operator", "k", "r")
    begin_request(service.desk, asked)

    with pytest.raises(KeyInFlight):
        begin_request(service.desk, asked)
    with pytest.raises(KeyReused):
        begin_request(service.desk, Asked(asked.principal, asked.key, "other"))


@pytest.mark.parametrize("later", [timedelta(minutes=1), timedelta(hours=-1)])
def test_a_request_lost_with_its_process_may_be_repeated(
    service: StateService, later: timedelta
) -> None:
    """After a minute without an answer the key is free again, and after a clock that went back."""
    asked = Asked("open:operator", "k", "r")
    begin_request(service.desk, asked)

    assert begin_request(at(service.desk, NOON + later), asked) is None


def test_a_failure_of_ours_is_not_kept(service: StateService) -> None:
    """What failed for want of a database may succeed under the same key."""
    asked = Asked("open:operator", "k", "r")
    begin_request(service.desk, asked)
    finish_request(service.desk, asked, Answer(503, (), b"{}"))

    assert begin_request(service.desk, asked) is None


def test_a_key_is_forgotten_after_a_day(service: StateService) -> None:
    """Keys do not pile up."""
    asked = Asked("open:operator", "k", "r")
    begin_request(service.desk, asked)
    finish_request(service.desk, asked, Answer(200, (), b"{}"))

    assert begin_request(at(service.desk, NOON + timedelta(hours=24, seconds=1)), asked) is None


@pytest.mark.parametrize("key", ["", "x" * 257, "tab\there"])
def test_a_key_that_is_none_is_refused(client: TestClient, key: str) -> None:
    """It is named, so that nobody believes to be safe who is not."""
    answer = client.post(BACK, json=WANTED, headers={"Idempotency-Key": key})

    assert (answer.status_code, answer.json()["field"]) == (400, "Idempotency-Key")


def test_a_rule_is_changed_only_as_it_was_seen(client: TestClient) -> None:
    """The tag that was read changes the rule once; then it is stale, for deleting too."""
    seen = {"If-Match": client.get(RULE).headers["ETag"]}
    first = client.patch(RULE, json={"window": "10m"}, headers=seen)
    second = client.patch(RULE, json={"window": "20m"}, headers=seen)
    third = client.delete(RULE, headers=seen)

    assert first.status_code == 200
    assert (second.status_code, second.json()["code"]) == (412, "outdated")
    assert third.status_code == 412
    assert client.get(RULE).json()["window"] == "10m"
    assert client.get(RULE).headers["ETag"] == first.headers["ETag"]


def test_the_state_is_changed_only_as_it_was_seen(client: TestClient) -> None:
    """A rollback decided on another state is refused; without a tag it always works."""
    seen = {"If-Match": client.get("/api/governance/state").headers["ETag"]}
    statuses = [client.post(BACK, json=WANTED, headers=seen).status_code for _ in range(2)]

    assert statuses == [200, 412]
    assert client.post(BACK, json=WANTED, headers={"If-Match": "*"}).status_code == 200
    assert client.post(BACK, json=WANTED).status_code == 200


@pytest.mark.parametrize("tag", ["v1", 'W/"v1"', '"v1", "v2"'])
def test_what_is_no_tag_is_refused(client: TestClient, tag: str) -> None:
    """A tag that cannot match is said to be none."""
    answer = client.patch(RULE, json={"window": "10m"}, headers={"If-Match": tag})

    assert (answer.status_code, answer.json()["field"]) == (400, "If-Match")


def test_an_answer_under_a_key_survives_a_revoked_token_for_nobody(
    client: TestClient, service: StateService
) -> None:
    """What open mode was told stays in open mode: a token of that name reads nothing of it."""
    client.post(BACK, json=WANTED, headers={"Idempotency-Key": "k-1"})
    handlers.create_token(service.desk, "operator", [Role.OPERATOR], by="boot")

    asked = Asked("token:operator", "k-1", "whatever")
    assert begin_request(service.desk, asked) is None
