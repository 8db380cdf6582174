"""Counts and rates over a period, and how each is computed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query

from api.asking import AskDesk, AskService
from api.catalog import catalog
from api.moments import SAYS, Edge, Written, moment_of, period_of
from api.openapi import problems
from api.shapes import CatalogEntry
from governance import handlers
from governance.metrics import PeriodMetrics
from governance.metrics_history import Comparison
from governance.rollups import Step
from schemas.tallies import OVERALL

router = APIRouter(prefix="/api/metrics", tags=["Metrics"])

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
MONTH: Final = timedelta(days=30)

From = Annotated[Written | None, Query(alias="from", description=SAYS)]
To = Annotated[Written | None, Query(alias="to", description=SAYS)]
Scope = Annotated[
    str, Query(description="`*` for all, or `commandType=NAME`.", min_length=1, max_length=300)
]
Points = Annotated[
    Literal["minute", "hour", "day", "auto"],
    Query(description="How long a point is; `auto` makes 200 points at most."),
]
Days = Annotated[int, Query(ge=1, le=366, description="How long each period is.")]


@router.get("/latest", responses=problems("unavailable"))
def show_latest_metrics(desk: AskDesk, service: AskService) -> PeriodMetrics:
    """Show the last 24 hours: the overnight metrics of the morning checks."""
    now = desk.clock()
    return service.metrics_between(now - DAY, now)


@router.get("/weekly", responses=problems("unavailable"))
def show_weekly_metrics(desk: AskDesk, service: AskService) -> PeriodMetrics:
    """Show the last seven days."""
    now = desk.clock()
    return service.metrics_between(now - WEEK, now)


@router.get("/current", responses=problems("bad_request", "invalid_request", "unavailable"))
def show_metrics(
    desk: AskDesk, service: AskService, start: Edge = None, end: Edge = None
) -> PeriodMetrics:
    """Show any period, by whole minutes of event time; the last 24 hours unless said otherwise."""
    now, edges = desk.clock(), (moment_of(start, "start"), moment_of(end, "end"))
    since, until = period_of(*edges, otherwise=(now - DAY, now))
    return service.metrics_between(since, until)


@router.get("/history", responses=problems("bad_request", "invalid_request", "unavailable"))
def show_metrics_history(
    desk: AskDesk,
    start: From = None,
    end: To = None,
    step: Points = "auto",
    scope: Scope = OVERALL,
) -> list[PeriodMetrics]:
    """Show a point for each minute, hour or day (of UTC), oldest first, 2,000 at most.

    The last 30 days unless said otherwise. Minutes are kept for 90 days, hours and days for good.
    """
    now, edges = desk.clock(), (moment_of(start, "from"), moment_of(end, "to"))
    since, until = period_of(*edges, otherwise=(now - MONTH, now), names=("from", "to"))
    wanted = None if step == "auto" else Step(step)
    return handlers.show_metrics_history(desk, since, until, step=wanted, scope=scope)


@router.get("/compare", responses=problems("bad_request", "invalid_request", "unavailable"))
def compare_metrics(desk: AskDesk, end: Edge = None, days: Days = 30) -> Comparison:
    """Show a period beside the one before it, and what changed: month over month by default."""
    until = moment_of(end, "end") or desk.clock()
    return handlers.compare_metrics(desk, until, timedelta(days=days))


@router.get("/catalog")
def show_catalog() -> list[CatalogEntry]:
    """List every metric that a rule's condition may name, and how it is computed."""
    return catalog()
