"""JWTs of an identity provider as proof: signed by its keys, for us, and not past their end.

Only asymmetric algorithms count: with a symmetric one, whoever knows the public key could sign.
"""

from __future__ import annotations

import base64
import json
import math
import threading
import time
from collections.abc import Callable
from datetime import datetime
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, ProxyHandler, build_opener

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from governance.callers import Assurance, Caller, Role, Scope, lawful
from governance.clock import Clock
from governance.people import check_name
from schemas.addresses import is_loopback
from schemas.errors import NotAuthenticated, Unavailable
from schemas.settings import Settings

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
SKEW: Final = 60
"""Seconds by which the provider's clock may differ from ours."""

KEPT: Final = 300.0
"""Seconds after which the keys are read again, so that a withdrawn one ends."""

PAUSE: Final = 5.0
"""Seconds between two readings for an unknown key: forged ids must not make us a flood, and a
provider that hangs must not hold every thread."""

LARGEST: Final = 256 * 1024
"""Bytes of a key set at most."""

LONGEST: Final = 16 * 1024
"""Characters of a JWT at most; a person in a hundred groups needs some 8,000."""


class ProviderKeys:
    """The provider's public keys: cached, and read again when they are old or one is unknown."""

    def __init__(self, url: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._opener = _opener_for(url)
        self._monotonic = monotonic
        self._reading = threading.Lock()
        self._keys: KeySet | None = None
        self._read_at = -math.inf

    def keys_for(self, key_id: str | None) -> KeySet:
        """Return the keys, with that of *key_id* if the provider has it.

        Whoever brings a known key never waits for the provider, unless it is this call that
        reads the keys again because they are old.

        Raises:
            Unavailable: the provider does not answer and no keys are cached.
        """
        unknown = not self._has(key_id)
        if self._is_due(unknown) and self._reading.acquire(blocking=unknown):
            try:
                if self._is_due(not self._has(key_id)):
                    self._read()
            finally:
                self._reading.release()
        if self._keys is None:
            raise Unavailable("identity provider", "its keys cannot be read")
        return self._keys

    def _has(self, key_id: str | None) -> bool:
        """Whether a key of this id is cached."""
        return self._keys is not None and key_id in {key.kid for key in self._keys.keys}

    def _is_due(self, unknown: bool) -> bool:
        """Whether the keys are to be read: they are old, or may lack one that is wanted."""
        age = self._monotonic() - self._read_at
        return age > KEPT or (unknown and age > PAUSE)

    def _read(self) -> None:
        """Read the keys; the last ones stay when the provider does not answer."""
        try:
            with self._opener.open(self._url, timeout=5) as answer:
                self._keys = KeySet.import_key_set(json.loads(answer.read(LARGEST)))
        except (OSError, HTTPException, ValueError, KeyError, TypeError, JoseError):
            return
        finally:
            self._read_at = self._monotonic()


def _opener_for(url: str) -> OpenerDirector:
    """Return what reads *url*: through the proxy of the environment, if it is not on this machine.

    A provider is often outside, and https:// lets no proxy change the keys; without it they come
    from loopback only, and through no proxy.
    """
    is_here = is_loopback(urlsplit(url).hostname or "")
    return build_opener(ProxyHandler({})) if is_here else build_opener()


class JwtCheck:
    """Tells whom a JWT speaks for; safe to ask from any thread."""

    def __init__(self, settings: Settings, clock: Clock, keys: ProviderKeys | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._keys = keys or ProviderKeys(settings.oidc_jwks_url or "")

    def caller(self, text: str) -> Caller:
        """Return whom the JWT *text* speaks for.

        Raises:
            NotAuthenticated: it is not signed by the provider, not for us, or out of time.
            Unavailable: the provider's keys cannot be read.
        """
        if len(text) > LONGEST:
            raise NotAuthenticated(f"a JWT has at most {LONGEST} characters")
        try:
            claims = self._claims(text)
        except Unavailable:
            raise
        # RecursionError: JSON that is nested too deeply, which needs no signature to be sent.
        except (JoseError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise NotAuthenticated("the JWT is not one that may ask here now") from None
        return self._caller(claims)

    def _claims(self, text: str) -> dict[str, Any]:
        """Return what a JWT that holds says; one that does not raises."""
        header = json.loads(_decoded(text.split(".")[0]))
        token = jwt.decode(text, self._keys.keys_for(header.get("kid")), algorithms=[*ALGORITHMS])
        rules = jwt.JWTClaimsRegistry(
            now=_seconds(self._clock()),
            leeway=SKEW,
            iss={"essential": True, "value": self._settings.oidc_issuer or ""},
            aud={"essential": True, "value": self._settings.oidc_audience or ""},
            exp={"essential": True},
            sub={"essential": True},
        )
        rules.validate(token.claims)
        return dict(token.claims)

    def _caller(self, claims: dict[str, Any]) -> Caller:
        """Return the caller; roles that we do not know are nobody's here."""
        principal = claims["sub"]
        if not isinstance(principal, str) or not principal:
            raise NotAuthenticated("the JWT names nobody")
        if problem := check_name(principal):
            raise NotAuthenticated(
                f"the claim sub names nobody that can be told from others: {problem}; let the "
                "provider of GOVERNANCE_OIDC_ISSUER send a sub of at most 255 ASCII characters"
            )
        roles = lawful(frozenset(Role(name) for name in self._role_names(claims)))
        scopes = str(claims.get("scope", "")).split() if Role.SERVICE in roles else []
        held = frozenset(Scope(name) for name in scopes if name in set(Scope))
        return Caller(principal, roles, Assurance.OIDC, held)

    def _role_names(self, claims: dict[str, Any]) -> list[str]:
        """Return the names of our roles in the claim that the settings name."""
        found: Any = claims
        for part in self._settings.oidc_roles_claim.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        named = found if isinstance(found, list) else [found]
        return [name for name in named if isinstance(name, str) and name in set(Role)]


def _decoded(part: str) -> bytes:
    """Return one part of a JWT."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _seconds(now: datetime) -> int:
    """Return *now* as JWTs count: whole seconds since 1970."""
    return int(now.timestamp())
