"""What executors of a coffee roastery do, as the records of a log: quiet days, and a bad one."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Final

from schemas.wire import iso_ms, to_ms
from tests.e2e.plant import Record

TYPES: Final = ("SET_POWER", "SET_FAN", "SET_DRUM", "SET_AIRFLOW")
A_DAY: Final = 48
"""Commands of a quiet day: 1,440 in thirty days, so that rates are more than chance."""

SECOND: Final = timedelta(seconds=1)


def quiet_day(begin: datetime, number: int, *, allowed: Collection[str]) -> list[Record]:
    """Return what is done on the *number*-th day, from *begin* on.

    People approve what is not *allowed* to run by itself, and turn down one command of a day in
    three. On one day in fifteen a command fails: amid others, for the default rules revert on
    more than 5 % of however few attempts the last five minutes had.
    """
    steps: list[Record] = []
    for command in range(A_DAY):
        at = begin + command // 4 * 10 * SECOND
        fails = command == A_DAY // 2 and number % 15 == 14
        name, kind = f"{begin:%Y%m%d}-{command}", TYPES[command % 4]
        steps += lives(
            name,
            kind,
            at,
            end="failed" if fails else "succeeded",
            autonomous=kind in allowed,
            rejected=command == A_DAY - 1 and number % 3 == 0,
        )
    return steps


def lives(
    name: str,
    kind: str,
    at: datetime,
    *,
    end: str,
    autonomous: bool,
    rejected: bool = False,
) -> Iterator[Record]:
    """Yield the life of one command: asked for unless it is *autonomous*, done or turned down."""
    steps = (
        [end] if autonomous else ["proposed", *(["rejected"] if rejected else ["approved", end])]
    )
    for step in steps:
        yield at, event(name, kind, step, at, autonomous=autonomous)


def event(name: str, kind: str, step: str, at: datetime, *, autonomous: bool) -> bytes:
    """Return the record of one step of a command."""
    said = {
        "kind": "command",
        "id": f"{name}-{step}",
        "occurredAt": iso_ms(to_ms(at)),
        "commandId": name,
        "commandType": kind,
        "status": step,
        "autonomous": autonomous,
        "actor": "roaster-1",
    }
    return json.dumps(said).encode()


def busy_minutes(begin: datetime, name: str) -> list[Record]:
    """Return two hundred commands within three minutes, all of which succeed."""
    return [
        (at, event(f"{name}-{number}", TYPES[number % 4], "succeeded", at, autonomous=False))
        for number in range(200)
        for at in [begin + number * 0.9 * SECOND]
    ]


def failures(begin: datetime, name: str, kinds: Collection[str], number: int) -> list[Record]:
    """Return *number* failures of each of *kinds*, a second between two."""
    return [
        (at, event(f"{name}-{kind}-{count}", kind, "failed", at, autonomous=True))
        for order, (count, kind) in enumerate(
            (count, kind) for count in range(number) for kind in kinds
        )
        for at in [begin + order * SECOND]
    ]
