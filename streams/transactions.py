"""Transactions of producers that are open: what comes after their first record has to wait.

Whether a record counts is known when its transaction ends, and records count in the order of the
log. So an open transaction holds back its partition, and with it the judges. That is no stall
and no fault of ours, but nobody sees the stream meanwhile, so it is told with its place and age.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streams.stretch import Ends


@dataclass(frozen=True, slots=True)
class Held:
    """An open transaction that begins at ``offset`` was first seen ``seconds`` ago."""

    offset: int
    seconds: float


class OpenTransactions:
    """Remembers when each open transaction was first seen; ``held`` has those seen twice."""

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}
        self._since: dict[str, tuple[int, float]] = {}

    def see(self, ends: Mapping[str, Ends], now: float) -> None:
        """Take in where partitions end at *now* (s, monotonic).

        A transaction is known by the offset at which it holds its partition: when that moves,
        the one before is over.
        """
        since = {}
        for name, found in ends.items():
            if found.is_held:
                at, seen = self._since.get(name, (found.stable, now))
                since[name] = (found.stable, seen if at == found.stable else now)
        self._since = since
        self.held = {name: Held(at, now - seen) for name, (at, seen) in since.items() if now > seen}


def has_nothing_to_read(pos: int, ends: Ends | None, *, now: float, patience: float) -> bool:
    """Return whether a state at *pos* has all that its broker would give it.

    Known only if the broker answered within *patience* (s): a client that no longer asks proves
    nothing.
    """
    return ends is not None and now - ends.at <= patience and pos >= ends.stable
