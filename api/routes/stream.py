"""What happens, as it happens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.asking import AskLive
from api.auth.gate import AGAIN
from api.headers import HEAD_FLAG
from api.openapi import problems

router = APIRouter(tags=["State"])

LastEventId = Annotated[
    str | None, Header(max_length=32, description="The number of the last event seen.")
]


async def _seated(live: AskLive) -> AsyncIterator[None]:
    """Hold a place while the stream lasts."""
    with live.seat():
        yield


@router.get(
    "/api/stream",
    response_class=EventSourceResponse,
    dependencies=[Depends(_seated)],
    responses=problems("unavailable"),
)
async def stream(
    request: Request, live: AskLive, last_event_id: LastEventId = None
) -> AsyncIterator[ServerSentEvent]:
    """Follow trips, resolutions, pauses and changes of phase, live.

    Server-sent events. The first is `governance.state`, the state as it is; each alert follows
    under its own type. A client that comes back with `Last-Event-ID` misses nothing of the last
    day. A comment every 15 s keeps the connection open. It ends with the token that opened it.
    """
    seen = int(last_event_id) if last_event_id and last_event_id.isdecimal() else None
    if HEAD_FLAG not in request.scope:
        async for event in live.follow(seen, request.scope[AGAIN]):
            yield event
