"""The ladder: the phases that were held, the one on trial, the cooldown, and what to decide."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.asking import AskActor, AskDesk
from api.auth.gate import AskCaller
from api.ladder_shapes import (
    Concluded,
    ConcludeRequest,
    CooldownAnswer,
    CooldownLifted,
    InNamedRole,
    PhaseEntry,
)
from api.moments import Edge, moment_of
from api.openapi import problems
from api.signing import in_role_of
from governance import handlers
from governance.decisions import DecisionAnswer
from governance.handlers.wishes import wish_to_lift
from governance.joint_acts import JointStatus
from governance.rule_quality import RuleQuality
from governance.validation import Validation

router = APIRouter(tags=["Ladder"])

Requested = Annotated[bool, Query(description="Whether stakeholders ask for a rollback.")]
RuleName = Annotated[str, Path(description="The rule's name, URL-encoded.", max_length=256)]
Most = Annotated[int, Query(ge=1, le=500, description="How many phases at most.")]


@router.get("/api/governance/phases/history", responses=problems("invalid_request", "unavailable"))
def list_phase_history(desk: AskDesk, limit: Most = 100) -> list[PhaseEntry]:
    """List the phases that were held, newest first: from when until when, why, and by whom."""
    return [
        PhaseEntry.model_validate(
            {**row, "command_whitelist": json.loads(row["command_whitelist"])}
        )
        for row in handlers.show_phase_history(desk, limit=limit)
    ]


@router.get("/api/governance/validation", responses=problems("not_found", "unavailable"))
def show_validation(desk: AskDesk) -> Validation:
    """Show the validation of the last rise: its criteria, how far it is, and how it stands."""
    return handlers.show_validation(desk)


@router.post(
    "/api/governance/validation/conclude",
    responses=problems("not_found", "refused", "unavailable"),
)
def conclude_validation(desk: AskDesk, actor: AskActor, wanted: ConcludeRequest) -> Concluded:
    """Decide on a validation whose numbers could not: keep the phase, or give it up.

    Keeping it is possible only when the validation is inconclusive at its end.
    """
    ended = handlers.conclude_validation(desk, keep=wanted.keep, reason=wanted.reason, by=actor)
    return Concluded(validation=ended)


@router.get("/api/governance/cooldown", responses=problems("unavailable"))
def show_cooldown(desk: AskDesk) -> CooldownAnswer:
    """Show whether a rise may not be proposed for now, until when, and why."""
    found = handlers.show_cooldown(desk)
    return CooldownAnswer(running=found is not None, cooldown=found)


@router.post(
    "/api/governance/cooldown/lift",
    responses=problems(
        "bad_request", "role_not_held", "service_may_not_approve", "refused", "stale_epoch",
        "role_not_required", "role_taken", "one_person_one_role", "stream_blind", "too_many_acts",
        "unavailable",
    ),
)  # fmt: skip
def lift_cooldown(desk: AskDesk, caller: AskCaller, wanted: InNamedRole) -> CooldownLifted:
    """Agree, in a role of yours, to end the cooldown early.

    It takes one person for each role that approves the next phase; the last one ends it.
    """
    act = handlers.sign_wish(desk, wish_to_lift(desk), in_role_of(caller, wanted)).act
    return CooldownLifted(
        lifted=act.status is JointStatus.CARRIED,
        missing_approvals=act.missing_roles,
        joint_act=act,
    )


@router.get(
    "/api/governance/decisions/rollback", responses=problems("invalid_request", "unavailable")
)
def decide_rollback(desk: AskDesk, requested: Requested = False) -> DecisionAnswer:
    """Answer the runbook's “Should I rollback the current phase?” on the last day."""
    return handlers.decide_rollback(desk, requested=requested)


@router.get(
    "/api/circuit-breaker/rules/{name:name}/decision",
    responses=problems("not_found", "unavailable"),
)
def decide_adjustment(desk: AskDesk, name: RuleName) -> DecisionAnswer:
    """Answer the runbook's “Should I adjust a circuit breaker rule?” on the last ninety days."""
    return handlers.decide_adjustment(desk, name)


@router.get(
    "/api/circuit-breaker/rules/{name:name}/stats",
    responses=problems("bad_request", "not_found", "invalid_request", "unavailable"),
)
def show_rule_stats(desk: AskDesk, name: RuleName, since: Edge = None) -> RuleQuality:
    """Show how good a rule was since a moment, 90 days ago if not said.

    How often it triggered, how often wrongly (with the 95 % interval), its precision, and how
    long people took to answer and to resolve. Drills and what was expected are left out.
    """
    return handlers.show_rule_quality(desk, name, since=moment_of(since, "since"))
