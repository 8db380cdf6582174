"""Rates: how often each caller may ask, so that one of them cannot starve the others.

A bucket for each holds a minute's worth and fills evenly: a burst is answered, a flood is not.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from schemas.errors import TooManyRequests

CALLERS: Final = 10_000
"""Buckets kept at most; the one that was unused for longest goes first, and is full again."""


class Rates:
    """A bucket for each name; safe to ask from any thread."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most = float(per_minute)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        """Take one request from the bucket of *name*.

        Raises:
            TooManyRequests: it is empty; says when it is not.
        """
        with self._lock:
            now = self._monotonic()
            level = self._level(name, now)
            if level >= 1:
                self._put(name, level - 1, now)
        self._check(level)

    def give(self, name: str) -> None:
        """Put one back into the bucket of *name*: it was not meant."""
        with self._lock:
            now = self._monotonic()
            self._put(name, min(self._most, self._level(name, now) + 1), now)

    def look(self, name: str) -> None:
        """Check that there is something in the bucket of *name*, and leave it there.

        Raises:
            TooManyRequests: it is empty; says when it is not.
        """
        with self._lock:
            level = self._level(name, self._monotonic())
        self._check(level)

    def _level(self, name: str, now: float) -> float:
        """Return how many requests are left to *name*."""
        level, at = self._buckets.get(name, (self._most, now))
        return min(self._most, level + (now - at) * self._most / 60)

    def _put(self, name: str, level: float, now: float) -> None:
        """Keep what is left to *name*."""
        self._buckets[name] = (level, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > CALLERS:
            self._buckets.popitem(last=False)

    def _check(self, level: float) -> None:
        """Refuse an empty bucket."""
        if level < 1:
            raise TooManyRequests(max(1, math.ceil((1 - level) * 60 / self._most)))
