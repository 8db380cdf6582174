"""Failures: every exception that leaves a route becomes a problem, and nothing else leaves.

Errors of ours say what they are; a fault in a request is named by its field; anything that we
did not foresee is logged in full and answered without a word of its insides.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import FieldProblem, ProblemResponse, problem, problem_of
from schemas.errors import GovernanceError, NotAuthenticated, TooManyRequests, Unavailable
from schemas.faults import fault_of

log = structlog.get_logger(__name__)

CODES = {404: "unknown_path", 405: "method_not_allowed", 413: "too_large"}
"""What the framework raises by itself; every other status of its own means a bad request."""


def add_failures(app: FastAPI) -> None:
    """Make *app* answer every foreseen exception with a problem."""
    app.add_exception_handler(GovernanceError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _frameworks)


async def _ours(request: Request, error: Exception) -> ProblemResponse:
    """Answer an error of our own tree."""
    assert isinstance(error, GovernanceError)  # noqa: S101 - registered for nothing else
    return answer_to(error, path=request.url.path)


def answer_to(error: GovernanceError, *, path: str) -> ProblemResponse:
    """Return the answer that tells of *error*, for the routes and the layers around them."""
    headers = {}
    if isinstance(error, Unavailable | TooManyRequests):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return ProblemResponse(problem_of(error, instance=path), headers)


async def _invalid(request: Request, error: Exception) -> ProblemResponse:
    """Answer a request that its model refused: each field by name; what is no JSON is none."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    faults = [_field_problem(fault) for fault in error.errors()]
    detail = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
    is_json = all(fault["type"] != "json_invalid" for fault in error.errors())
    return ProblemResponse(
        problem(
            "invalid_request" if is_json else "bad_request",
            detail,
            instance=request.url.path,
            field=faults[0].field,
            errors=faults,
        )
    )


async def _frameworks(request: Request, error: Exception) -> ProblemResponse:
    """Answer what the framework refused before a route was reached."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    code = CODES.get(error.status_code, "bad_request")
    detail = {
        "unknown_path": f"nothing is at {request.url.path}",
        "method_not_allowed": f"{request.url.path} does not take {request.method}",
    }.get(code, error.detail)
    return ProblemResponse(
        problem(code, detail, instance=request.url.path), dict(error.headers or {})
    )


def _field_problem(fault: Any) -> FieldProblem:
    """Return one fault as the client knows it: ``body.window`` is ``window``."""
    message = fault_of(fault)
    if fault["type"] == "json_invalid":
        return FieldProblem(field="body", message=f"not JSON: {fault['ctx']['error']}")
    if fault["type"] == "extra_forbidden":
        message = "no such field"
    if fault["type"] in ("enum", "literal_error"):
        message = f"{str(fault['input'])[:80]!r} is not one of {fault['ctx']['expected']}"
    return FieldProblem(field=_name_of(fault["loc"]), message=message)


def _name_of(location: Sequence[int | str]) -> str:
    """Return where a fault is, without the part of the request when a name follows it."""
    names = [str(part) for part in location]
    return ".".join(names[1:] or names) or "request"


class Failures:
    """The innermost layer: an exception that nobody foresaw becomes a 500 without its insides.

    It stands inside the layers that set headers and count requests, so that they see the
    answer. An exception after the answer has begun can only end the connection: it goes on.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer for what goes wrong."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            answer = await run_in_threadpool(_unforeseen, scope["path"], error)
            await answer(scope, receive, send)


def _unforeseen(path: str, error: Exception) -> ProblemResponse:
    """Log *error* under a new request id and return the answer that names the id."""
    request_id = secrets.token_hex(8)
    log.error("request failed", path=path, request_id=request_id, exc_info=error)
    detail = f"an unforeseen error; the log has it as request {request_id}"
    return ProblemResponse(
        problem("internal_error", detail, instance=path, retryable=True, request_id=request_id)
    )
