"""The one place where the state service reads the time; everything else is handed a `Clock`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present moment, with its zone; tests pass what they like."""


def wall_clock() -> datetime:
    """Return the present moment in UTC, as this machine knows it."""
    return datetime.now(UTC)
