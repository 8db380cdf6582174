"""Durations as people write them: a whole number and one of ``s m h d``.

    5s   90s   10m   36h   7d

Written durations are what rules, settings and answers show; the engine counts milliseconds.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator

from schemas.errors import RuleError

UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Milliseconds in one of each unit."""

SHORTEST_WINDOW: Final = 5_000
LONGEST_WINDOW: Final = 7 * UNITS["d"]

_WRITTEN: Final = re.compile(r"([0-9]{1,9})([smhd])", re.ASCII)


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
            suggestion=_suggestion(text),
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


def _suggestion(text: str) -> str | None:
    """Guess what a miswritten duration meant: ``10min`` → ``10m``."""
    loose = re.match(r"\s*([0-9]{1,9})\s*([smhdSMHD])", text)
    return f"{loose[1]}{loose[2].lower()}" if loose else None


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


def as_timedelta(text: str) -> timedelta:
    """Return a written duration as a `timedelta`."""
    return timedelta(milliseconds=milliseconds(text))
