"""JWTs of an identity provider, whose keys a real server on this machine publishes."""

from __future__ import annotations

import base64
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from starlette.testclient import TestClient

from api.app import create_app
from api.auth.oidc import LONGEST, JwtCheck, ProviderKeys
from governance import handlers
from governance.callers import Assurance, Caller, Role, Scope
from governance.service import StateService
from schemas.errors import BadSetting, NotAuthenticated, Unavailable
from schemas.settings import Settings
from tests.unit.api.auth.conftest import HOME
from tests.unit.api.conftest import NOON

NOW = int(NOON.timestamp())
ISSUER, AUDIENCE = "https://id.example", "governance"
KEY = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
NEXT = ECKey.generate_key("P-256", {"kid": "two"}, private=True)


class Provider:
    """An identity provider: publishes `keys`, and counts how often it was asked."""

    def __init__(self) -> None:
        self.keys: list[Any] = [KEY]
        self.asked = 0
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                provider.is_asked.set()
                provider.may_answer.wait(60)
                body = json.dumps(KeySet(provider.keys).as_dict(private=False)).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"


@pytest.fixture
def provider() -> Iterator[Provider]:
    """Return a provider that runs while the test does."""
    provider = Provider()
    thread = threading.Thread(target=provider.server.serve_forever, args=(0.02,))
    thread.start()
    yield provider
    provider.server.shutdown()
    thread.join()
    provider.server.server_close()


@pytest.fixture
def chosen(settings: Settings, provider: Provider) -> Settings:
    """Return settings that trust the provider."""
    return settings.model_copy(
        update={
            "auth": "oidc",
            "oidc_issuer": ISSUER,
            "oidc_audience": AUDIENCE,
            "oidc_jwks_url": provider.url,
        }
    )


def claims(**fields: Any) -> dict[str, Any]:
    """Return what the provider says of Anna, unless *fields* say otherwise."""
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "exp": NOW + 300, "roles": ["ops-lead"]}
    return {name: value for name, value in {**said, **fields}.items() if value is not None}


def signed(key: Any = KEY, algorithm: str = "RS256", **fields: Any) -> str:
    """Return a JWT."""
    header = {"alg": algorithm, "kid": key.kid}
    return jwt.encode(header, claims(**fields), key, algorithms=[algorithm])


def test_a_jwt_of_the_provider_says_who_asks(chosen: Settings) -> None:
    """The subject is the principal, and the claim's roles are theirs; unknown ones are nobody's."""
    caller = JwtCheck(chosen, lambda: NOON).caller(signed(roles=["ops-lead", "wizard"]))

    assert caller == Caller("anna", frozenset({Role.OPS_LEAD}), Assurance.OIDC)


@pytest.mark.parametrize(
    "fields",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"exp": NOW - 61},
        {"exp": None},
        {"nbf": NOW + 61},
        {"iat": NOW + 61},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
    ],
)
def test_a_jwt_for_another_place_or_time_is_refused(
    chosen: Settings, fields: dict[str, Any]
) -> None:
    """Issuer, audience, subject and times are all asked for."""
    with pytest.raises(NotAuthenticated):
        JwtCheck(chosen, lambda: NOON).caller(signed(**fields))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("аnna", "U+0430 CYRILLIC SMALL LETTER A"),
        ("anna\u034f", "U+034F COMBINING GRAPHEME JOINER"),
        ("Jörg", "U+00F6"),
        (" anna", "spaces"),
        ("anna ", "spaces"),
        ("a" * 257, "1 to 256"),
    ],
)
def test_a_subject_that_cannot_be_told_from_others_is_refused_by_name(
    chosen: Settings, name: str, problem: str
) -> None:
    """What is wrong, in which claim, and what the provider has to send instead."""
    with pytest.raises(NotAuthenticated, match=r"claim sub.*GOVERNANCE_OIDC_ISSUER") as refused:
        JwtCheck(chosen, lambda: NOON).caller(signed(sub=name))
    assert problem in str(refused.value)


@pytest.mark.parametrize("fields", [{"exp": NOW - 59}, {"nbf": NOW + 59}, {"aud": ["x", AUDIENCE]}])
def test_a_clock_may_be_a_minute_off(chosen: Settings, fields: dict[str, Any]) -> None:
    """Sixty seconds of skew are forgiven, and one of several audiences is enough."""
    assert JwtCheck(chosen, lambda: NOON).caller(signed(**fields)).principal == "anna"


def test_only_the_providers_private_key_signs(chosen: Settings) -> None:
    """No signature, another's key, and the public key as a shared secret are all refused."""
    check = JwtCheck(chosen, lambda: NOON)
    header, body, signature = signed().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').decode().rstrip("=")
    stranger = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    symmetric = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').decode().rstrip("=")
    mac = hmac.digest(KEY.as_pem(private=False), f"{symmetric}.{body}".encode(), "sha256")
    shared = base64.urlsafe_b64encode(mac).decode().rstrip("=")
    forged = [
        f"{none}.{body}.",
        f"{header}.{body}.",
        f"{header}.{body}.{signature[:-4]}AAAA",
        signed(stranger),
        f"{symmetric}.{body}.{shared}",
        "a.b.c",
        "..",
        "",
        "\ud800.x.y",
    ]
    for one in forged:
        with pytest.raises(NotAuthenticated):
            check.caller(one)


def _part(header: str) -> str:
    """Return a part of a JWT that says *header*."""
    return base64.urlsafe_b64encode(header.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "header",
    [
        "[" * 9_000,
        '{"a":' * 2_000,
        '{"alg":"RS256","kid":[1]}',
        '{"alg":"RS256","kid":{"a":1}}',
        '{"alg":["RS256"],"kid":"one"}',
        '{"alg":"RS256","kid":"one","crit":["exp"]}',
        '{"alg":"RS256","kid":"one","b64":false,"crit":["b64"]}',
        '{"alg":"rs256","kid":"one"}',
        '{"alg":"None","kid":"one"}',
        '"RS256"',
        "null",
        "1" * 5_000,
    ],
    ids=lambda header: header[:40],
)
def test_a_header_that_is_an_attack_is_refused(chosen: Settings, header: str) -> None:
    """Nobody has signed it yet, so it may be anything; it never is a fault of ours."""
    _, body, signature = signed().split(".")
    with pytest.raises(NotAuthenticated):
        JwtCheck(chosen, lambda: NOON).caller(f"{_part(header)}.{body}.{signature}")


@pytest.mark.parametrize("named", ["jwk", "jku", "x5u", "x5c"])
def test_a_jwt_does_not_bring_its_own_key(chosen: Settings, named: str) -> None:
    """A key, or where to get one, is taken from the settings and nowhere else."""
    stranger = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    own = {
        "jwk": stranger.as_dict(private=False),
        "jku": "http://127.0.0.1:1/jwks",
        "x5u": "http://127.0.0.1:1/x",
        "x5c": ["MIIB"],
    }
    forged = jwt.encode({"alg": "RS256", "kid": "one", named: own[named]}, claims(), stranger)
    with pytest.raises(NotAuthenticated):
        JwtCheck(chosen, lambda: NOON).caller(forged)


def test_a_jwt_that_is_too_long_or_encrypted_is_refused(chosen: Settings) -> None:
    """A long one is not read at all, and a sealed one is not opened."""
    check = JwtCheck(chosen, lambda: NOON)
    sealed = _part('{"alg":"RSA-OAEP","enc":"A128GCM","zip":"DEF","kid":"one"}')
    for text in (signed(groups="g" * LONGEST), f"{sealed}.AAAA.AAAA.AAAA.AAAA"):
        with pytest.raises(NotAuthenticated):
            check.caller(text)


def test_a_provider_cannot_name_somebody_as_we_are_named(
    service: StateService, chosen: Settings
) -> None:
    """A subject of one's own choice is not a way to be the weekly cycle."""
    app = create_app(service, chosen)
    with TestClient(app, base_url=HOME) as client:
        sent = [{"Authorization": f"Bearer {signed(sub=name)}"} for name in ("system", "anna")]
        statuses = [client.get("/api/governance/state", headers=one).status_code for one in sent]

    assert statuses == [401, 200]


def test_a_provider_that_hangs_keeps_nobody_waiting_who_is_known(
    chosen: Settings, provider: Provider
) -> None:
    """A forged key id makes us ask; meanwhile those with a known key pass."""
    now = [100.0]
    check = JwtCheck(chosen, lambda: NOON, ProviderKeys(provider.url, lambda: now[0]))
    check.caller(signed())
    now[0] += 6
    provider.may_answer.clear()
    provider.is_asked.clear()
    forger = threading.Thread(target=_forge, args=(check,))
    forger.start()
    try:
        assert provider.is_asked.wait(60)
        assert check.caller(signed()).principal == "anna"
        assert forger.is_alive()
    finally:
        provider.may_answer.set()
        forger.join()


def _forge(check: JwtCheck) -> None:
    """Ask with a key that nobody knows."""
    with pytest.raises(NotAuthenticated):
        check.caller(signed(ECKey.generate_key("P-256", {"kid": "x"}, private=True), "ES256"))


def test_a_new_key_is_learnt_and_a_flood_of_unknown_ones_is_not(
    chosen: Settings, provider: Provider
) -> None:
    """An unknown key id makes us read the keys again, but not more than once in five seconds."""
    now = [100.0]
    keys = ProviderKeys(provider.url, lambda: now[0])
    check = JwtCheck(chosen, lambda: NOON, keys)
    check.caller(signed())
    provider.keys = [KEY, NEXT]
    now[0] += 6
    assert check.caller(signed(NEXT, "ES256")).principal == "anna"
    asked = provider.asked
    for _ in range(20):
        with pytest.raises(NotAuthenticated):
            check.caller(signed(ECKey.generate_key("P-256", {"kid": "x"}, private=True), "ES256"))

    assert provider.asked == asked == 2


def test_a_withdrawn_key_ends_within_five_minutes(chosen: Settings, provider: Provider) -> None:
    """Keys are not trusted for ever because they once were."""
    now = [100.0]
    check = JwtCheck(chosen, lambda: NOON, ProviderKeys(provider.url, lambda: now[0]))
    check.caller(signed())
    provider.keys = [NEXT]
    now[0] += 301

    with pytest.raises(NotAuthenticated):
        check.caller(signed())


def test_a_provider_that_is_away_is_not_the_callers_fault(chosen: Settings) -> None:
    """Without any keys the answer is 503: later the same JWT may be good."""
    with pytest.raises(Unavailable):
        JwtCheck(chosen, lambda: NOON, ProviderKeys("http://127.0.0.1:9/")).caller(signed())


def test_roles_that_do_not_go_together_are_taken_apart(chosen: Settings) -> None:
    """Who hands out tokens approves nothing, whatever the provider says; programs only lower."""
    check = JwtCheck(chosen, lambda: NOON)

    assert check.caller(signed(roles=["admin", "tech-lead"])).roles == {Role.ADMIN}
    robot = check.caller(signed(roles=["service", "tech-lead"], scope="lower openid"))
    assert robot.roles == {Role.SERVICE}
    assert robot.scopes == {Scope.LOWER}


def test_roles_may_stand_deep_in_the_jwt(chosen: Settings) -> None:
    """Some providers nest them."""
    deep = chosen.model_copy(update={"oidc_roles_claim": "realm_access.roles"})
    text = signed(roles=None, realm_access={"roles": ["viewer"]})

    assert JwtCheck(deep, lambda: NOON).caller(text).roles == {Role.VIEWER}


def test_people_come_with_a_jwt_and_programs_with_a_token(
    service: StateService, chosen: Settings
) -> None:
    """Nobody has two names: a person's API token is worth nothing beside a provider."""
    _, person = handlers.create_token(service.desk, "anna2", [Role.TECH_LEAD], by="boot")
    _, robot = handlers.create_token(
        service.desk, "robot", [Role.SERVICE], by="boot", scopes=[Scope.READ]
    )
    with TestClient(create_app(service, chosen), base_url=HOME) as client:
        statuses = [
            client.get("/api/governance/state", headers={"Authorization": f"Bearer {proof}"})
            for proof in (signed(), robot, person)
        ]

    assert [answer.status_code for answer in statuses] == [200, 200, 401]


@pytest.mark.parametrize("missing", ["oidc_issuer", "oidc_audience", "oidc_jwks_url"])
def test_half_a_provider_does_not_start(chosen: Settings, missing: str) -> None:
    """Each of the three is needed, and the error names it."""
    with pytest.raises(BadSetting, match=missing.upper()):
        chosen.model_copy(update={missing: None}).check_safe()


def test_keys_come_by_a_way_that_nobody_can_change(chosen: Settings) -> None:
    """Plain HTTP to another machine would let anybody on the way sign."""
    with pytest.raises(BadSetting, match="https"):
        chosen.model_copy(update={"oidc_jwks_url": "http://id.example/jwks"}).check_safe()


@pytest.mark.parametrize(("mode", "safe"), [("open", False), ("token", True)])
def test_another_address_needs_authentication(settings: Settings, mode: str, safe: bool) -> None:
    """In open mode only loopback is served; with tokens any address is."""
    wide = settings.model_copy(update={"auth": mode, "host": "0.0.0.0"})
    if safe:
        assert wide.check_safe() is wide
    else:
        with pytest.raises(BadSetting, match="GOVERNANCE_AUTH"):
            wide.check_safe()
