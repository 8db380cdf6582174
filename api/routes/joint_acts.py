"""Joint acts: what one person asked for and another must sign before it is done."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query

from api.asking import AskDesk
from api.auth.gate import AskCaller
from api.ladder_shapes import InRole, RejectRequest
from api.openapi import problems
from api.signing import PATH, AskSigning, Countersigned
from governance import handlers
from governance.callers import APPROVERS
from governance.joint_acts import JointAct
from schemas.errors import NotPermitted

router = APIRouter(prefix=PATH, tags=["Joint acts"])

ActId = Annotated[str, Path(description="The act's id.", max_length=256)]
Most = Annotated[int, Query(ge=1, le=500, description="How many acts at most.")]


@router.get("", responses=problems("unavailable"))
def list_joint_acts(desk: AskDesk) -> list[JointAct]:
    """List every act that waits for other people, newest first; the list is never cut."""
    return handlers.list_joint_acts(desk)


@router.get("/history", responses=problems("invalid_request", "unavailable"))
def list_past_joint_acts(desk: AskDesk, limit: Most = 20) -> list[JointAct]:
    """List the newest acts, whatever became of them, newest first."""
    return handlers.list_past_joint_acts(desk, limit=limit)


@router.get("/{act_id}", responses=problems("not_found", "unavailable"))
def show_joint_act(desk: AskDesk, act_id: ActId) -> JointAct:
    """Show one act: what will be done to the letter, why it takes more people, and who signed."""
    return handlers.show_joint_act(desk, act_id)


@router.post(
    "/{act_id}/countersign",
    responses=problems(
        "bad_request", "not_permitted", "not_found", "own_act", "act_closed", "act_expired",
        "refused", "conflict", "stale_epoch", "stream_blind", "role_taken", "one_person_one_role",
        "outdated", "rule_error", "unavailable",
    ),
)  # fmt: skip
def countersign(
    signing: AskSigning, act_id: ActId, wanted: Annotated[InRole | None, Body()] = None
) -> Countersigned:
    """Sign what somebody else asked for; with the last signature it is done.

    It takes somebody who could do it alone if one person sufficed, and never who asked for it.
    Asking for the very same does the same. `approvedBy` is only needed where the act takes one
    person for each role.
    """
    return signing.countersign(act_id, wanted or InRole())


@router.post(
    "/{act_id}/withdraw",
    responses=problems("not_permitted", "not_found", "act_closed", "act_expired", "unavailable"),
)
def withdraw_joint_act(
    desk: AskDesk,
    caller: AskCaller,
    act_id: ActId,
    wanted: Annotated[RejectRequest | None, Body()] = None,
) -> JointAct:
    """Take an act back before it is done: who asked for it, or anybody who approves rises."""
    asked_by = handlers.show_joint_act(desk, act_id).asked_by
    if caller.actor != asked_by and not caller.roles & APPROVERS:
        raise NotPermitted(f"{caller.principal} did not ask for {act_id}")
    said = wanted.reason if wanted else None
    return handlers.withdraw_joint_act(desk, act_id, by=caller.actor, reason=said)
