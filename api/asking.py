"""Asking: what a route is handed beside the request, and who asks."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Request

from api.live import Live
from governance.desk import Desk
from governance.service import StateService

OPEN_MODE_ACTOR: Final = "operator (self_asserted)"
"""Who acts while no authentication is configured: somebody on this machine, on their own word.

The audit log shows it as it stands, so that nobody takes the name for a proof.
"""


def _service(request: Request) -> StateService:
    service: StateService = request.app.state.service
    return service


def _live(request: Request) -> Live:
    live: Live = request.app.state.live
    return live


async def service_of(request: Request) -> StateService:
    """Return the state service."""
    return _service(request)


async def desk_of(request: Request) -> Desk:
    """Return what the handlers work with."""
    return _service(request).desk


async def live_of(request: Request) -> Live:
    """Return the live feed."""
    return _live(request)


async def actor_of(request: Request) -> str:
    """Return who acts, as the audit log will name them."""
    del request
    return OPEN_MODE_ACTOR


AskService = Annotated[StateService, Depends(service_of)]
AskDesk = Annotated[Desk, Depends(desk_of)]
AskLive = Annotated[Live, Depends(live_of)]
AskActor = Annotated[str, Depends(actor_of)]
