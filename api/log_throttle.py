"""A throttle for the log: of lines of one kind, some and then a count.

    10 lines at once ── then one every 5 s, with `left_out`: how many came between

What clients, the network or the system can cause a thousand times a second must not fill the disk.
Only warnings and errors are held back; what we say of decisions is said each time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

AT_ONCE: Final = 10
"""Lines of one kind that are written without a pause: the first ones tell what goes on."""

PAUSE: Final = 5.0
"""Seconds between two lines of one kind after that."""

KINDS: Final = 1_000
"""Kinds that are remembered; the one that was silent for longest goes first."""

LONGEST: Final = 60
"""Letters of a message that are compared: what follows is often a number or an address."""

MARK: Final = "left_out"
"""The attribute of a record that says how many were held back before it."""

Kind = tuple[Any, ...]


@dataclass(slots=True)
class _Bucket:
    """How many lines of a kind may be written at once, since when, and how many were not."""

    left: float
    at: float
    left_out: int = 0


class Throttle:
    """Says which lines of which kind are written; safe to ask from any thread."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: OrderedDict[Kind, _Bucket] = OrderedDict()

    def take(self, kind: Kind) -> int | None:
        """Return how many lines of *kind* were left out before this one, or None to leave it out.

        >>> throttle = Throttle(lambda: 0.0)
        >>> [throttle.take(("a",)) for _ in range(11)][-2:]
        [0, None]
        """
        with self._lock:
            now = self._monotonic()
            bucket = self._buckets.setdefault(kind, _Bucket(AT_ONCE, now))
            self._buckets.move_to_end(kind)
            if len(self._buckets) > KINDS:
                self._buckets.popitem(last=False)
            bucket.left = min(AT_ONCE, bucket.left + (now - bucket.at) / PAUSE)
            bucket.at = now
            if bucket.left < 1:
                bucket.left_out += 1
                return None
            bucket.left -= 1
            left_out, bucket.left_out = bucket.left_out, 0
            return left_out


class ThrottleFilter(logging.Filter):
    """Holds back warnings and errors of one kind; all handlers of a process share one."""

    def __init__(self, throttle: Throttle | None = None) -> None:
        super().__init__()
        self._throttle = throttle or Throttle()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write *record*; asked by several handlers, it answers each alike."""
        if record.levelno < logging.WARNING:
            return True
        if not hasattr(record, MARK):
            setattr(record, MARK, self._throttle.take(kind_of(record)))
        return getattr(record, MARK) is not None


def left_out_before(record: logging.LogRecord) -> int:
    """Return how many lines like *record* were held back before it."""
    return getattr(record, MARK, 0) or 0


def kind_of(record: logging.LogRecord) -> Kind:
    """Return what lines of one kind have in common: who says it, how gravely, and what."""
    said = record.msg.get("event", "") if isinstance(record.msg, dict) else record.msg
    first, _, _ = str(said).partition("\n")
    return record.name, record.levelno, first[:LONGEST]
