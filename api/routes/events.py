"""Breaker events: what tripped, why, and that people resolved it."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Response

from api.asking import AskActor, AskDesk, EventId
from api.openapi import problems
from api.pages import Cursor, Limit, page_of_events
from api.shapes import AcknowledgeRequest, ReopenRequest, ResolveRequest
from api.signing import MAY_WAIT, AskSigning, waiting
from governance import handlers
from governance.events import Answered, BreakerEvent, ExplainedEvent, Resolution
from governance.handlers.events import shown
from governance.handlers.wishes import ResolveEvent
from governance.joint_acts import JointAct
from schemas.events import Severity

router = APIRouter(prefix="/api/circuit-breaker/events", tags=["Breaker events"])

GRAVE: Final = frozenset({Severity.CRITICAL, Severity.HIGH})
"""Events that took autonomy away, or may: where people are known, resolving them takes two."""


@router.get("", responses=problems("invalid_request", "unavailable"))
def list_events(
    desk: AskDesk, answer: Response, limit: Limit = 20, cursor: Cursor = None
) -> list[BreakerEvent]:
    """List the newest breaker events, newest first.

    Where there are older ones, the `Link` header has the address of the next page (`rel="next"`).
    """
    return page_of_events(desk, answer, limit=limit, cursor=cursor)


@router.get("/unresolved", responses=problems("unavailable"))
def list_unresolved_events(desk: AskDesk) -> list[BreakerEvent]:
    """List every breaker event that people have still to resolve; an empty list is all clear."""
    return handlers.list_unresolved_events(desk)


@router.get("/{event_id}", responses=problems("not_found", "unavailable"))
def explain_event(desk: AskDesk, event_id: EventId) -> ExplainedEvent:
    """Show one breaker event with all it stands on.

    The rule's version, its condition with the values put in, the window, numerators and
    denominators, the newest failing commands, where they are in the log, and which escalation
    rules decided what follows.
    """
    return handlers.explain_event(desk, event_id)


@router.post(
    "/{event_id}/resolve",
    response_model=Resolution,
    responses={
        **problems("not_permitted", "not_found", "act_closed", "too_many_acts", "unavailable"),
        **MAY_WAIT,
    },
)
def resolve_event(
    desk: AskDesk,
    actor: AskActor,
    signing: AskSigning,
    event_id: EventId,
    found: Annotated[ResolveRequest | None, Body()] = None,
) -> Any:
    """Resolve a breaker event: its breaker closes and counts afresh.

    The body may be left out; `verdict`, `cause`, `incidentId` and `notes` keep what people
    found. Whoever comes second gets the first one's answer. Resolving raises no autonomy: a
    paused type is resumed, and a phase promoted, by acts of their own. Where people are known, a
    critical or high event takes two: the answer is then 202 until a second person signs.
    """
    said = found or ResolveRequest()
    handlers.settle_records(desk)  # its severity says how many people it takes
    event = handlers.explain_event(desk, event_id)
    wish = ResolveEvent(
        event_id=event_id,
        about=f"{event.rule.name} for {event.scope}",
        finding=said.verdict,
        notes=said.notes,
        cause=said.cause,
        incident_id=said.incident_id,
    )
    if event.severity not in GRAVE:
        return wish.carry(desk, by=actor)
    if event.resolved:  # and not carried out: it may be reopened meanwhile
        return Resolution(id=event_id, already=True, event=shown(event))
    done = signing.do(wish)
    return waiting(done) if isinstance(done, JointAct) else done


@router.post(
    "/{event_id}/acknowledge", responses=problems("not_found", "invalid_request", "unavailable")
)
def acknowledge_event(
    desk: AskDesk,
    actor: AskActor,
    event_id: EventId,
    nothing: Annotated[AcknowledgeRequest | None, Body()] = None,
) -> Answered:
    """Say that somebody looks after a breaker event; it is answered, and not yet resolved.

    The first to say so stands. An acknowledged event is not overdue. The body may be left out, and
    has no fields: notes are kept when the event is resolved.
    """
    del nothing  # a field in it was refused
    return handlers.acknowledge_event(desk, event_id, by=actor)


@router.post(
    "/{event_id}/reopen", responses=problems("not_found", "invalid_request", "unavailable")
)
def reopen_event(
    desk: AskDesk, actor: AskActor, event_id: EventId, wanted: ReopenRequest
) -> Answered:
    """Reopen a breaker event that was resolved too soon: it waits for people again, and blocks.

    What the event took away is not taken again, and its breaker, which counts afresh since it
    was resolved, goes on. What people found stays in the audit log.
    """
    return handlers.reopen_event(desk, event_id, by=actor, reason=wanted.reason)
