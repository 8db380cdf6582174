"""API tokens: who holds one is let in, and nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from governance import handlers
from governance.callers import Role, Scope
from governance.service import StateService
from schemas.errors import BadRequest, NotFound
from tests.spelled import secret_of
from tests.unit.api.auth.conftest import Bearer
from tests.unit.api.conftest import Trip

STATE = "/api/governance/state"


def test_a_token_is_kept_as_a_hash_only(service: StateService) -> None:
    """Neither the database nor the audit log could be used to ask in its name."""
    token, spelling = handlers.create_token(service.desk, "anna", [Role.VIEWER], by="boot")
    secret = secret_of(spelling)
    kept = handlers.find_token(service.desk, token.id)

    assert kept is not None
    assert kept.hash.startswith("$argon2id$")
    for path in service.settings.db_path.parent.glob("governance.db*"):
        assert secret.encode() not in path.read_bytes()


def test_whoever_holds_a_token_is_let_in(guarded: TestClient, bearer: Bearer) -> None:
    """The header is enough, again and again; without it the answer says what to send."""
    anna = bearer("anna", Role.VIEWER)
    refused = guarded.get(STATE)

    assert [guarded.get(STATE, headers=anna).status_code for _ in range(3)] == [200] * 3
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "sent",
    [
        "Bearer",
        "Bearer ",
        "Basic YW5uYTphbm5h",
        "Bearer gov_0123456789abcdef_" + "x" * 43,
        "Bearer not-a-token",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm5hIn0.",
        "bearer ' OR 1=1 --",
    ],
)
def test_whoever_holds_none_is_refused(guarded: TestClient, sent: str) -> None:
    """Nothing that only looks like a token lets anybody in, and the answer repeats none of it."""
    answer = guarded.get(STATE, headers={"Authorization": sent})

    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert sent.split(" ")[-1][:20] not in answer.text or len(sent) < 8


def test_one_wrong_letter_is_a_wrong_token(guarded: TestClient, bearer: Bearer) -> None:
    """Knowing the id and most of the secret is worth nothing."""
    sent = bearer("anna", Role.VIEWER)["Authorization"]
    wrong = sent[:-1] + ("A" if sent[-1] != "A" else "B")

    assert guarded.get(STATE, headers={"Authorization": wrong}).status_code == 401


def test_a_revoked_token_is_refused_at_once(
    guarded: TestClient, service: StateService, bearer: Bearer
) -> None:
    """Even one that was let in a moment ago."""
    anna = bearer("anna", Role.VIEWER)
    assert guarded.get(STATE, headers=anna).status_code == 200
    (token,) = handlers.list_tokens(service.desk)
    handlers.revoke_token(service.desk, token.id, by="boot")

    assert guarded.get(STATE, headers=anna).status_code == 401


def test_a_token_ends_by_itself(guarded: TestClient, service: StateService) -> None:
    """One whose lifetime is over is worth nothing."""
    _, spelling = handlers.create_token(
        service.desk, "anna", [Role.VIEWER], by="boot", lifetime=-timedelta(seconds=1)
    )
    headers = {"Authorization": f"Bearer {spelling}"}

    assert guarded.get(STATE, headers=headers).status_code == 401


def test_making_and_ending_a_token_is_audited(service: StateService) -> None:
    """Who made it, for whom, with which roles; and who ended it."""
    token, _ = handlers.create_token(service.desk, "anna", [Role.OPERATOR], by="boot")
    handlers.revoke_token(service.desk, token.id, by="admin")
    handlers.revoke_token(service.desk, token.id, by="somebody later")
    ended, made = handlers.list_audit(service.desk, limit=2)

    assert (made.act, made.actor, made.after["principal"]) == ("token.created", "boot", "anna")
    assert (ended.act, ended.actor) == ("token.revoked", "admin")


@pytest.mark.parametrize(
    ("roles", "scopes"),
    [
        ([], []),
        ([Role.ADMIN, Role.TECH_LEAD], []),
        ([Role.SERVICE], []),
        ([Role.SERVICE, Role.OPERATOR], [Scope.READ]),
        ([Role.OPERATOR], [Scope.LOWER]),
    ],
)
def test_roles_that_do_not_go_together_make_no_token(
    service: StateService, roles: list[Role], scopes: list[Scope]
) -> None:
    """Who hands out tokens approves nothing, and a program is nothing but a program."""
    with pytest.raises(BadRequest):
        handlers.create_token(service.desk, "anna", roles, by="boot", scopes=scopes)


def test_an_unknown_token_cannot_be_revoked(service: StateService) -> None:
    """A mistyped id is said, not passed over."""
    with pytest.raises(NotFound):
        handlers.revoke_token(service.desk, "nothing", by="boot")


def test_many_wrong_tokens_have_to_wait(guarded: TestClient) -> None:
    """Guessing from one address ends after thirty tries, and what a minute gives back."""
    wrong = {"Authorization": "Bearer gov_0123456789abcdef_" + "x" * 43}
    tries = 0
    while (status := guarded.get(STATE, headers=wrong).status_code) == 401:
        tries += 1

    assert status == 429
    assert tries >= 30


def test_the_audit_log_names_the_holder(
    guarded: TestClient, service: StateService, bearer: Bearer
) -> None:
    """Identity comes from the token, whatever a body says."""
    answer = guarded.post(
        "/api/governance/rollback",
        json={"targetPhase": "L3", "reason": "by mallory", "by": "mallory"},
        headers=bearer("anna", Role.OPERATOR),
    )
    proper = guarded.post(
        "/api/governance/rollback",
        json={"targetPhase": "L3", "reason": "a precaution"},
        headers=bearer("anna", Role.OPERATOR),
    )
    actors = {entry.actor for entry in handlers.list_audit(service.desk, limit=50)}

    assert (answer.status_code, proper.status_code) == (422, 200)
    assert "anna" in actors
    assert "mallory" not in actors


@pytest.mark.parametrize(
    ("severity", "operator", "lead"),
    [("low", 200, 200), ("medium", 200, 200), ("high", 202, 202), ("critical", 202, 202)],
)
def test_nobody_resolves_a_grave_event_alone(
    guarded: TestClient, bearer: Bearer, trip: Trip, severity: str, operator: int, lead: int
) -> None:
    """Whoever is there resolves what is low or medium; the rest waits for a second person."""
    anna, bert = bearer("anna", Role.OPERATOR), bearer("bert", Role.OPS_LEAD)
    for headers, status in ((anna, operator), (bert, lead)):
        path = f"/api/circuit-breaker/events/{trip(severity=severity)}/resolve"
        assert guarded.post(path, headers=headers).status_code == status
