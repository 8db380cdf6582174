"""Ways around the people: each refused with a problem of its own, and nothing has changed."""

from __future__ import annotations

import io
import logging
import sqlite3
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from api.auth.gate import NOBODY
from governance import handlers
from governance.callers import SOMEBODY_HERE, Role, Scope
from governance.handlers.lowering import SYSTEM
from governance.proposals import PROPOSER
from governance.service import StateService
from schemas.errors import BadRequest
from tests.spelled import secret_of
from tests.unit.api.auth.conftest import Bearer

APPROVE = "/api/governance/proposals/none/approve"
AS_LEAD = {"approvedBy": "tech-lead"}


def _refusal(client: TestClient, path: str, headers: dict[str, str], **body: object) -> str:
    """Return the code of the problem with which a post is answered."""
    code: str = client.post(path, json=body, headers=headers).json()["code"]
    return code


def test_nobody_approves(guarded: TestClient) -> None:
    """A name in the body is no identity."""
    assert _refusal(guarded, APPROVE, {}, **AS_LEAD) == "not_authenticated"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.ADMIN])
def test_whoever_approves_nothing_approves_nothing(
    guarded: TestClient, bearer: Bearer, role: Role
) -> None:
    """Naming a lead's role in the body gives nobody that role."""
    assert _refusal(guarded, APPROVE, bearer("anna", role), **AS_LEAD) == "not_permitted"


@pytest.mark.parametrize("scopes", [(Scope.READ,), (Scope.LOWER, Scope.CYCLE), tuple(Scope)])
def test_a_service_never_approves(
    guarded: TestClient, bearer: Bearer, scopes: tuple[Scope, ...]
) -> None:
    """Whatever its scopes, under an error of its own."""
    robot = bearer("robot", Role.SERVICE, scopes=scopes)

    assert _refusal(guarded, APPROVE, robot, **AS_LEAD) == "service_may_not_approve"


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/circuit-breaker/rules", "POST"),
        ("/api/circuit-breaker/rules/High%20Error%20Rate", "PATCH"),
        ("/api/circuit-breaker/rules/High%20Error%20Rate", "DELETE"),
        ("/api/circuit-breaker/command-types/SET_POWER/resume", "POST"),
        ("/api/governance/proposals/none/approve", "POST"),
        ("/api/governance/proposals/none/reject", "POST"),
        ("/api/readiness/checklist/Kill%20switch%20tested/attest", "POST"),
        ("/api/readiness/checklist/Kill%20switch%20tested", "PATCH"),
    ],
)
def test_a_service_that_may_lower_raises_nothing(
    guarded: TestClient, bearer: Bearer, path: str, method: str
) -> None:
    """All that a program may do to autonomy is to lower it."""
    robot = bearer("robot", Role.SERVICE, scopes=(Scope.LOWER, Scope.READ, Scope.CYCLE))

    body = {"enabled": False} if method == "PATCH" and "rules" in path else {}
    assert guarded.request(method, path, json=body, headers=robot).status_code == 403


def test_a_service_that_may_lower_lowers(guarded: TestClient, bearer: Bearer) -> None:
    """Lowering always works."""
    robot = bearer("robot", Role.SERVICE, scopes=(Scope.LOWER,))
    body = {"targetPhase": "L3", "reason": "a precaution"}

    assert guarded.post("/api/governance/rollback", json=body, headers=robot).status_code == 200


def test_a_revoked_lead_approves_nothing(
    guarded: TestClient, service: StateService, bearer: Bearer
) -> None:
    """From the next request on, although the token was good a moment ago."""
    lead = bearer("lead", Role.TECH_LEAD)
    before = _refusal(guarded, APPROVE, lead, **AS_LEAD)
    (token,) = handlers.list_tokens(service.desk)
    handlers.revoke_token(service.desk, token.id, by="boot")

    assert (before, _refusal(guarded, APPROVE, lead, **AS_LEAD)) == (
        "not_found",
        "not_authenticated",
    )


def test_a_header_of_ones_own_makes_no_identity(guarded: TestClient, bearer: Bearer) -> None:
    """What proxies and other products believe is nothing to us."""
    viewer = bearer("anna", Role.VIEWER)
    for name in ("X-Forwarded-User", "X-Remote-User", "X-Role", "X-HTTP-Method-Override"):
        assert _refusal(guarded, APPROVE, {**viewer, name: "tech-lead"}, **AS_LEAD) == (
            "not_permitted"
        )


def test_another_spelling_of_a_path_is_no_way_in(guarded: TestClient) -> None:
    """Slashes, dots and capitals lead nowhere without an identity."""
    for path in ("//api/governance/state", "/health/../api/governance/state", "/HEALTH", "/docs/"):
        assert guarded.get(path, follow_redirects=False).status_code in (401, 404), path


def test_secrets_are_repeated_nowhere(
    guarded: TestClient, service: StateService, caplog: pytest.LogCaptureFixture
) -> None:
    """Twenty planted secrets are in no log line, no metric, no problem and no audit row."""
    caplog.set_level(logging.DEBUG)
    seen = io.StringIO()
    canaries = [f"canary{number:02}" + "x" * 35 for number in range(20)]
    _, reader = handlers.create_token(service.desk, "reader", [Role.VIEWER], by="boot")
    for number, canary in enumerate(canaries):
        sent = (
            f"Bearer {canary}",
            f"Basic {canary}",
            f"Bearer gov_{number:016x}_{canary[:43]}",
            f"Bearer {canary}.{canary}.{canary}",
            canary,
        )[number % 5]
        seen.write(guarded.get("/api/governance/state", headers={"Authorization": sent}).text)
    known = {"Authorization": f"Bearer {reader}"}
    seen.write(guarded.get("/metrics", headers=known).text)
    seen.write(guarded.get("/docs", headers=known).text)
    seen.write(str(handlers.list_audit(service.desk, limit=500)))
    everything = seen.getvalue() + caplog.text

    assert [canary for canary in canaries if canary[:20] in everything] == []
    assert secret_of(reader) not in everything


def test_a_token_lent_for_an_hour_is_no_longer_one_after_it(
    guarded: TestClient, service: StateService
) -> None:
    """A lead's token that has ended approves nothing."""
    _, spelling = handlers.create_token(
        service.desk, "lead", [Role.TECH_LEAD], by="boot", lifetime=timedelta(hours=-1)
    )
    headers = {"Authorization": f"Bearer {spelling}"}

    assert _refusal(guarded, APPROVE, headers, **AS_LEAD) == "not_authenticated"


@pytest.mark.parametrize(
    "name", [SYSTEM, " System", PROPOSER, "ｓｙｓｔｅｍ", SOMEBODY_HERE.actor, NOBODY.principal]
)
def test_nobody_is_called_as_we_are(service: StateService, name: str) -> None:
    """Else what they asked for would be the cycle's own, and theirs to approve."""
    with pytest.raises(BadRequest, match="no person's name"):
        handlers.create_token(service.desk, name, [Role.TECH_LEAD], by="boot")


@pytest.mark.parametrize("name", ["Anna Ek", "anna  ek", "ａnna ek", " ANNA EK"])
def test_nobody_is_two_people_by_another_spelling(service: StateService, name: str) -> None:
    """Else whoever hands out tokens would make a second person of the first by mistake."""
    handlers.create_token(service.desk, "anna ek", [Role.TECH_LEAD], by="boot")
    with pytest.raises(BadRequest, match="spelt 'anna ek'"):
        handlers.create_token(service.desk, name, [Role.OPS_LEAD], by="boot")
    handlers.create_token(service.desk, " anna ek", [Role.OPS_LEAD], by="boot")


def test_nobody_is_called_as_two_people(service: StateService) -> None:
    """The audit log names two who acted together with a comma between them."""
    with pytest.raises(BadRequest, match="comma"):
        handlers.create_token(service.desk, "anna, ben", [Role.TECH_LEAD], by="boot")


def test_a_token_of_before_that_is_called_as_we_are_lets_nobody_in(
    guarded: TestClient, service: StateService
) -> None:
    """The name decides, whenever the token was made."""
    token, spelling = handlers.create_token(service.desk, "anna", [Role.TECH_LEAD], by="boot")
    with sqlite3.connect(service.settings.db_path) as database:
        database.execute("UPDATE api_tokens SET principal = 'system' WHERE id = ?", (token.id,))
    headers = {"Authorization": f"Bearer {spelling}"}

    assert _refusal(guarded, "/api/governance/run-cycle", headers) == "not_authenticated"
