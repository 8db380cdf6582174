"""Counts and rates over a period, and how each is computed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query

from api.asking import AskDesk, AskService
from api.catalog import catalog
from api.openapi import problems
from api.shapes import CatalogEntry
from governance.metrics import PeriodMetrics
from schemas.errors import BadRequest

router = APIRouter(prefix="/api/metrics", tags=["Metrics"])

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
YEARS: Final = range(1970, 2200)
"""What a moment may be: outside, a mistyped year is more likely than an answer."""

Edge = Annotated[
    datetime | None, Query(description="ISO 8601, like 2026-11-23T09:00:00Z; without zone: UTC.")
]


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
    until = _moment(end, "end") or desk.clock()
    since = _moment(start, "start") or until - DAY
    if since >= until:
        raise BadRequest("the period must end after it starts", field="start")
    return service.metrics_between(since, until)


@router.get("/catalog")
def show_catalog() -> list[CatalogEntry]:
    """List every metric that a rule's condition may name, and how it is computed."""
    return catalog()


def _moment(edge: datetime | None, name: str) -> datetime | None:
    """Return an edge with its zone.

    Raises:
        BadRequest: its year cannot be meant.
    """
    if edge is None:
        return None
    if edge.year not in YEARS:
        raise BadRequest(f"the year must be from {YEARS[0]} to {YEARS[-1]}", field=name)
    return edge.replace(tzinfo=UTC) if edge.tzinfo is None else edge
