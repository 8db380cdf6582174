"""Readiness for the next phase: assessed, explained, attested, and compared with before."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query

from api.asking import AskActor, AskDesk
from api.moments import Edge, moment_of, period_of
from api.openapi import problems
from api.shapes import ItemChanged, ReadinessScore
from api.signing import MAY_WAIT, AskSigning, waiting
from governance import handlers
from governance.checklist import ChecklistEntry, ItemPatch, NewAttestation
from governance.handlers.wishes import wish_to_change
from governance.joint_acts import JointAct
from governance.readiness import Assessment, ScoreMark
from governance.readiness_diff import ReadinessDiff

router = APIRouter(prefix="/api/readiness", tags=["Readiness"])

WEEK: Final = timedelta(days=7)
QUARTER: Final = timedelta(days=90)

ItemName = Annotated[str, Path(description="The item's name, URL-encoded.", max_length=256)]
Most = Annotated[int, Query(ge=1, le=2_000, description="How many scores at most, the newest.")]


@router.get("/current", response_model_exclude_none=True, responses=problems("unavailable"))
def assess_readiness(desk: AskDesk) -> Assessment:
    """Assess readiness now: the score, every item with its reason, what blocks, what to do.

    The assessment is kept; `/latest` and `/score` show it from now on.
    """
    return handlers.assess(desk)


@router.get("/latest", response_model_exclude_none=True, responses=problems("unavailable"))
def show_latest_readiness(desk: AskDesk) -> Assessment:
    """Show the last assessment that was kept; assess first if there is none."""
    return handlers.latest_assessment(desk)


@router.get("/score", responses=problems("unavailable"))
def show_readiness_score(desk: AskDesk) -> ReadinessScore:
    """Show the score of the last assessment, whether it is enough, and what blocks."""
    return ReadinessScore.of(handlers.latest_assessment(desk))


@router.get("/diff", responses=problems("bad_request", "invalid_request", "unavailable"))
def show_readiness_diff(desk: AskDesk, since: Edge = None) -> ReadinessDiff:
    """Show which item moved the score since a moment, when and why; since a week ago if not said.

    Readiness is assessed now and compared with the last assessment before that moment.
    """
    return handlers.show_readiness_diff(desk, moment_of(since, "since") or desk.clock() - WEEK)


@router.get("/history", responses=problems("bad_request", "invalid_request", "unavailable"))
def list_readiness_scores(
    desk: AskDesk, start: Edge = None, end: Edge = None, limit: Most = 500
) -> list[ScoreMark]:
    """List the scores that were kept, oldest first, of the last 90 days unless said otherwise.

    One is kept whenever an item moves, and every hour.
    """
    now = desk.clock() + timedelta(milliseconds=1)
    edges = moment_of(start, "start"), moment_of(end, "end")
    since, until = period_of(*edges, otherwise=(now - QUARTER, now))
    return handlers.list_scores(desk, since, until, limit=limit)


@router.get("/checklist", responses=problems("unavailable"))
def list_checklist(desk: AskDesk) -> list[ChecklistEntry]:
    """List the items with their weights, whether each is met now, and who attested it last."""
    return handlers.list_checklist(desk)


@router.patch(
    "/checklist/{name:name}",
    response_model=ItemChanged,
    responses={
        **problems(
            "bad_request",
            "not_found",
            "too_many_acts",
            "outdated",
            "invalid_request",
            "unavailable",
        ),
        **MAY_WAIT,
    },
)
def patch_checklist_item(
    desk: AskDesk, signing: AskSigning, name: ItemName, patch: ItemPatch
) -> Any:
    """Change an item's weight, whether it is required, or how long its attestations count.

    Where people are known it takes two: the answer is 202 until a second person signs.
    """
    done = signing.do(wish_to_change(desk, name, patch))
    return waiting(done) if isinstance(done, JointAct) else ItemChanged.of(done)


@router.post(
    "/checklist/{name:name}/attest",
    responses=problems("bad_request", "not_found", "refused", "invalid_request", "unavailable"),
)
def attest_checklist_item(
    desk: AskDesk, actor: AskActor, name: ItemName, said: NewAttestation
) -> ItemChanged:
    """Attest that an item is met, with where that can be seen, or that it is not (`met: false`).

    The newest word counts, until it expires. What the service measures takes nobody's word.
    """
    return ItemChanged.of(handlers.attest_item(desk, name, said, by=actor))
