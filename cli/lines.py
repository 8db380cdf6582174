"""Events in a file, one JSON object a line: read, checked as a worker would, moved in time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schemas.errors import BadRecord
from schemas.tallies import LATENESS
from schemas.wire import iso
from streams.codec import decode

TOLERATED: Final = timedelta(milliseconds=LATENESS)
"""How long ago an event may have happened and still count."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line that holds something; ``number`` counts from 1, as editors do."""

    number: int
    value: bytes


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that a worker would refuse, and why."""

    number: int
    problem: str


def lines_of(raw: Iterable[bytes]) -> Iterator[Line]:
    """Yield the lines that are not blank."""
    for number, text in enumerate(raw, start=1):
        value = text.strip(b" \t\r\n")
        if value:
            yield Line(number, value)


def check(lines: Iterable[Line]) -> list[BadLine]:
    """Return the lines that a worker would refuse."""
    found = []
    for line in lines:
        try:
            decode(line.value)
        except BadRecord as problem:
            found.append(BadLine(line.number, str(problem)))
    return found


def happened(lines: Iterable[Line]) -> list[datetime]:
    """Return when each event happened.

    Raises:
        BadRecord: a line is no event; `check` first.
    """
    return [decode(line.value).occurred_at for line in lines]


def count_late(lines: Iterable[Line], now: datetime) -> int:
    """Return how many of the events happened too long before *now* to count."""
    return sum(moment < now - TOLERATED for moment in happened(lines))


def moved_to(lines: list[Line], now: datetime) -> list[Line]:
    """Return the events moved in time together, so that the last of them happens *now*."""
    moments = happened(lines)
    if not moments:
        return []
    shift = now - max(moments)
    return [
        Line(line.number, _at(line.value, moment + shift))
        for line, moment in zip(lines, moments, strict=True)
    ]


def _at(value: bytes, moment: datetime) -> bytes:
    """Return an event with another time."""
    event = json.loads(value) | {"occurredAt": iso(moment)}
    return json.dumps(event, ensure_ascii=False).encode()
