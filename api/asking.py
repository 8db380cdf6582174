"""Asking: what a route is handed beside the request, and who asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from api.auth.gate import AskCaller
from api.live import Live
from governance.approvals import Approver, self_asserted
from governance.callers import Assurance, Caller
from governance.desk import Desk
from governance.ladder import ApproverRole
from governance.service import StateService

EventId = Annotated[str, Path(description="The event's id.", max_length=256)]


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


AskDesk = Annotated[Desk, Depends(desk_of)]


async def live_of(request: Request) -> Live:
    """Return the live feed."""
    return _live(request)


def approver_of(caller: Caller, role: ApproverRole) -> Approver:
    """Return *caller* as one who approves in *role*; without authentication, on their word."""
    if caller.assurance is Assurance.SELF_ASSERTED:
        return self_asserted(role)
    return Approver(caller.principal, role, caller.assurance, caller.roles)


async def actor_of(caller: AskCaller) -> str:
    """Return who acts, as the audit log will name them; never what a body says."""
    return caller.actor


AskService = Annotated[StateService, Depends(service_of)]
AskLive = Annotated[Live, Depends(live_of)]
AskActor = Annotated[str, Depends(actor_of)]
