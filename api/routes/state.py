"""The state of autonomy: read, lowered by people, and command types resumed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from api.asking import AskActor, AskDesk
from api.ladder_shapes import Lowered, LowerRequest
from api.openapi import Responses, problems
from api.shapes import ResumeManyRequest, ResumeRequest, StateChanged
from api.signing import MAY_WAIT, AskSigning, waiting
from api.tags import AskTag
from governance import handlers
from governance.handlers.preconditions import Check, check_state, state_tag
from governance.handlers.wishes import ResumeType, ResumeTypes
from governance.joint_acts import JointAct
from schemas.governance import GovernanceState

router = APIRouter(tags=["State"])

CommandType = Annotated[str, Path(description="The paused command type.", max_length=256)]


@router.get("/api/governance/state", responses=problems("unavailable"))
def show_state(desk: AskDesk, answer: Response) -> GovernanceState:
    """Show the phase, the whitelist, the paused command types and the autonomy epoch.

    Its `ETag` as `If-Match` makes sure that you change what you saw.
    """
    state = handlers.show_state(desk)
    answer.headers["ETag"] = state_tag(state)
    return state


async def _as_seen(seen: AskTag) -> Check[GovernanceState]:
    """Return what checks that the state is the one that the caller saw, if they say which."""
    return check_state(seen)


AskSeen = Annotated[Check[GovernanceState], Depends(_as_seen)]


@router.post(
    "/api/governance/rollback",
    responses=problems("refused", "outdated", "unavailable"),
)
def roll_back(desk: AskDesk, actor: AskActor, wanted: LowerRequest, as_seen: AskSeen) -> Lowered:
    """Lower the phase to the present one or one below, with the whitelist last held there.

    L3 holds none. It works while Kafka is down: workers and subscribers are told as soon as
    they can be. Every rollback opens a new epoch, so that older decisions are stale. `dryRun`
    shows what would change, and changes nothing; an `incidentId` makes the cooldown the long one.
    """
    target, incident = wanted.target_phase, wanted.incident_id
    if wanted.dry_run:
        as_seen(handlers.show_state(desk))
        preview = handlers.preview_rollback(desk, target, incident_id=incident)
        return Lowered(state=preview.state, dry_run=True, preview=preview)
    state = handlers.roll_back(
        desk, target, reason=wanted.reason, by=actor, incident_id=incident, check=as_seen
    )
    return Lowered(state=state)


RESUMED: Responses = {
    **problems(
        "not_found",
        "refused",
        "stale_epoch",
        "stream_blind",
        "too_many_acts",
        "outdated",
        "unavailable",
    ),
    **MAY_WAIT,
}
"""What may come of a wish to let command types run again."""


@router.post(
    "/api/circuit-breaker/command-types/resume", response_model=StateChanged, responses=RESUMED
)
def resume_command_types(signing: AskSigning, wanted: ResumeManyRequest, seen: AskTag) -> Any:
    """Let several paused command types run again, all of them or none.

    It is one act, so where people are known two signatures suffice for all of them. What holds one
    of them holds all, and the answer names each that is held. `"allPaused": false` also ends the
    pause of everything, which the kill switch begins; without it a type becomes an exception.
    """
    names, epoch = wanted.command_types, wanted.autonomy_epoch
    wish = ResumeTypes(command_types=names, all_paused=wanted.all_paused, epoch=epoch, seen=seen)
    done = signing.do(wish)
    return waiting(done) if isinstance(done, JointAct) else StateChanged(state=done)


@router.post(
    "/api/circuit-breaker/command-types/{command_type:name}/resume",
    response_model=StateChanged,
    responses=RESUMED,
)
def resume_command_type(
    signing: AskSigning, command_type: CommandType, wanted: ResumeRequest, seen: AskTag
) -> Any:
    """Let a paused command type run again.

    `autonomyEpoch` is the one that you decided on; if autonomy was lowered since, the answer is
    409. So it is while an unresolved event holds the type: resolve that first; and while nobody
    sees the stream. Where people are known it takes two: 202 until a second person signs.
    """
    epoch = wanted.autonomy_epoch
    done = signing.do(ResumeType(command_type=command_type, epoch=epoch, seen=seen))
    return waiting(done) if isinstance(done, JointAct) else StateChanged(state=done)
