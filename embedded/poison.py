"""Records that cannot be counted, one way of being bad for each reason of the dead letters."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.events import MAX_RECORD, Reason
from schemas.wire import iso

LATE: Final = timedelta(minutes=10)
"""Ten times what is tolerated."""

LARGE_EVERY: Final = 100
"""Of so many bad records one is too large: each of them is kept twice, and weighs 65 KiB."""

Event = dict[str, Any]


def poisoned(event: Event, number: int, chance: random.Random) -> bytes:
    """Return *event* spoilt in one of the ways that there are; *number* takes turns at them."""
    if number % LARGE_EVERY == 0:
        return WAYS[Reason.TOO_LARGE](event, chance)
    usual = [reason for reason in WAYS if reason is not Reason.TOO_LARGE]
    return WAYS[chance.choice(usual)](event, chance)


def _not_json(event: Event, chance: random.Random) -> bytes:
    """Return a record that was cut off, or was never text."""
    whole = _text(event)
    return whole[: len(whole) // 2] if chance.random() < 0.5 else chance.randbytes(80)


def _invalid(event: Event, chance: random.Random) -> bytes:
    """Return an event that lacks what it needs, or says what cannot be."""
    wrong: Event = chance.choice(
        [
            {"occurredAt": "yesterday"},
            {"occurredAt": 1_763_889_245},
            {"id": ""},
            {"id": "nul\x00nul"},
            {"labels": "agentVersion=2.3"},
            {"epoch": -1},
        ]
    )
    return _text(event | wrong)


def _unknown_kind(event: Event, _: random.Random) -> bytes:
    """Return an event of a kind that nobody knows."""
    return _text(event | {"kind": "telemetry"})


def _unknown_status(event: Event, _: random.Random) -> bytes:
    """Return a command event whose status nobody knows."""
    command = {"kind": "command", "commandId": "c-odd", "commandType": "SET_FAN"}
    return _text(event | command | {"status": "vanished"})


def _too_large(event: Event, _: random.Random) -> bytes:
    """Return an event with a stack trace in it."""
    return _text(event | {"stackTrace": "at roaster.drum " * (MAX_RECORD // 16)})


def _late(event: Event, _: random.Random) -> bytes:
    """Return an event that happened long ago."""
    happened = datetime.fromisoformat(event["occurredAt"]) - LATE
    return _text(event | {"occurredAt": iso(happened)})


def _text(event: Event) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode()


WAYS: Final[dict[Reason, Callable[[Event, random.Random], bytes]]] = {
    Reason.NOT_JSON: _not_json,
    Reason.INVALID: _invalid,
    Reason.UNKNOWN_KIND: _unknown_kind,
    Reason.UNKNOWN_STATUS: _unknown_status,
    Reason.TOO_LARGE: _too_large,
    Reason.LATE: _late,
}
"""How to spoil an event so that it is refused for each reason."""
