"""Protected command types: those that keep a scope of their own, whatever else is seen. Pure.

A tally tells at most so many values of a grouping apart; all others share one scope, and no
breaker of that scope can pause a type by name. So no producer that makes up names may push out
the types that matter: those of the ladder first, then those that have run on most days.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from schemas.tallies import OTHER

MOST: Final = 500
"""Types that are protected at most; each costs a scope in every partition."""

MOST_BYTES: Final = 192 * 1024
"""Bytes of their list as JSON at most: less than a quarter of what Kafka takes."""


def protected_types(allowed: Iterable[str], seen: Sequence[str]) -> list[str]:
    """Return the types to protect: all *allowed*, then of *seen* as many as there is room for.

    >>> protected_types({"SET_FAN", "ABORT"}, ["ROAST", "SET_FAN"])
    ['ABORT', 'ROAST', 'SET_FAN']
    """
    held: list[str] = []
    size = 0
    for name in dict.fromkeys((*sorted(allowed), *seen)):
        size += len(json.dumps(name)) + 2
        if len(held) == MOST or size > MOST_BYTES:
            break
        if name != OTHER:
            held.append(name)
    return sorted(held)
