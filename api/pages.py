"""Pages: a long list in pieces that fit together, whatever is added meanwhile.

A cursor is how many older events are still to come. New events are added at the other end, so
it stays true; counting pages from the newest event would show some twice.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query, Response

from governance import handlers
from governance.desk import Desk
from governance.events import BreakerEvent

MOST: Final = 500
"""Events in one answer at most."""

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many events at most.")]
Cursor = Annotated[
    int | None, Query(ge=0, lt=2**31, description="From the `Link` header of the page before.")
]


def page_of_events(
    desk: Desk, answer: Response, *, limit: int, cursor: int | None
) -> list[BreakerEvent]:
    """Return a page, newest first, and link *answer* to the next one if there is one."""
    offset = 0 if cursor is None else max(0, _total(desk) - cursor)
    events = handlers.list_events(desk, limit=limit, offset=offset)
    if len(events) == limit:
        # Counted after the page was read: an event that came between is shown twice, not never.
        _link(answer, limit=limit, cursor=_total(desk) - offset - limit)
    return events


def _link(answer: Response, *, limit: int, cursor: int) -> None:
    """Say where the next page is, if any events are left for it."""
    if cursor > 0:
        here = f"/api/circuit-breaker/events?limit={limit}&cursor={cursor}"
        answer.headers["Link"] = f'<{here}>; rel="next"'


def _total(desk: Desk) -> int:
    """Return how many events there are."""
    return handlers.count_all_events(desk)
