"""What producers send to ``command-events``: one fact about one command, incident or signal.

The models are strict about what would poison a window or a database (a bool written as a
string, an endless number, NUL, a name of a megabyte) and tolerant of fields they do not know.
``docs/events.md`` shows the same for producers; the JSON Schemas are generated from here.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from schemas.json_text import readable
from schemas.wire import MAX_TEXT, OVERFLOW, Moment, Wire, without_nul, without_overflow

MAX_RECORD: Final = 64 * 1024
"""Bytes in a record's value; a longer one is dead-lettered as ``too_large``."""

MAX_LABELS: Final = 32

Text = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=MAX_TEXT),
    AfterValidator(without_nul),
]
OptionalText = Annotated[
    str, StringConstraints(strict=True, max_length=MAX_TEXT), AfterValidator(without_nul)
]

CommandType = Annotated[
    Text,
    AfterValidator(without_overflow),
    Field(json_schema_extra={"not": {"const": OVERFLOW}}),
]
LabelValue = Annotated[
    OptionalText,
    AfterValidator(without_overflow),
    Field(json_schema_extra={"not": {"const": OVERFLOW}}),
]


class Status(StrEnum):
    """What became of a command."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    ROLLED_BACK = "rolled_back"
    OVERRIDDEN = "overridden"


class Severity(StrEnum):
    """How bad; people answer critical in 5 min, high 15 min, medium 1 h, low next business day."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Signal(StrEnum):
    """What a safety system reported."""

    CONSTRAINT_VIOLATION = "constraint_violation"
    EMERGENCY_ABORT = "emergency_abort"
    SAFETY_GATE_TRIGGER = "safety_gate_trigger"


class Reason(StrEnum):
    """Why a record went to the dead letters (contract §5)."""

    NOT_JSON = "not_json"
    INVALID = "invalid"
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_STATUS = "unknown_status"
    TOO_LARGE = "too_large"
    LATE = "late"


_DATE_AND_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]", re.ASCII)


def _written_moment(moment: object) -> object:
    """Refuse a number, in quotes or not: nobody can tell which unit it is in."""
    if not isinstance(moment, datetime) and not (
        isinstance(moment, str) and _DATE_AND_TIME.match(moment)
    ):
        raise ValueError("write ISO 8601 with a time zone, such as 2026-11-23T09:14:05.120Z")
    return moment


class _Event(Wire):
    """What the three kinds share."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=False,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
    )

    id: Text = Field(description="Identifies the event; the same id counts once in 15 minutes.")
    occurred_at: Annotated[Moment, BeforeValidator(_written_moment)] = Field(
        description="When it happened, ISO 8601 with a time zone."
    )
    autonomous: Annotated[bool, Field(strict=True)] = False
    actor: OptionalText | None = None
    epoch: Annotated[int, Field(strict=True, ge=0, lt=2**63)] | None = None
    labels: Annotated[dict[OptionalText, LabelValue], Field(max_length=MAX_LABELS)] | None = None


class CommandEvent(_Event):
    """The outcome of a command, or a step on the way to it."""

    kind: Literal["command"]
    command_id: Text
    command_type: CommandType
    status: Status
    duration_ms: Annotated[float, Field(strict=True, ge=0, le=1e15)] | None = None
    error_class: OptionalText | None = None


class IncidentEvent(_Event):
    """Something went wrong in the world; may name the command that caused it."""

    kind: Literal["incident"]
    incident_id: Text
    severity: Severity
    command_id: OptionalText | None = None
    command_type: CommandType | None = None
    summary: OptionalText | None = None


class SafetyEvent(_Event):
    """A safety system stepped in."""

    kind: Literal["safety"]
    signal: Signal
    command_id: OptionalText | None = None
    command_type: CommandType | None = None


Event = Annotated[CommandEvent | IncidentEvent | SafetyEvent, Field(discriminator="kind")]

EVENT: Final[TypeAdapter[CommandEvent | IncidentEvent | SafetyEvent]] = TypeAdapter(Event)
"""Validates one event; `read_event` is for bytes as they come."""


def read_event(value: bytes) -> CommandEvent | IncidentEvent | SafetyEvent:
    """Return the event in *value*; the stream asks only about what its fast decoder refused.

    Raises:
        ValidationError: there is none.
    """
    try:
        return EVENT.validate_json(value)
    except ValidationError:
        plain = readable(value)
        if plain == value:
            raise
    return EVENT.validate_json(plain)
