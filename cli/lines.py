"""Events in a file, one JSON object a line: read, checked as a worker would, moved in time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, Final

from cli.event_files import check_format
from schemas.errors import BadRecord, Refused
from schemas.events import MAX_RECORD, Reason
from schemas.tallies import LATENESS
from schemas.wire import iso
from streams.codec import decode

TOLERATED: Final = timedelta(milliseconds=LATENESS)
"""How long ago an event may have happened and still count."""


LONGEST: Final = 1024 * 1024
"""Bytes of a line that are read: no broker takes more, and a file may be one line of a gigabyte."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line that holds something; ``number`` counts from 1, as editors do.

    Of one that is longer than any record, ``size`` says how long it is, and ``value`` is empty.
    """

    number: int
    value: bytes
    size: int = 0


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that a worker would refuse, and why."""

    number: int
    problem: str


def lines_of(raw: IO[bytes]) -> Iterator[Line]:
    """Yield the lines that are not blank, from a file that need not fit into memory.

    Raises:
        Refused: it cannot be read on.
    """
    number = 0
    try:
        while text := raw.readline(LONGEST):
            number += 1
            rest = 0 if text.endswith(b"\n") or len(text) < LONGEST else _skip(raw)
            value = text.strip(b" \t\r\n")
            if rest:
                yield Line(number, b"", len(text) + rest)
            elif value:
                yield Line(number, value)
    except OSError as problem:
        raise Refused(
            f"line {number + 1} cannot be read ({problem.strerror})", allowed_when="name a file"
        ) from None


def _skip(raw: IO[bytes]) -> int:
    """Read on to the end of a line; return how many bytes that were."""
    skipped = 0
    while text := raw.readline(LONGEST):
        skipped += len(text)
        if text.endswith(b"\n"):
            break
    return skipped


def first_checked(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield *lines*, having looked whether they are text at all.

    Raises:
        Refused: the first begins as what is no text in UTF-8.
    """
    for line in lines:
        if line.number == 1:
            check_format(line.value)
        yield line


def values_of(lines: Iterable[Line]) -> Iterator[bytes]:
    """Yield what *lines* hold, good or bad.

    Raises:
        Refused: one is longer than any broker takes.
    """
    for line in lines:
        if line.size:
            raise Refused(
                f"line {line.number} has {line.size} bytes; no broker takes more than {LONGEST}",
                allowed_when="cut it out; what is before it was sent",
            )
        yield line.value


def check(lines: Iterable[Line]) -> list[BadLine]:
    """Return the lines that a worker would refuse."""
    found = []
    for line in lines:
        try:
            _check(line)
        except BadRecord as problem:
            found.append(BadLine(line.number, str(problem)))
    return found


def _check(line: Line) -> None:
    """Read a line as a worker would.

    Raises:
        BadRecord: the worker would refuse it.
    """
    if line.size:
        raise BadRecord(
            Reason.TOO_LARGE, f"{line.size} bytes; a record may have at most {MAX_RECORD}"
        )
    decode(line.value)


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
    """Return the events moved in time together, so that the last of them happens *now*.

    Raises:
        Refused: they are further apart than there are years.
    """
    moments = happened(lines)
    if not moments:
        return []
    shift = now - max(moments)
    return [
        Line(line.number, _at(line.value, _moved(line, moment, shift)))
        for line, moment in zip(lines, moments, strict=True)
    ]


def _moved(line: Line, moment: datetime, shift: timedelta) -> datetime:
    """Return *moment* in UTC, later by *shift*.

    Raises:
        Refused: that is before the year 1.
    """
    try:
        return moment.astimezone(UTC) + shift
    except OverflowError:
        raise Refused(
            f"line {line.number} happened so long before the last event that there is no such year",
            allowed_when="mend its occurredAt; nothing was sent",
        ) from None


_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s"{}\[\]:,]+', re.DOTALL)
"""What JSON is made of; of text that is JSON, whatever lies between is blank."""


def _at(value: bytes, moment: datetime) -> bytes:
    """Return an event with another time; every other byte is as it was checked."""
    parts, end = [], 0
    for start, stop in _times_in(value):
        parts += [value[end:start], b'"%s"' % iso(moment).encode()]
        end = stop
    return b"".join([*parts, value[end:]])


def _times_in(value: bytes) -> Iterator[tuple[int, int]]:
    """Yield where in an event the values of its own ``occurredAt`` begin and end."""
    depth, before, name = 0, b"", b""
    for found in _TOKEN.finditer(value):
        token = found[0]
        depth += (token in (b"{", b"[")) - (token in (b"}", b"]"))
        if token == b":":
            name = before
        elif depth == 1 and before == b":" and json.loads(name) == "occurredAt":
            yield found.span()
        before = token
