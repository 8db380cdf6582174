"""Bodies: read whole before a route sees them, never beyond 64 KiB, and only as JSON.

The length is counted as it arrives, because a chunked body announces none. An empty body needs
no ``Content-Type``: the runbook's ``curl -X POST`` sends neither. A body whose client hung up
half-way never reaches a route, where half of it might look like an empty one.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import ProblemResponse, problem, problem_of
from schemas.errors import TooLarge

MAX_BODY: Final = 64 * 1024
"""Bytes: as much as a record on Kafka may have, and far more than any request needs."""


class Bodies:
    """Answers 413 to a body that is too large and 415 to one that is not declared as JSON."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then pass the request on with it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            body = await _read(Headers(scope=scope), receive)
        except TooLarge as error:
            await ProblemResponse(problem_of(error, instance=scope["path"]))(scope, receive, send)
        except ClientDisconnect:
            return
        else:
            await self._pass_on(body, scope, receive=receive, send=send)

    async def _pass_on(self, body: bytes, scope: Scope, *, receive: Receive, send: Send) -> None:
        """Pass the request on with its whole body, unless the body is not declared as JSON."""
        if body and not is_json(Headers(scope=scope).get("content-type", "")):
            await _undeclared(scope["path"])(scope, receive, send)
        else:
            await self.app(scope, _replay(body, receive), send)


async def _read(headers: Headers, receive: Receive) -> bytes:
    """Return the whole body.

    Raises:
        TooLarge: it announces or has more than `MAX_BODY` bytes; the rest is left unread.
        ClientDisconnect: the client went away before the end.
    """
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:18]) > MAX_BODY:
        raise TooLarge(MAX_BODY)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise TooLarge(MAX_BODY)
        if not message.get("more_body", False):
            return bytes(body)


def is_json(content_type: str) -> bool:
    """Return whether a ``Content-Type`` is JSON, of any flavour.

    >>> is_json("application/json; charset=utf-8"), is_json("application/problem+json")
    (True, True)
    """
    kind = content_type.split(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind[-5:] == "+json")


def _undeclared(path: str) -> ProblemResponse:
    """Return the answer to a body of another type than JSON."""
    detail = "the body is not declared as JSON; add -H 'Content-Type: application/json'"
    return ProblemResponse(problem("unsupported_media_type", detail, instance=path))


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a channel that gives *body* once and then whatever really comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
