"""The kill switch."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body

from api.asking import AskActor, AskDesk
from api.ladder_shapes import KillRequest
from api.openapi import problems
from governance import handlers
from governance.handlers import Killed

router = APIRouter(tags=["State"])


@router.post("/api/kill-switch", responses=problems("unavailable"))
def pull_kill_switch(
    desk: AskDesk, actor: AskActor, wanted: Annotated[KillRequest | None, Body()] = None
) -> Killed:
    """Take all autonomy away at once: L3, nothing allowed, every command type paused.

    `allPaused` holds for types that nobody has seen yet, too. Pending proposals are voided and a
    new epoch opens. It works while Kafka is down, waits for a locked database, survives a restart,
    and changes nothing when it was pulled before.
    """
    return handlers.pull_kill_switch(desk, reason=(wanted or KillRequest()).reason, by=actor)
