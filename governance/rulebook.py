"""Rules as the database holds them: what people wrote, the version in force, and what is wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field, ValidationError

from schemas.errors import RuleError
from schemas.faults import fault_of
from schemas.rules import Rule
from schemas.tallies import STEP
from schemas.wire import Moment, Wire, to_ms


class RuleEntry(Wire):
    """A rule as ``GET /api/circuit-breaker/rules`` shows it.

    The fields are as written, even where an operator's SQL wrote what cannot go live: then
    ``problem`` says what is wrong, and version ``version`` (0: none) stays in force.
    ``effective_from`` is ms of log time.
    """

    name: str
    enabled: bool
    condition: str
    window: str
    action: str
    alert_severity: str
    group_by: str | None = None
    for_: str = Field(default="0s", alias="for")
    keep_firing_for: str = "0s"
    recover_when: str | None = None
    min_samples: int = 1
    version: int = 0
    effective_from: int = 0
    updated_at: Moment | None = None
    updated_by: str | None = None
    problem: str | None = None


def read_rule(fields: dict[str, Any]) -> Rule:
    """Return the rule that *fields* (by Python name) describe.

    Raises:
        RuleError: a field cannot be used; names it.
    """
    try:
        return Rule.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = str(first["loc"][0]) if first["loc"] else None
        raise RuleError(fault_of(first), field=field) from None


def in_force_from(now: datetime, *, lead: int, after: int = 0) -> int:
    """Return from when (ms of log time) a change made *now* is in force on every worker.

    It is *lead* ms ahead, so that every judge knows it before it gets there; a multiple of
    100, since judges decide at those; and never before *after*, the version that it replaces.

    >>> from datetime import UTC
    >>> in_force_from(datetime(1970, 1, 1, 0, 0, 1, 234_000, tzinfo=UTC), lead=1_500)
    2800
    """
    ahead = to_ms(now) + lead
    return max(after, ahead + -ahead % STEP)
