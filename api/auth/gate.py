"""The gate: nobody passes unknown, nobody passes too often, and a route sees who asks.

    Authorization ──► whom it speaks for ──► their share ──► the route's act ──► the route

What lowers autonomy has a share of its own, which only those who may lower can use up. Its proof
is looked at whatever others have sent from the same address: a wrong one costs microseconds and
counts, and a right one never waits for those who guess.

In open mode everybody on this machine is `SOMEBODY_HERE`. Otherwise a request without a valid
``Authorization: Bearer`` reaches public routes only. What the caller may do depends on which
route it is, so that is asked in `check_route`, before anything of the route runs.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth.friends import Friends
from api.auth.matrix import LOWER, MATRIX, PUBLIC, check_may
from api.auth.oidc import JwtCheck
from api.auth.rates import Rates
from api.auth.tokens import TokenCheck
from api.failures import answer_to
from governance.callers import SOMEBODY_HERE, Assurance, Caller, Role, is_reserved
from governance.desk import Desk
from governance.tokens import PREFIX
from schemas.errors import GovernanceError, NotAuthenticated, NotPermitted, Unavailable
from schemas.settings import Settings

CALLER: Final = "governance.caller"
"""In the scope of a request: who asks."""

AGAIN: Final = "governance.again"
"""In the scope of a request: what checks its proof again, for answers that outlast one."""

NOBODY: Final = Caller("nobody", frozenset(), Assurance.SELF_ASSERTED)
"""Who asks for what is public without saying who they are."""

FAILURES: Final = 30
"""Wrong proofs a minute from one address, after which it waits."""

STRANGERS: Final = 4
"""Proofs that are looked at for the first time at once: each may take 20 ms and 19 MiB, and the
other threads are for those who are known."""


class Checks:
    """Tells whom a request's proof speaks for, as the settings want it."""

    def __init__(self, desk: Desk, settings: Settings) -> None:
        self._tokens = TokenCheck(desk)
        self._jwts = JwtCheck(settings, desk.clock) if settings.auth == "oidc" else None

    def caller(self, proof: str) -> Caller:
        """Return whom *proof* speaks for.

        With an identity provider, API tokens are for services: a person with two names could
        be two people.

        Raises:
            NotAuthenticated: nobody.
            Unavailable: what would tell does not answer.
        """
        caller = self._caller(proof)
        if is_reserved(caller.principal):
            raise NotAuthenticated("the proof names us, and not somebody who asks")
        return caller

    def _caller(self, proof: str) -> Caller:
        """Return whom *proof* speaks for by its own word."""
        if self._jwts is None:
            return self._tokens.caller(proof)
        if not proof.startswith(PREFIX):
            return self._jwts.caller(proof)
        caller = self._tokens.caller(proof)
        if caller.roles != {Role.SERVICE}:
            raise NotAuthenticated("people come with a JWT; API tokens are for services here")
        return caller


class Gate:
    """Answers 401 to the unknown and 429 to the hasty; puts the caller into the scope."""

    def __init__(self, app: ASGIApp, *, desk: Desk, settings: Settings) -> None:
        self.app = app
        self._is_open = settings.auth == "open"
        self._checks = Checks(desk, settings)
        share = settings.requests_per_minute * (10 if self._is_open else 1)
        self._shares = Rates(share)
        self._lowerings = Rates(share)
        self._wrong = Rates(FAILURES)
        self._friends = Friends()
        self._strangers = CapacityLimiter(STRANGERS)
        self._lowering_proofs = CapacityLimiter(STRANGERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on whoever is known, or refuse."""
        if scope["type"] == "http":
            try:
                proof = None if self._is_open else _proof(Headers(scope=scope))
                scope[CALLER] = await self._caller(scope, proof)
                scope[AGAIN] = partial(self._check_again, proof)
            except GovernanceError as error:
                await answer_to(error, path=scope["path"])(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _caller(self, scope: Scope, proof: str | None) -> Caller:
        """Return who asks.

        Raises:
            NotAuthenticated: nobody knows, and the path is not public.
            TooManyRequests: they have used up their share.
            Unavailable: what would tell does not answer.
        """
        peer = str((scope.get("client") or ("local",))[0])
        lowers = MATRIX.lowers(scope["method"], scope["path"])
        if proof is None:
            caller = SOMEBODY_HERE if self._is_open else NOBODY
        elif lowers:
            caller = await self._lowering(proof, peer)
        else:
            caller = await self._known(proof, peer)
        may_lower = lowers and MATRIX.acts[LOWER].includes(caller)
        share = self._lowerings if may_lower else self._shares
        share.take(f"{caller.principal} {peer if caller is NOBODY else ''}")
        if caller is NOBODY and not MATRIX.is_public(scope["path"]):
            raise NotAuthenticated("the request names nobody; it needs Authorization: Bearer")
        return caller

    async def _lowering(self, proof: str, peer: str) -> Caller:
        """Return whom the *proof* of a lowering speaks for, in a thread kept for these."""
        if self._friends.has_met(proof):
            check = partial(self._again, proof)
        else:
            check = partial(self._first_lowering, proof, peer)
        return await to_thread.run_sync(check, limiter=self._lowering_proofs)

    def _first_lowering(self, proof: str, peer: str) -> Caller:
        """Return whom a stranger's *proof* speaks for, even where *peer* has guessed too often.

        Whoever guesses is told 429 from then on as anywhere else.
        """
        try:
            caller = self._checks.caller(proof)
        except NotAuthenticated:
            self._wrong.take(peer)
            raise
        self._friends.meet(proof)
        return caller

    async def _known(self, proof: str, peer: str) -> Caller:
        """Return whom *proof* speaks for; a stranger waits for other strangers."""
        if self._friends.has_met(proof):
            return await run_in_threadpool(self._again, proof)
        self._wrong.look(peer)
        return await to_thread.run_sync(self._first, proof, peer, limiter=self._strangers)

    def _first(self, proof: str, peer: str) -> Caller:
        """Return whom a stranger's *proof* speaks for; a wrong one counts against *peer*.

        It counts before it is looked at, or many at once would all pass.
        """
        self._wrong.take(peer)
        try:
            caller = self._checks.caller(proof)
        except Unavailable:
            self._wrong.give(peer)
            raise
        self._wrong.give(peer)
        self._friends.meet(proof)
        return caller

    def _check_again(self, proof: str | None) -> None:
        """Check that *proof*, which has held, holds still.

        Raises:
            NotAuthenticated: it was revoked or has ended meanwhile.
            Unavailable: what would tell does not answer.
        """
        if proof is not None:
            self._again(proof)

    def _again(self, proof: str) -> Caller:
        """Return whom a friend's *proof* speaks for, if it still holds."""
        try:
            return self._checks.caller(proof)
        except NotAuthenticated:
            self._friends.part(proof)
            raise


def _proof(headers: Headers) -> str | None:
    """Return what follows ``Bearer``, or None if there is no such header.

    Raises:
        NotAuthenticated: there is another scheme, or more than one header: a proxy may have
            looked at the other one.
    """
    sent = headers.getlist("authorization")
    if not sent:
        return None
    if len(sent) > 1:
        raise NotAuthenticated("Authorization may be sent once only")
    scheme, _, proof = sent[0].partition(" ")
    if scheme.lower() != "bearer" or not proof.strip():
        raise NotAuthenticated("Authorization needs the form: Bearer TOKEN")
    return proof.strip()


async def caller_of(request: Request) -> Caller:
    """Return who asks; nobody who is unknown gets this far."""
    caller: Caller = request.scope[CALLER]
    return caller


AskCaller = Annotated[Caller, Depends(caller_of)]


async def check_route(request: Request, caller: AskCaller) -> None:
    """Check that the caller may do what this route does; on every route, by the application.

    Raises:
        NotPermitted: they may not, or the route has no row in the matrix.
    """
    route = request.scope["route"]
    act = MATRIX.act_of(request.method, route.path)
    if act == PUBLIC or (act is None and caller is SOMEBODY_HERE):
        return
    if act is None:
        raise NotPermitted("this route has no row in the matrix, so nobody may use it")
    takes_two: bool = request.app.state.service.desk.settings.takes_two
    check_may(caller, act, asking=takes_two)
