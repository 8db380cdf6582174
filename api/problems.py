"""Problems: what a client reads when something is wrong (RFC 9457, ``application/problem+json``).

`KINDS` is the only table from an error's code to its HTTP status; the page that each problem's
``type`` points at is made from the same rows. A problem also carries ``statusCode``, ``error``
and ``message``, because clients of the earlier service read those.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from pydantic import Field
from starlette.responses import Response

from schemas.errors import (
    BadRequest,
    GovernanceError,
    NotFound,
    Refused,
    RuleError,
    StaleEpoch,
    Standby,
    Unavailable,
)
from schemas.wire import Wire

MEDIA_TYPE: Final = "application/problem+json"
PAGE: Final = "/docs/problems"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its status, its name for people, and what to do about it."""

    status: int
    title: str
    remedy: str


KINDS: Final[dict[str, Kind]] = {
    "bad_request": Kind(400, "The request cannot be read", "Mend what `detail` names."),
    "cross_site": Kind(
        403,
        "A page of another site may not act here",
        "Act with curl or a program of yours; no page of another site may do it for you.",
    ),
    "not_authenticated": Kind(
        401,
        "Nobody knows who asks",
        "Send `Authorization: Bearer TOKEN`; `governance token create` makes one, and your "
        "identity provider does where it is set.",
    ),
    "not_permitted": Kind(403, "You may not do this", "Ask somebody whose role allows it."),
    "role_not_held": Kind(
        403, "You do not hold that role", "Approve in a role of yours, or ask who holds this one."
    ),
    "service_may_not_approve": Kind(
        403, "Services may not raise autonomy", "A person approves, under a token of their own."
    ),
    "not_found": Kind(
        404, "No such thing", "Check the name or id; `near` lists what resembles it."
    ),
    "unknown_path": Kind(404, "No such address", "`/docs` lists every address."),
    "method_not_allowed": Kind(
        405, "This address does not take this method", "The `Allow` header lists those it takes."
    ),
    "refused": Kind(
        409, "Not in the present state", "`allowedWhen` says what would make it possible."
    ),
    "conflict": Kind(
        409, "Somebody else was first", "Read it again: it exists or has changed meanwhile."
    ),
    "stale_epoch": Kind(
        409,
        "Autonomy was lowered after you looked",
        "Read `/api/governance/state` again and decide on what it says now.",
    ),
    "idempotency_in_flight": Kind(
        409,
        "The first request is not answered yet",
        "Repeat the request with the same key in a moment.",
    ),
    "no_rise": Kind(409, "Autonomy may not rise now", "`allowedWhen` says what it lacks."),
    "not_ready": Kind(
        409, "Not ready for the next phase", "Address what `/api/readiness/current` names."
    ),
    "unresolved_events": Kind(
        409, "Breaker events are unresolved", "Resolve `/api/circuit-breaker/events/unresolved`."
    ),
    "risk_too_high": Kind(409, "The risk is too high", "Mitigate it and propose again."),
    "validation_too_short": Kind(
        409, "The validation period is too short", "Reject the proposal; the next one is longer."
    ),
    "validation_running": Kind(
        409, "The last rise is still being validated", "`/api/governance/validation` says how long."
    ),
    "cooldown_running": Kind(
        409, "Autonomy was lowered not long ago", "`/api/governance/cooldown` says until when."
    ),
    "phase_skipped": Kind(409, "Phases are not skipped", "Rise to the next phase first."),
    "proposal_closed": Kind(
        409,
        "The proposal is no longer pending",
        "`/api/governance/proposals` lists those that are.",
    ),
    "proposal_expired": Kind(
        409, "Nobody decided in time", "Run the governance cycle; it proposes again if it may."
    ),
    "stale_proposal": Kind(
        409, "The proposal changed after you looked", "Read it again and decide on what it says."
    ),
    "role_not_required": Kind(
        409, "The proposal asks for other roles", "`requiredApprovals` names them."
    ),
    "role_taken": Kind(
        409, "That role has approved", "`missingApprovals` names those that have not."
    ),
    "one_person_one_role": Kind(
        409, "One person approves in one role", "Another person approves in the other role."
    ),
    "own_proposal": Kind(409, "Nobody approves what they asked for", "Somebody else approves it."),
    "stream_blind": Kind(
        409,
        "Nobody sees what executors do",
        "`/ready` says why; autonomy may rise again once the stream is seen.",
    ),
    "own_act": Kind(
        409, "It takes somebody else", "Let another person countersign what you asked for."
    ),
    "act_closed": Kind(
        409, "It was decided on before", "`/api/governance/joint-acts` lists what still waits."
    ),
    "act_expired": Kind(409, "Nobody countersigned in time", "Ask for it again."),
    "too_many_acts": Kind(
        409,
        "You have asked for too much at once",
        "Withdraw some of `/api/governance/joint-acts`, or let others sign them.",
    ),
    "outdated": Kind(
        412,
        "It changed after you read it",
        "Read it again, decide on what it says now, and send its new `ETag` as `If-Match`.",
    ),
    "too_large": Kind(413, "The body is too large", "Send at most 64 KiB."),
    "unsupported_media_type": Kind(
        415, "The body is not declared as JSON", "Add `Content-Type: application/json`."
    ),
    "foreign_host": Kind(
        421,
        "Not a name of this machine",
        "Use `localhost` or `127.0.0.1`: without authentication no other name is answered, so "
        "that no web page can reach the service under a name of its own.",
    ),
    "invalid_request": Kind(
        422, "A field is wrong", "`errors` names each field and what it should be."
    ),
    "idempotency_key_reused": Kind(
        422, "The key belongs to another request", "Send a new `Idempotency-Key`."
    ),
    "bad_record": Kind(422, "A record cannot become an event", "Mend its producer."),
    "rule_error": Kind(
        422,
        "The rule cannot go live",
        "`caret` points at the fault and `suggestion` may say what was meant. The last good "
        "version of the rule is still in force.",
    ),
    "too_many_requests": Kind(
        429, "Too many requests", "Ask again after `Retry-After` seconds, and less often."
    ),
    "bad_setting": Kind(500, "A setting cannot be used", "Set the variable that `detail` names."),
    "internal_error": Kind(
        500,
        "The service made a mistake",
        "The log has the details under the `requestId`; the request may be repeated.",
    ),
    "error": Kind(500, "Something went wrong", "The log has the details."),
    "disk_full": Kind(
        503,
        "The database's disk is full",
        "Make room on it. Meanwhile only a rollback, the kill switch and automatic reverts are "
        "written; the page on operations says how.",
    ),
    "database_damaged": Kind(
        503,
        "The database is damaged",
        "Stop the service, keep the file and its `-wal`, and restore a backup with "
        "`governance db restore`; Kafka brings what came after it.",
    ),
    "database_replaced": Kind(
        503,
        "The database is not the one that the service opened",
        "Nothing that is written now is kept. Put the file back that `detail` names, or restore a "
        "backup with the service stopped, and start the service again. A lowering of autonomy is "
        "told to Kafka where that is still possible, and holds after the next start; ask for it "
        "again then.",
    ),
    "standby": Kind(
        503,
        "This service is a standby",
        "Ask the one that `active` names, or repeat the request after `Retry-After` seconds: a "
        "standby takes over within ten. It reads, and it lowers autonomy, at any time.",
    ),
    "unavailable": Kind(
        503, "A part does not answer", "Repeat the request after `Retry-After` seconds."
    ),
}
"""Every code that an answer can carry; a test keeps it equal to the tree in `schemas.errors`."""


class FieldProblem(Wire):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Problem(Wire):
    """The body of every answer with a status of 400 or more."""

    type: str = Field(description="A page about this kind of problem.")
    title: str
    status: int
    detail: str
    instance: str
    code: str = Field(description="Stable; what a program should look at.")
    retryable: bool = Field(description="Whether the same request may succeed later.")
    status_code: int
    error: str
    message: str
    field: str | None = None
    errors: list[FieldProblem] | None = None
    near: list[str] | None = None
    source: str | None = None
    position: int | None = None
    caret: str | None = None
    suggestion: str | None = None
    allowed_when: str | None = None
    seen_epoch: int | None = None
    autonomy_epoch: int | None = None
    part: str | None = None
    active: str | None = None
    request_id: str | None = None


def problem(code: str, detail: str, *, instance: str, **more: Any) -> Problem:
    """Return the problem of *code*; *more* are the fields that only some kinds have."""
    kind = KINDS[code]
    return Problem(
        type=f"{PAGE}#{code}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=quote(instance),
        code=code,
        retryable=more.pop("retryable", False),
        status_code=kind.status,
        error=HTTPStatus(kind.status).phrase,
        message=detail,
        **more,
    )


def problem_of(error: GovernanceError, *, instance: str) -> Problem:
    """Return the problem that tells a client of *error*."""
    return problem(
        error.code,
        str(error),
        instance=instance,
        retryable=error.retryable,
        **_values_of(error),
    )


def _values_of(error: GovernanceError) -> dict[str, Any]:
    """Return what *error* carries beside its sentence."""
    match error:
        case RuleError():
            return {
                "field": error.field,
                "source": error.source or None,
                "position": error.position,
                "caret": error.caret,
                "suggestion": error.suggestion,
            }
        case BadRequest():
            return {"field": error.field}
        case StaleEpoch():
            return {
                "seen_epoch": error.seen,
                "autonomy_epoch": error.current,
                "allowed_when": error.allowed_when,
            }
        case Refused():
            return {"allowed_when": error.allowed_when}
        case NotFound():
            return {"near": error.near}
        case Standby():
            return {"part": error.part, "active": error.active}
        case Unavailable():
            return {"part": error.part}
    return {}


class ProblemResponse(Response):
    """A problem as an answer; fields that do not apply are left out."""

    media_type = MEDIA_TYPE

    def __init__(self, content: Problem, headers: dict[str, str] | None = None) -> None:
        body = content.model_dump_json(by_alias=True, exclude_none=True)
        super().__init__(body, status_code=content.status, headers=headers)
