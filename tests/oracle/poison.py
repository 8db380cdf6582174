"""Records that no producer should send, each with the reason that it must be refused for."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final

from schemas.events import MAX_LABELS, MAX_RECORD, Reason

Poison = Callable[[Random, dict[str, Any]], bytes]
"""Makes a bad record, often out of a good event."""


def dumped(document: object, *, ascii_only: bool = True) -> bytes:
    """Return *document* as JSON bytes."""
    return json.dumps(document, ensure_ascii=ascii_only).encode()


def padded(event: dict[str, Any], size: int) -> bytes:
    """Return *event* as a record of exactly *size* bytes, by a field that nobody knows."""
    bare = len(dumped({**event, "padding": ""}))
    return dumped({**event, "padding": "x" * (size - bare)})


def _with(**fields: Any) -> Poison:
    """Return a maker that overwrites fields of a good event."""
    return lambda _, event: dumped({**event, **fields})


def _fields(name: str, *values: Any) -> tuple[Poison, ...]:
    """Return a maker for each of *values* in the field *name*."""
    return tuple(_with(**{name: value}) for value in values)


def _without(name: str) -> Poison:
    """Return a maker that leaves out a required field."""
    return lambda _, event: dumped({key: one for key, one in event.items() if key != name})


def _truncated(random: Random, event: dict[str, Any]) -> bytes:
    """Return the beginning of a record."""
    whole = dumped(event)
    return whole[: random.randrange(1, len(whole))]


def _noise(random: Random, _: dict[str, Any]) -> bytes:
    """Return random bytes that are no UTF-8."""
    return b"\xff" + random.randbytes(random.randrange(0, 200))


def _written(event: dict[str, Any], name: str, text: str) -> bytes:
    """Return *event* with a field written as *text*, JSON or not."""
    return dumped({**event, name: "\0here"}).replace(b'"\\u0000here"', text.encode())


def _literal(name: str, *texts: str) -> Poison:
    """Return a maker that writes a field by hand."""
    return lambda random, event: _written(event, name, random.choice(texts))


def _command(poison: Poison) -> Poison:
    """Return a maker that works on a command event, whatever event it is given."""

    def make(random: Random, event: dict[str, Any]) -> bytes:
        command = {"kind": "command", "commandId": "c", "commandType": "T", "status": "failed"}
        return poison(random, {**event, **command})

    return make


LONG: Final = "x" * 257
TOO_MANY: Final = {f"label{number}": "x" for number in range(MAX_LABELS + 1)}

NOT_JSON: Final[tuple[Poison, ...]] = (
    _truncated,
    _noise,
    lambda _, event: b"\xef\xbb\xbf" + dumped(event),
    lambda _, event: dumped(event).decode().encode("utf-16"),
    lambda _, event: dumped(event) + b"}",
    lambda _, event: dumped(event) + b"\n" + dumped(event),
    lambda _, event: b"\x00\x00\x00\x00\x2a" + dumped(event),
    lambda _, event: dumped(event).replace(b'"', b"'"),
    lambda _, event: dumped(event)[:-1] + b",}",
    lambda _, event: b"\x00" + dumped(event),
    lambda _, event: dumped({**event, "actor": "raw?"}).replace(b"raw?", b"\x00"),
    lambda _, event: dumped({**event, "actor": "raw?"}).replace(b"raw?", b"\xc3\x28"),
    lambda *_: b" ",
    lambda *_: b"[" * 50_000,
)

INVALID: Final[tuple[Poison, ...]] = (
    *(_without(name) for name in ("id", "occurredAt")),
    *(_command(_without(name)) for name in ("commandId", "commandType", "status")),
    *_fields("id", "", LONG, None, 7, 1.5, True, ["x"], "nul\0"),
    *_fields("occurredAt", "", "yesterday", None, [], {}, True, "2026-11-23T09:14:05"),
    *_fields("occurredAt", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z"),
    *_fields("occurredAt", 1_795_424_400, 1.5e9, "1795424400", "1795424400000"),
    *_fields("autonomous", "true", "false", 1, 0, None),
    *_fields("actor", 7, LONG, {}, "\0"),
    *_fields("epoch", "41", -1, 1.5, 2**63, True),
    *_fields("labels", [], "x", {"a": 1}, {"a": None}, TOO_MANY, {LONG: "x"}),
    _with(labels={"nul\0": "x"}),
    lambda _, event: dumped({**event, "actor": "half?"}).replace(b"half?", b"\\ud83d"),
    *map(_command, _fields("commandId", "", 42, None)),
    *map(_command, _fields("commandType", "", 5, None, LONG)),
    *map(_command, _fields("status", None, 5, ["failed"])),
    *map(_command, _fields("durationMs", "840", -1, True, 1e16)),
    _command(_literal("durationMs", "1e999", "-1e999", "1" * 400, "NaN", "Infinity")),
    _literal("epoch", "NaN", "-Infinity", "1" * 400, "41.0"),
    *map(_command, _fields("errorClass", 5, LONG)),
    _with(kind="incident", incidentId="i", severity="fatal"),
    _with(kind="incident", incidentId="i", severity=None),
    _with(kind="incident", incidentId="", severity="low"),
    _with(kind="incident", severity="low"),
    _with(kind="incident", incidentId="i", severity="low", summary=LONG),
    _with(kind="safety", signal="smoke"),
    _with(kind="safety"),
    _with(kind="safety", signal="emergency_abort", commandType=""),
    _command(_with(status="exploded", id="")),
    lambda random, _: random.choice((b"[]", b"null", b"true", b"42", b'"event"', b"[{}]", b"1e5")),
)

UNKNOWN_KIND: Final[tuple[Poison, ...]] = (
    _without("kind"),
    *_fields("kind", 5, None, ["command"], "", "Command", "heartbeat", "x" * 300, "kömmand"),
    lambda *_: b"{}",
    lambda *_: dumped({"specversion": "1.0", "type": "x", "source": "/x", "id": "1", "data": {}}),
)

UNKNOWN_STATUS: Final[tuple[Poison, ...]] = tuple(
    _command(_with(status=value)) for value in ("", "SUCCEEDED", "exploded", "x" * 300, "timedOut")
)

TOO_LARGE: Final[tuple[Poison, ...]] = (
    lambda _, event: padded(event, MAX_RECORD + 1),
    lambda random, _: random.randbytes(MAX_RECORD + 1),
)

POISONS: Final[dict[Reason, tuple[Poison, ...]]] = {
    Reason.NOT_JSON: NOT_JSON,
    Reason.INVALID: INVALID,
    Reason.UNKNOWN_KIND: UNKNOWN_KIND,
    Reason.UNKNOWN_STATUS: UNKNOWN_STATUS,
    Reason.TOO_LARGE: TOO_LARGE,
}


def poison(random: Random, event: dict[str, Any]) -> tuple[Reason, bytes]:
    """Return a bad record and why it is bad."""
    reasons = [Reason.NOT_JSON] * 4 + [Reason.INVALID] * 8 + [Reason.UNKNOWN_KIND] * 2
    reason = random.choice([*reasons, Reason.UNKNOWN_STATUS, Reason.UNKNOWN_STATUS])
    if random.random() < 0.03:
        reason = Reason.TOO_LARGE
    return reason, random.choice(POISONS[reason])(random, event)
