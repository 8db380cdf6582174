"""Bytes to events: msgspec decodes at about a microsecond, pydantic explains what it refuses.

``schemas.events`` is the law. The structs here are its fast shadow: what they accept, the models
accept with the same fields; what they refuse, the models decide, and word the error. A property
test keeps the two in agreement.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Annotated, Final, Literal

import msgspec
from pydantic import ValidationError

from schemas.errors import BadRecord
from schemas.events import (
    MAX_LABELS,
    MAX_RECORD,
    CommandEvent,
    IncidentEvent,
    Reason,
    SafetyEvent,
    Status,
    read_event,
)
from schemas.faults import fault_of
from schemas.json_text import readable
from schemas.wire import MAX_TEXT, NO_NUL, OVERFLOW

MAX_DETAIL: Final = 512
"""Characters of explanation that travel with a dead letter."""

NO_HALF: Final = (
    r"must not hold NUL or half of a character (a \ud83d without its other half): "
    "cut text between characters"
)
"""What is said instead of `NO_NUL` where `readable` put one in."""

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
_Optional = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] | None
_Labels = Annotated[
    dict[
        Annotated[str, msgspec.Meta(max_length=MAX_TEXT)],
        Annotated[str, msgspec.Meta(max_length=MAX_TEXT)],
    ],
    msgspec.Meta(max_length=MAX_LABELS),
]
_Epoch = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Severity = Literal["critical", "high", "medium", "low"]


class Command(msgspec.Struct, rename="camel", tag_field="kind", tag="command", gc=False):
    """The fast shadow of `CommandEvent`."""

    id: _Text
    occurred_at: _Moment
    command_id: _Text
    command_type: _Text
    status: Literal[
        "proposed", "approved", "rejected", "succeeded", "failed", "timed_out", "rolled_back",
        "overridden",
    ]  # fmt: skip
    autonomous: bool = False
    actor: _Optional = None
    epoch: _Epoch = None
    labels: _Labels | None = None
    duration_ms: Annotated[float, msgspec.Meta(ge=0, le=1e15)] | None = None
    error_class: _Optional = None


class Incident(msgspec.Struct, rename="camel", tag_field="kind", tag="incident", gc=False):
    """The fast shadow of `IncidentEvent`."""

    id: _Text
    occurred_at: _Moment
    incident_id: _Text
    severity: _Severity
    autonomous: bool = False
    actor: _Optional = None
    epoch: _Epoch = None
    labels: _Labels | None = None
    command_id: _Optional = None
    command_type: _Text | None = None
    summary: _Optional = None


class Safety(msgspec.Struct, rename="camel", tag_field="kind", tag="safety", gc=False):
    """The fast shadow of `SafetyEvent`."""

    id: _Text
    occurred_at: _Moment
    signal: Literal["constraint_violation", "emergency_abort", "safety_gate_trigger"]
    autonomous: bool = False
    actor: _Optional = None
    epoch: _Epoch = None
    labels: _Labels | None = None
    command_id: _Optional = None
    command_type: _Text | None = None


Decoded = Command | Incident | Safety

DECODED: Final = (Command, Incident, Safety)
"""The same as a tuple, for `isinstance` in hot loops."""

Found = Decoded | BadRecord | None
"""What is in a record: an event, why there is none, or None for a tick."""

_fast: Final[msgspec.json.Decoder[Decoded]] = msgspec.json.Decoder(Decoded)
_BRACE: Final = ord("{")
_first_byte: Final = itemgetter(0)
_ESCAPED: Final = b"\\u00"
_ESCAPED_ASCII: Final = re.compile(rb"\\u00[0-7]")
"""An escape of NUL, which we refuse, or of a letter that spells a name we refuse."""
_OVERFLOW: Final = OVERFLOW.encode()
_SHALLOW: Final = 500
"""Bytes up to which a record cannot nest deep enough to matter."""
_OPENERS: Final = 64
"""Brackets in a longer record beyond which pydantic decides."""


def decode(value: bytes) -> Decoded:
    """Return the event in *value*.

    Raises:
        BadRecord: there is none; carries the reason and what is wrong with which field.
    """
    if len(value) > MAX_RECORD:
        raise BadRecord(
            Reason.TOO_LARGE, f"{len(value)} bytes; a record may have at most {MAX_RECORD}"
        )
    if _is_usual(value) and not _is_deep(value):
        try:
            return _fast.decode(value)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            pass
    return _slow(value)


def decode_all(values: Sequence[bytes | None]) -> list[Found]:
    """Return what is in each of *values*.

    The same as `decode` one by one, at two thirds of the time: records of one line each are
    decoded in one call. If any of them is unusual, all of them are taken one by one.
    """
    full = [value for value in values if value]
    events = _decode_lines(full)
    if events is None:
        return [_found(value) if value else None for value in values]
    if len(events) == len(values):
        return events
    rest = iter(events)
    return [next(rest) if value else None for value in values]


def _decode_lines(values: list[bytes]) -> list[Found] | None:
    """Return the events in *values*, none of them empty, or None if any is unusual."""
    joined = b"\n".join(values)
    if joined.count(b"\n") != len(values) - 1 or not _is_usual(joined):
        return None
    if set(map(_first_byte, values)) != {_BRACE}:
        return None  # a blank line is skipped, and two objects on another would make up for it
    longest = len(max(values, key=len))
    if longest > MAX_RECORD or (longest > _SHALLOW and any(map(_is_deep, values))):
        return None
    try:
        events: list[Found] = list(_fast.decode_lines(joined))
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    return events if len(events) == len(values) else None


def _is_usual(text: bytes) -> bool:
    """Return whether msgspec may be trusted with *text*.

    It takes an escaped NUL and the name of the overflow, which we refuse, and does not look at
    the UTF-8 of what it skips.
    """
    if _OVERFLOW in text or (_ESCAPED in text and _ESCAPED_ASCII.search(text)):
        return False
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_deep(value: bytes) -> bool:
    """Return whether *value* may nest deeper than any event of ours.

    How deep msgspec goes depends on the stack at the moment, and the same log must not count
    differently in two workers; pydantic's own limit is a constant.
    """
    return len(value) > _SHALLOW and value.count(b"[") + value.count(b"{") > _OPENERS


def _found(value: bytes) -> Decoded | BadRecord:
    """Return the event in *value*, or why there is none."""
    try:
        return decode(value)
    except BadRecord as error:
        return error


def _slow(value: bytes) -> Decoded:
    """Let the models decide on what the fast decoder refused."""
    try:
        event = read_event(value)
    except ValidationError as error:
        raise _bad_record(error, value) from None
    except (RecursionError, ValueError) as error:
        raise BadRecord(Reason.INVALID, str(error)[:MAX_DETAIL]) from None
    return _shadow(event)


def _shadow(event: CommandEvent | IncidentEvent | SafetyEvent) -> Decoded:
    """Return the struct that stands for a validated model."""
    fields = event.model_dump(mode="python", exclude={"kind"})
    if isinstance(event, CommandEvent):
        return Command(**{**fields, "status": event.status.value})
    if isinstance(event, IncidentEvent):
        return Incident(**{**fields, "severity": event.severity.value})
    return Safety(**{**fields, "signal": event.signal.value})


def _bad_record(error: ValidationError, value: bytes) -> BadRecord:
    """Turn pydantic's findings about *value* into a reason and one line of detail."""
    found = error.errors(include_url=False, include_context=False)
    kinds = {item["type"] for item in found}
    if "json_invalid" in kinds:
        return BadRecord(Reason.NOT_JSON, str(found[0]["msg"])[:MAX_DETAIL])
    if kinds & {"union_tag_invalid", "union_tag_not_found"} and isinstance(found[0]["input"], dict):
        return BadRecord(Reason.UNKNOWN_KIND, "kind: must be command, incident or safety")
    if [item["loc"][-1:] for item in found] == [("status",)] and isinstance(found[0]["input"], str):
        known = ", ".join(Status)
        return BadRecord(Reason.UNKNOWN_STATUS, f"status: must be one of {known}")
    detail = "; ".join(
        f"{'.'.join(map(str, item['loc'][1:])) or 'record'}: {fault_of(item)}" for item in found
    )
    if readable(value) != value:
        detail = detail.replace(NO_NUL, NO_HALF)
    return BadRecord(Reason.INVALID, detail[:MAX_DETAIL])
