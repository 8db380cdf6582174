"""Replays: an unsafe request that is sent twice with one ``Idempotency-Key`` happens once.

The second gets the bytes of the first with ``Idempotent-Replayed: true``. A key belongs to its
caller; another caller's key of the same name is another key.
"""

from __future__ import annotations

from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth.gate import CALLER, NOBODY
from api.auth.matrix import MATRIX
from api.failures import answer_to
from api.guard import SAFE_METHODS
from governance import handlers
from governance.desk import Desk
from governance.handlers.insistence import insist
from governance.replays import Answer, Asked, fingerprint
from schemas.errors import BadRequest, GovernanceError, Unavailable
from schemas.wire import MAX_TEXT

log = structlog.get_logger(__name__)

HEADER: Final = "Idempotency-Key"
REPEATED: Final = frozenset({"content-type", "etag", "location", "link"})
"""Headers that belong to the answer; the others are set anew."""


class Replays:
    """Keeps answers under their keys; stands inside the layer that read the whole body."""

    def __init__(self, app: ASGIApp, *, desk: Desk) -> None:
        self.app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or repeat its answer."""
        key = Headers(scope=scope).get(HEADER) if scope["type"] == "http" else None
        # Nobody's keys are not kept: who is unknown writes nothing into the database.
        if key is None or scope["method"] in SAFE_METHODS or scope[CALLER] is NOBODY:
            await self.app(scope, receive, send)
            return
        first = await receive()
        try:
            asked = _asked(scope, key, first.get("body", b""))
            lowers = MATRIX.lowers(scope["method"], scope["path"])
            kept = await run_in_threadpool(self._begin, asked, lowers=lowers)
        except GovernanceError as error:
            await answer_to(error, path=scope["path"])(scope, receive, send)
            return
        if kept is not None:
            await _send_again(kept, send)
        else:
            await self._work(asked, scope, _once(first, receive), send)

    def _begin(self, asked: Asked, *, lowers: bool) -> Answer | None:
        """Return the answer that was kept, if any; a lowering waits for it as for its own act."""
        if lowers:
            return insist(lambda: handlers.begin_request(self._desk, asked, lowers=True))
        return handlers.begin_request(self._desk, asked)

    def _finish(self, asked: Asked, answer: Answer, *, lowers: bool) -> None:
        """Keep an answer; that of a lowering on a standby too."""
        handlers.finish_request(self._desk, asked, answer, lowers=lowers)

    async def _work(self, asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route answer, keep the answer, then send it.

        What could not be kept is sent all the same: the act happened.
        """
        said: list[Message] = []

        async def keep(message: Message) -> None:
            said.append(message)

        answer = Answer(500, (), b"")
        try:
            await self.app(scope, receive, keep)
            answer = _answer(said)
        finally:
            try:
                lowers = MATRIX.lowers(scope["method"], scope["path"])
                await run_in_threadpool(self._finish, asked, answer, lowers=lowers)
            except Unavailable:
                log.warning("an answer could not be kept under its key", path=scope["path"])
        for message in said:
            await send(message)


def _asked(scope: Scope, key: str, body: bytes) -> Asked:
    """Return the request as it is told apart from others.

    Raises:
        BadRequest: the key is not one.
    """
    if not 0 < len(key) <= MAX_TEXT or not (key.isascii() and key.isprintable()):
        raise BadRequest(f"a key has 1 to {MAX_TEXT} printable ASCII characters", field=HEADER)
    caller = scope[CALLER]
    target = f"{scope['path']}?{scope['query_string'].decode('latin-1')}"
    request = fingerprint(scope["method"], target, body)
    return Asked(f"{caller.assurance}:{caller.principal}", key, request)


def _answer(said: list[Message]) -> Answer:
    """Return what the route sent, as it is kept."""
    start = said[0]
    headers = tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in start["headers"]
        if name.decode("latin-1").lower() in REPEATED
    )
    body = b"".join(message.get("body", b"") for message in said[1:])
    return Answer(start["status"], headers, body)


async def _send_again(answer: Answer, send: Send) -> None:
    """Send a kept answer, and say that it is one."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    headers.append((b"idempotent-replayed", b"true"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _once(first: Message, receive: Receive) -> Receive:
    """Return a channel that gives *first* once more and then whatever comes."""
    waiting = [first]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
