"""Lanes: however many requests wait for the database, one that lowers autonomy gets a thread.

    forty threads   ├── 16 for requests that write ──┤── 8 for lowerings ──┤── the rest read ──┤

A request that writes may wait for seconds, a lowering for a minute while another process holds
the database. Without lanes sixty edits of a rule would hold every thread, and the kill switch
and ``/health`` would wait behind them. What finds no place waits here, where it costs no thread.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth.matrix import MATRIX
from api.failures import answer_to
from api.guard import SAFE_METHODS
from governance.handlers.insistence import PATIENCE
from governance.store.engine import BUSY
from schemas.errors import Unavailable

WRITERS: Final = 16
LOWERINGS: Final = 8
"""Requests of each kind that may hold a thread."""

WAITING: Final = 128
"""Requests of each kind that wait for a thread: each holds a connection, of which one address has
500, or 256 where descriptors are few, and a hundred may follow the stream."""

CROWDED: Final = "too many requests wait to write"


class Lane:
    """Places for one kind of request, and room for some that wait for one."""

    def __init__(self, places: int, *, patience: float, room: int = WAITING) -> None:
        self._free = asyncio.Semaphore(places)
        self._patience = patience
        self._room = room

    async def enter(self) -> None:
        """Take a place.

        Raises:
            Unavailable: none was free for too long, or too many wait already.
        """
        if not self._room:
            raise Unavailable("database", CROWDED)
        self._room -= 1
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise Unavailable("database", CROWDED) from None
        finally:
            self._room += 1

    def leave(self) -> None:
        """Give the place back."""
        self._free.release()


class Lanes:
    """Lets a request that is not safe pass when its lane has a place."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._writers = Lane(WRITERS, patience=BUSY.total_seconds())
        self._lowerings = Lane(LOWERINGS, patience=PATIENCE.total_seconds())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on in its lane, or answer 503."""
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self.app(scope, receive, send)
            return
        lowers = MATRIX.lowers(scope["method"], scope["path"])
        lane = self._lowerings if lowers else self._writers
        try:
            await lane.enter()
        except Unavailable as error:
            await answer_to(error, path=scope["path"])(scope, receive, send)
            return
        await self._drive(lane, scope, receive=receive, send=send)

    async def _drive(self, lane: Lane, scope: Scope, *, receive: Receive, send: Send) -> None:
        """Let the route answer; as soon as it does, the place is free, however slow the client."""
        place = [lane]

        def leave() -> None:
            while place:
                place.pop().leave()

        async def leaving(message: Message) -> None:
            leave()
            await send(message)

        try:
            await self.app(scope, receive, leaving)
        finally:
            leave()
