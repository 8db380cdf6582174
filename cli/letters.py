"""Dead letters as facts: what a record of ``dead-letters`` says, and which are worth sending again.

A letter is sent again once for each reason: how far that went is kept per reason and partition
(``marks``), by the command that calls us.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import msgspec

from schemas.events import Reason
from schemas.json_text import readable
from schemas.tallies import LATENESS

TOLERATED: Final = timedelta(milliseconds=LATENESS)
"""How long ago an event may have happened and still count."""

Marks = Mapping[str, Mapping[int, int]]
"""For each reason, the offset in each partition before which everything was sent again."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter: the record as it was, where it stood, and why it was refused."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes
    topic: str
    source: tuple[int, int]
    reason: str
    detail: str
    received_at: str

    def shown(self) -> dict[str, Any]:
        """Return the letter for JSON; bytes that are no text are shown in base64."""
        try:
            body = {"value": self.value.decode()}
        except UnicodeDecodeError:
            body = {"valueBase64": base64.b64encode(self.value).decode()}
        return {
            "partition": self.partition,
            "offset": self.offset,
            "reason": self.reason,
            "detail": self.detail,
            "receivedAt": self.received_at,
            "topic": self.topic,
            "sourcePartition": self.source[0],
            "sourceOffset": self.source[1],
            "key": None if self.key is None else self.key.decode(errors="replace"),
            "bytes": len(self.value),
            **body,
        }


def letter_of(
    partition: int,
    offset: int,
    *,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes]],
) -> Letter:
    """Return the letter that a record is; what its headers do not say is left empty."""
    said = {name: text.decode(errors="replace") for name, text in headers}
    return Letter(
        partition,
        offset,
        key,
        value or b"",
        said.get("topic", ""),
        (_number(said.get("partition")), _number(said.get("offset"))),
        said.get("reason", "unknown"),
        said.get("detail", ""),
        said.get("receivedAt", ""),
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send again, what is left out and why, and the marks once that is done."""

    letters: Sequence[Letter]
    left_out: Counter[str] = field(default_factory=Counter)
    marks: Mapping[str, Mapping[int, int]] = field(default_factory=dict)


def plan(
    letters: Sequence[Letter],
    marks: Marks,
    *,
    now: datetime,
    reasons: Collection[str],
    late: bool = False,
    limit: int | None = None,
) -> Plan:
    """Choose what to send again.

    Args:
        letters: All dead letters, in the order of each partition.
        marks: What was sent again before; an empty mapping sends everything again.
        now: The moment: what happened too long before it would only come back as late.
        reasons: Send those that were refused for one of these.
        late: Send those that would come back as late, too.
        limit: At most so many.
    """
    left_out: Counter[str] = Counter()
    seen: set[tuple[str, tuple[int, int]]] = set()
    chosen: list[Letter] = []
    for letter in letters:
        if letter.reason not in reasons:
            continue
        place = (letter.topic, letter.source)
        why = _why_not(letter, marks, place in seen, now=now, late=late)
        # A worker that was killed may have written the letter of one record twice.
        seen.add(place)
        if why is None:
            chosen.append(letter)
        else:
            left_out[why] += 1
    taken = list(islice(chosen, limit))
    return Plan(taken, left_out, _marks_after(taken))


def default_reasons(letters: Iterable[Letter]) -> set[str]:
    """Return every reason but ``late``: what came too late comes too late again."""
    return {letter.reason for letter in letters} - {Reason.LATE.value}


def _why_not(
    letter: Letter, marks: Marks, is_repeat: bool, *, now: datetime, late: bool
) -> str | None:
    """Return why *letter* is left out, or None when it is not."""
    if letter.offset < marks.get(letter.reason, {}).get(letter.partition, 0):
        return "sent again before"
    if is_repeat:
        return "the same record twice"
    happened = _occurred_at(letter.value)
    if not late and happened is not None and happened < now - TOLERATED:
        return "happened more than a minute ago, and would come back as late"
    return None


def _marks_after(sent: Iterable[Letter]) -> dict[str, dict[int, int]]:
    """Return the marks that say that *sent* was sent."""
    marks: dict[str, dict[int, int]] = {}
    for letter in sent:
        marks.setdefault(letter.reason, {})[letter.partition] = letter.offset + 1
    return marks


class _Dated(msgspec.Struct, rename="camel"):
    """As much of an event as is needed to see when it happened."""

    occurred_at: datetime


_dated: Final = msgspec.json.Decoder(_Dated)


def _occurred_at(value: bytes) -> datetime | None:
    """Return when an event happened, if that can be read with its zone."""
    try:
        moment = _dated.decode(readable(value)).occurred_at
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return moment if moment.tzinfo is not None else None


def _number(text: str | None) -> int:
    """Return a number in a header, -1 when it is none."""
    return int(text) if text is not None and text.isascii() and text.isdecimal() else -1
