"""Reading one record the slow way: the `json` module and a list of checks."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from schemas.events import MAX_LABELS, MAX_RECORD, Reason
from schemas.tallies import OTHER, SAMPLE_CLASS, Column, SampleClass

STATUS_COLUMNS: Final = {
    "proposed": Column.PROPOSED,
    "approved": Column.APPROVED,
    "rejected": Column.REJECTED,
    "succeeded": Column.SUCCEEDED,
    "failed": Column.FAILED,
    "timed_out": Column.TIMED_OUT,
    "rolled_back": Column.ROLLED_BACK,
    "overridden": Column.OVERRIDDEN,
}
BY_ITSELF: Final = {
    Column.SUCCEEDED: Column.SUCCEEDED_AUTONOMOUS,
    Column.FAILED: Column.FAILED_AUTONOMOUS,
    Column.TIMED_OUT: Column.FAILED_AUTONOMOUS,
}
SEVERITY_COLUMNS: Final = {
    "critical": Column.INCIDENT_CRITICAL,
    "high": Column.INCIDENT_HIGH,
    "medium": Column.INCIDENT_MEDIUM,
    "low": Column.INCIDENT_LOW,
}
SIGNAL_COLUMNS: Final = {
    "constraint_violation": Column.CONSTRAINT_VIOLATION,
    "emergency_abort": Column.EMERGENCY_ABORT,
    "safety_gate_trigger": Column.SAFETY_GATE_TRIGGER,
}

DEEPEST: Final = 200
"""Lists and objects within each other that the model's reader takes, give or take one."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_MOMENT: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r"(?:([Zz])|([+-])(\d\d):?(\d\d))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Fact:
    """What an event adds wherever it counts; ``occurred`` is in ms, rounded down."""

    id: str
    occurred: int
    columns: tuple[Column, ...]
    command_type: str | None
    labels: Mapping[str, str]
    sample: tuple[SampleClass, str] | None


class _Wrong(Exception):
    """A field that is not what the contract says."""


def read(value: bytes) -> Fact | Reason:
    """Return the event that *value* holds, or why it is a dead letter."""
    if len(value) > MAX_RECORD:
        return Reason.TOO_LARGE
    try:
        document = _json(value)
    except (ValueError, RecursionError):
        return Reason.NOT_JSON
    return _classify(document)


def moment(text: object) -> int:
    """Return a written moment in ms since 1970.

    Raises:
        ValueError: it is not ISO 8601 with a time zone.
    """
    match = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    micros = int((match[7] or "").ljust(6, "0")[:6])
    zone = UTC if match[8] else _zone(match[9], int(match[10]), int(match[11]))
    at = datetime(year, month, day, hour, minute, second, micros, tzinfo=zone)
    return (at - EPOCH) // timedelta(milliseconds=1)


def _zone(sign: str, hours: int, minutes: int) -> timezone:
    """Return the time zone of a written offset."""
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if sign == "-" else offset)


def _json(value: bytes) -> Any:
    """Return what *value* says as RFC 8259 has it.

    Raises:
        ValueError: it is not JSON: a byte order mark, another encoding. NaN and Infinity are
            read, since many a producer writes them, and so is half a surrogate: no known field
            takes them.
    """
    document = json.loads(value.decode("utf-8"), parse_int=_integer)
    if value.count(b"[") + value.count(b"{") > DEEPEST and _depth(document) > DEEPEST:
        raise ValueError("nested beyond reason")
    return document


def _depth(document: Any) -> int:
    """Return how many lists and objects lie within each other."""
    level, depth = [document], 0
    while level := [one for one in level if isinstance(one, (dict, list))]:
        depth += 1
        level = [
            inner for one in level for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def _integer(text: str) -> int:
    """Return a written whole number; Python refuses those of thousands of digits."""
    return int(text) if len(text) < 100 else 10**100


def _classify(document: Any) -> Fact | Reason:
    """Return the event, or which of the contract's reasons the document is refused for."""
    if not isinstance(document, dict):
        return Reason.INVALID
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in _READERS:
        return Reason.UNKNOWN_KIND
    try:
        return _READERS[kind](document)
    except _Wrong:
        return Reason.INVALID
    except KeyError:
        return Reason.UNKNOWN_STATUS


def _command(document: dict[str, Any]) -> Fact:
    """Return a command event.

    Raises:
        KeyError: everything else is right but the status is none that we know.
    """
    command = _text(document, "commandId")
    status = _field(document, "status", str)
    _number(document, "durationMs", lambda n: 0 <= n <= 1e15)
    _optional_text(document, "errorClass")
    kind = _named_type(document)
    shared = _shared(document)
    column = STATUS_COLUMNS[status]
    columns = [column]
    if document.get("autonomous", False):
        columns += [BY_ITSELF[column]] if column in BY_ITSELF else []
    return Fact(*shared[:2], tuple(columns), kind, shared[2], _sample(column, command))


def _incident(document: dict[str, Any]) -> Fact:
    """Return an incident; autonomous ones count in columns of their own besides."""
    incident = _text(document, "incidentId")
    column = SEVERITY_COLUMNS.get(_field(document, "severity", str))
    if column is None:
        raise _Wrong
    _optional_text(document, "commandId")
    _optional_text(document, "summary")
    shared = _shared(document)
    columns = [column]
    if document.get("autonomous", False):
        columns.append(Column.INCIDENT_AUTONOMOUS)
        if column is Column.INCIDENT_CRITICAL:
            columns.append(Column.INCIDENT_CRITICAL_AUTONOMOUS)
    kind = _command_type(document)
    return Fact(*shared[:2], tuple(columns), kind, shared[2], _sample(column, incident))


def _safety(document: dict[str, Any]) -> Fact:
    """Return a safety event; its evidence is the command, or itself when it names none."""
    column = SIGNAL_COLUMNS.get(_field(document, "signal", str))
    if column is None:
        raise _Wrong
    command = _optional_text(document, "commandId")
    shared = _shared(document)
    kind = _command_type(document)
    return Fact(*shared[:2], (column,), kind, shared[2], _sample(column, command or shared[0]))


_READERS: Final[dict[str, Callable[[dict[str, Any]], Fact]]] = {
    "command": _command,
    "incident": _incident,
    "safety": _safety,
}


def _sample(column: Column, name: str) -> tuple[SampleClass, str] | None:
    """Return the evidence that a bad event leaves, None for a good one."""
    return (SAMPLE_CLASS[column], name) if column in SAMPLE_CLASS else None


def _shared(document: dict[str, Any]) -> tuple[str, int, Mapping[str, str]]:
    """Return id, moment and labels, having checked all that the three kinds share."""
    if not isinstance(document.get("autonomous", False), bool):
        raise _Wrong
    _optional_text(document, "actor")
    epoch = document.get("epoch")
    if epoch is not None and (type(epoch) is not int or not 0 <= epoch < 2**63):
        raise _Wrong
    try:
        occurred = moment(document.get("occurredAt"))
    except (ValueError, OverflowError):
        raise _Wrong from None
    return _text(document, "id"), occurred, _labels(document)


def _labels(document: dict[str, Any]) -> Mapping[str, str]:
    """Return the labels; at most 32, all of them text."""
    labels = document.get("labels")
    if labels is None:
        return {}
    if not isinstance(labels, dict) or len(labels) > MAX_LABELS:
        raise _Wrong
    if OTHER in labels.values():
        raise _Wrong
    for text in (*labels, *labels.values()):
        _check(text, least=0)
    return labels


def _command_type(document: dict[str, Any]) -> str | None:
    """Return the command type of an event that may name none."""
    return None if document.get("commandType") is None else _named_type(document)


def _named_type(document: dict[str, Any]) -> str:
    """Return a command type: any name but that of all beyond the limit."""
    name = _text(document, "commandType")
    if name == OTHER:
        raise _Wrong
    return name


def _text(document: dict[str, Any], name: str) -> str:
    """Return a required string of 1 to 256 characters."""
    return _check(document.get(name), least=1)


def _optional_text(document: dict[str, Any], name: str) -> str | None:
    """Return a string of 0 to 256 characters, or None."""
    text = document.get(name)
    return None if text is None else _check(text, least=0)


def _check(text: object, *, least: int) -> str:
    """Return *text* if it has *least* to 256 characters, without NUL or half a surrogate."""
    if not isinstance(text, str) or not least <= len(text) <= 256 or "\x00" in text:
        raise _Wrong
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _Wrong
    return text


def _field(document: dict[str, Any], name: str, kind: type[str]) -> str:
    """Return a required field of a type, whatever its length."""
    value = document.get(name)
    if not isinstance(value, kind):
        raise _Wrong
    return value


def _number(document: dict[str, Any], name: str, allowed: Callable[[float], bool]) -> None:
    """Check an optional number: finite, no bool, within its bounds."""
    value = document.get(name)
    if value is None:
        return
    if type(value) not in (int, float) or not math.isfinite(value) or not allowed(value):
        raise _Wrong
