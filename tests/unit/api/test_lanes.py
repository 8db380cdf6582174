"""Lanes: those who wait for the database hold some of the threads, and never all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.lanes import LOWERINGS, WAITING, WRITERS, Lane, Lanes

WRITE, LOWER, READ = (
    ("PATCH", "/api/circuit-breaker/rules/X"),
    ("POST", "/api/kill-switch"),
    ("GET", "/health"),
)


class Held:
    """An application whose routes all wait for a database."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.inside: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then answer."""
        self.inside.append(scope["path"])
        await self.free.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def ask(app: Any, method: str, path: str) -> int:
    """Return the status of the answer."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    await app({"type": "http", "method": method, "path": path}, receive, send)
    return int(said[0]["status"])


async def let_all_wait() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_sixty_writers_leave_threads_to_the_others() -> None:
    """Some wait inside; the kill switch and readers pass them all; in the end all are answered."""
    held = Held()
    app = Lanes(held)
    crowd = [asyncio.create_task(ask(app, *WRITE)) for _ in range(60)]
    await let_all_wait()
    assert len(held.inside) == WRITERS
    crowd += [asyncio.create_task(ask(app, *one)) for one in (LOWER, READ)]
    await let_all_wait()
    assert held.inside[WRITERS:] == [LOWER[1], READ[1]]
    held.free.set()
    assert await asyncio.gather(*crowd) == [200] * 62
    assert WRITERS + LOWERINGS < 40


async def test_a_crowd_that_waits_holds_only_so_many_connections() -> None:
    """Who would wait behind too many is told at once; whoever lowers has room of their own."""
    held = Held()
    app = Lanes(held)
    crowd = [asyncio.create_task(ask(app, *WRITE)) for _ in range(WRITERS + WAITING)]
    await let_all_wait()
    assert await ask(app, *WRITE) == 503
    crowd.append(asyncio.create_task(ask(app, *LOWER)))
    await let_all_wait()
    assert held.inside[-1] == LOWER[1]
    held.free.set()
    assert set(await asyncio.gather(*crowd)) == {200}
    assert await ask(app, *WRITE) == 200


async def test_who_finds_no_place_in_time_is_told_to_come_again() -> None:
    """A writer that waited in vain is answered 503, and never reached the route."""
    held = Held()
    app = Lanes(held)
    app._writers = Lane(1, patience=0)
    first = asyncio.create_task(ask(app, *WRITE))
    await let_all_wait()
    assert await ask(app, *WRITE) == 503
    held.free.set()
    assert await first == 200
    assert await ask(app, *WRITE) == 200
    assert len(held.inside) == 2


async def test_a_place_is_given_back_whatever_happens() -> None:
    """A route that fails takes no place with it."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    app = Lanes(broken)
    for _ in range(WRITERS + 1):
        with pytest.raises(ZeroDivisionError):
            await ask(app, *WRITE)
