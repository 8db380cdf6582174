"""What every model on the wire shares: camelCase names, unknown fields kept out of the way.

Strings are refused when they hold NUL (no database stores it) and numbers when they are not
finite, so that one poisoned record cannot reach a window, a database or a page.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel

MAX_TEXT = 256
"""Characters in an identifier or a name."""

OVERFLOW = "__other__"
"""What stands for all values of a grouping beyond the limit of distinct ones."""

MAX_PROSE = 4096
"""Characters in a sentence that people write: notes, reasons."""

NO_NUL = "must not hold a NUL character"
"""What is said of a text that holds one."""


def without_nul(text: str) -> str:
    """Return *text* unchanged.

    Raises:
        ValueError: it holds a NUL character.
    """
    if "\x00" in text:
        raise ValueError(NO_NUL)
    return text


def without_overflow(text: str) -> str:
    """Return *text* unchanged.

    Raises:
        ValueError: it is the name that stands for all values beyond the limit of distinct ones.
    """
    if text == OVERFLOW:
        raise ValueError(f"must not be {OVERFLOW}, which stands for all beyond the limit")
    return text


def listed(names: Collection[str], most: int = 10) -> str:
    """Return *names* in one line: the first *most*, and how many there are beyond.

    >>> listed(["A", "B", "C"], most=2)
    'A, B and 1 more'
    """
    shown = ", ".join(list(names)[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def iso(moment: datetime) -> str:
    """Return *moment* as ISO 8601 in UTC with milliseconds and ``Z``.

    >>> iso(datetime(2026, 11, 23, 9, 14, 5, 120000, tzinfo=UTC))
    '2026-11-23T09:14:05.120Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_ms(moment: int) -> str:
    """Return *moment* (ms since 1970 UTC) as ISO 8601 in UTC."""
    return iso(from_ms(moment))


def from_ms(moment: int) -> datetime:
    """Return *moment* (ms since 1970 UTC) as an aware datetime, exactly."""
    return datetime.fromtimestamp(moment // 1000, UTC).replace(microsecond=moment % 1000 * 1000)


def to_ms(moment: datetime) -> int:
    """Return *moment* in whole milliseconds since 1970 UTC, rounded down, exactly."""
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000


Moment = Annotated[AwareDatetime, PlainSerializer(iso, return_type=str, when_used="json")]
"""A moment with a time zone; written in UTC."""

CleanText = Annotated[str, AfterValidator(without_nul)]
"""A string without NUL, of any length that its field allows."""


class Wire(BaseModel):
    """The base of all models on the wire: immutable, camelCase, tolerant of unknown fields."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
        ser_json_inf_nan="null",
    )

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON-ready form with wire names."""
        return self.model_dump(mode="json", by_alias=True)

    def to_bytes(self) -> bytes:
        """Return the JSON bytes that go on Kafka."""
        return self.model_dump_json(by_alias=True).encode()
