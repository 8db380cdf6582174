"""Events in a file are checked exactly as a worker would, and named by their line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from cli.lines import Line, check, count_late, happened, lines_of, moved_to

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
    found = list(lines_of([b"{}\n", b"\n", b"  \r\n", b"[]"]))
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
