"""Durations as people write them: a whole number and one of ``s m h d``.

    5s   90s   10m   36h   7d

Written durations are what rules, settings and answers show; the engine counts milliseconds.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Final

from pydantic import AfterValidator

from schemas.errors import RuleError

UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Milliseconds in one of each unit."""

SHORTEST_WINDOW: Final = 5_000
LONGEST_WINDOW: Final = 7 * UNITS["d"]

_WRITTEN: Final = re.compile(r"([0-9]{1,9})([smhd])", re.ASCII)

_LOOSE: Final = re.compile(
    r"([0-9]{1,9})(?:\.([0-9]{1,9}))?\s?"
    r"(ms|milliseconds?|s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?"
    r"|w(?:eeks?)?)(?![a-z])\s?",
    re.ASCII,
)
"""A number and a unit as Go, Prometheus, ISO 8601 and people write them, in lower case."""

_SECOND: Final = UNITS["s"]
_LOOSE_UNITS: Final = {"ms": 1, **UNITS, "w": 7 * UNITS["d"]}


def milliseconds(text: str) -> int:
    """Return the length of a written duration in milliseconds.

    Raises:
        RuleError: *text* is not a whole number with one of ``s m h d``.

    >>> milliseconds("10m")
    600000
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise RuleError(
            f"{text!r} is not a duration: write a whole number and one of s, m, h, d",
            suggestion=likely(text),
            field=None,
        )
    return int(match[1]) * UNITS[match[2]]


def written(length: int) -> str:
    """Return *length* milliseconds in the largest unit that keeps it whole.

    >>> written(5_400_000)
    '90m'
    """
    for unit in ("d", "h", "m", "s"):
        if length % UNITS[unit] == 0 and length:
            return f"{length // UNITS[unit]}{unit}"
    return f"{length // 1000}s"


def likely(text: str) -> str | None:
    """Return the duration that a miswritten one means, if it is one to the second.

    >>> likely("10min"), likely("1h30m"), likely("PT1.5H"), likely("500ms")
    ('10m', '90m', '90m', None)
    """
    rest = re.sub(r"^pt?|(?<=d)t", "", text.strip().lower())
    length, at = Fraction(0), 0
    for part in _LOOSE.finditer(rest):
        if part.start() != at:
            return None
        length += Fraction(f"{part[1]}.{part[2] or 0}") * _loose_unit(part[3])
        at = part.end()
    is_whole = 0 < at == len(rest) and length and length % _SECOND == 0
    return written(int(length)) if is_whole and length < 10**9 * _SECOND else None


def _loose_unit(word: str) -> int:
    """Return the milliseconds in a unit of whatever spelling."""
    is_thousandth = word == "ms" or word.startswith("milli")
    return _LOOSE_UNITS["ms" if is_thousandth else word[0]]


def check_duration(text: str) -> str:
    """Return *text* if it is a written duration of any length (zero too).

    Raises:
        ValueError: it is not; the message says how to write one.
    """
    try:
        milliseconds(text)
    except RuleError as error:
        raise ValueError(str(error)) from None
    return text


def check_window(text: str) -> str:
    """Return *text* if it is a duration that a window may have, 5 s to 7 d.

    Raises:
        ValueError: it is not a duration, or is outside those bounds.
    """
    check_duration(text)
    if not SHORTEST_WINDOW <= milliseconds(text) <= LONGEST_WINDOW:
        raise ValueError(f"{text!r} is outside what a window may be: 5s to 7d")
    return text


Duration = Annotated[str, AfterValidator(check_duration)]
"""A written duration, validated; kept as text so that people get back what they wrote."""

Window = Annotated[str, AfterValidator(check_window)]
"""A written duration from 5 s to 7 d."""
