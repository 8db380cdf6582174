"""Moments in addresses: with or without a zone, and refused where they cannot be meant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Query
from pydantic import BeforeValidator

from schemas.errors import BadRequest

YEARS: Final = range(1970, 2200)
"""What a moment may be: outside, a mistyped year is more likely than an answer."""

SAYS: Final = "ISO 8601, like 2026-11-23T09:00:00Z; without zone: UTC."


def _written(edge: object) -> object:
    """Refuse a bare number, which would be read as seconds since 1970: ``2026`` is no moment."""
    try:
        float(str(edge))
    except ValueError:
        return edge
    raise ValueError(f"write a moment as {SAYS.split(';')[0]}")


Written = Annotated[datetime, BeforeValidator(_written)]
"""A moment as people write it."""

Edge = Annotated[Written | None, Query(description=SAYS)]


def moment_of(edge: datetime | None, name: str) -> datetime | None:
    """Return an edge with its zone.

    Raises:
        BadRequest: its year cannot be meant.
    """
    if edge is None:
        return None
    if edge.year not in YEARS:
        raise BadRequest(f"the year must be from {YEARS[0]} to {YEARS[-1]}", field=name)
    return edge.replace(tzinfo=UTC) if edge.tzinfo is None else edge


def period_of(
    start: datetime | None,
    end: datetime | None,
    *,
    otherwise: tuple[datetime, datetime],
    names: tuple[str, str] = ("start", "end"),
) -> tuple[datetime, datetime]:
    """Return the period that is asked for; an edge left out is *otherwise*'s.

    A period whose start alone is left out is as long as *otherwise*. The edges' *names* are those
    that the caller knows.

    Raises:
        BadRequest: it does not end after it starts.
    """
    until = end or otherwise[1]
    since = start or until - (otherwise[1] - otherwise[0])
    if since >= until:
        first, last = names
        problem = f"the period must end after it starts; write an earlier {first} or a later {last}"
        raise BadRequest(problem, field=first)
    return since, until
