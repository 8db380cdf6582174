"""Moments as text: written as ISO 8601 with milliseconds and ``Z``, read more kindly.

An operator's SQL writes ``datetime('now')``, which has no zone and means UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime


def read_moment(text: str) -> datetime:
    """Return the moment that *text* names; without a zone it is UTC.

    Raises:
        ValueError: *text* is not a moment.

    >>> read_moment("2026-11-23 09:14:05").isoformat()
    '2026-11-23T09:14:05+00:00'
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
