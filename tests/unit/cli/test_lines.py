"""Events in a file are checked exactly as a worker would, and named by their line."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from cli.lines import Line, check, count_late, happened, lines_of, moved_to
from embedded.sending import key_of_bytes
from schemas.errors import Refused

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def line(number: int, **fields: object) -> Line:
    """Return a line with a good event, changed by *fields*."""
    event = {
        "id": f"e-{number}",
        "kind": "command",
        "occurredAt": NOON.isoformat(),
        "commandId": "c-1",
        "commandType": "SET_FAN",
        "status": "succeeded",
    }
    return Line(number, json.dumps(event | fields).encode())


def test_blank_lines_are_skipped_and_still_counted() -> None:
    """Numbers are those that an editor shows."""
    found = list(lines_of(io.BytesIO(b"{}\n\n  \r\n[]")))
    assert found == [Line(1, b"{}"), Line(4, b"[]")]


def test_bad_lines_are_named_with_the_reason_of_the_dead_letter() -> None:
    """What is said here is what would stand in the dead letter's headers."""
    bad = check([line(1), Line(2, b"{"), line(3, status="exploded"), line(4, kind="x")])

    assert [found.number for found in bad] == [2, 3, 4]
    assert [found.problem.split(":")[0] for found in bad] == [
        "not_json",
        "unknown_status",
        "unknown_kind",
    ]


def test_late_events_are_counted() -> None:
    """An event more than a minute old would not count."""
    lines = [line(1), line(2, occurredAt=(NOON - timedelta(seconds=61)).isoformat())]
    assert count_late(lines, NOON) == 1


def test_events_move_in_time_together() -> None:
    """The last happens now, the others as long before it as ever; nothing else changes."""
    earlier = NOON - timedelta(seconds=7)
    lines = [line(1, occurredAt=earlier.isoformat(), note="größer"), line(2)]
    now = NOON + timedelta(days=3)

    moved = moved_to(lines, now)

    assert happened(moved) == [now - timedelta(seconds=7), now]
    before, after = json.loads(lines[0].value), json.loads(moved[0].value)
    assert {**before, "occurredAt": None} == {**after, "occurredAt": None}
    assert moved_to([], now) == []


STRANGERS = (
    "1e999", "-1E-999", "1" * 5_000, "12345678901234567890123", "0.1000000000000000000001", "NaN",
    r'"half \ud83d"', r'"\u00e9\/"', '{ "occurredAt" : [ "x" , {"occurredAt":1} ] }',
    '"occurredAt"', r'"\"occurredAt\":\""', '[]', '"größer"',
)  # fmt: skip


@pytest.mark.parametrize("stranger", STRANGERS)
def test_what_was_checked_is_what_is_sent(stranger: str) -> None:
    """With another time, every other byte of an event is as it was in the file."""
    before, after = line(1).value[:-1], f' , "extra" :{stranger},"last":"occurredAt"}}'.encode()
    assert check([Line(1, before + after)]) == []

    (moved,) = moved_to([Line(1, before + after)], NOON + timedelta(days=3))

    wanted = before.replace(b"2026-11-23T12:00:00+00:00", b"2026-11-26T12:00:00.000Z")
    assert moved.value == wanted + after
    assert check([moved]) == []
    assert key_of_bytes(moved.value) == b"SET_FAN"


def test_a_time_that_is_given_twice_or_spelled_oddly_is_moved() -> None:
    """Readers take the last of two fields of a name, and a name may be written with escapes."""
    odd = line(1).value[:-1] + rb',"occurred\u0041t":"2026-11-23T11:59:00Z"}'
    assert happened(moved_to([Line(1, odd), line(2)], NOON)) == [NOON - timedelta(minutes=1), NOON]


def test_events_that_no_calendar_holds_together_are_named() -> None:
    """Moved to the present, the first of them would happen before the year 1."""
    lines = [line(1, occurredAt="0001-01-01T00:00:00+14:00"), line(2)]
    lines.append(line(3, occurredAt="9999-12-31T23:59:59-14:00"))
    with pytest.raises(Refused, match="line 1 happened so long before the last"):
        moved_to(lines, NOON)
