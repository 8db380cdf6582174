"""What a tally remembers of ids and scope values, in two generations.

A generation ends after 15 minutes of the partition's clock or when it holds half of the most
ids that may be remembered; the one before it is then forgotten. So an id counts once within 15
minutes, or within the last 250,000 ids of its partition if those come sooner, in bounded memory,
and the last two generations of changelog records are all that a recovery needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.tallies import ID_LIMIT, ID_MEMORY, OTHER
from streams.codec import Decoded
from streams.deltas import Generation

OVERFLOW_SHOWN: Final = 10_000
"""Values beyond the cap that a generation tells apart, so that a flood costs no memory."""


class Memory:
    """The ids and scope values of the present generation and of the one before it."""

    def __init__(self, scope_limit: int) -> None:
        self.scope_limit = scope_limit
        self.number = 0
        self.start: int | None = None
        # Sets keep the hashes of what they hold: a look-up reads one line of memory, not two.
        self.ids: set[str] = set()
        self.ids_before: set[str] = set()
        self.values: dict[str, set[str]] = {}
        self.values_before: dict[str, set[str]] = {}
        self.horizon = ID_MEMORY
        self.protected: frozenset[str] = frozenset()
        self._overflow: set[int] = set()
        self._overflow_before: set[int] = set()
        self._news: list[Generation] = []
        self._open: Generation | None = None
        self._is_new = True

    def turn(self, clock: int) -> None:
        """Begin a new generation if this one is over at *clock*."""
        if self.start is None:
            self.start = clock
        elif clock - self.start >= ID_MEMORY or len(self.ids) >= ID_LIMIT // 2:
            self.horizon = min(ID_MEMORY, clock - self.start)
            if self._is_new:
                self._opened()
            self._begin(self.number + 1, clock)
            self._opened()

    def _begin(self, number: int, start: int | None) -> None:
        """Forget the generation before and start *number*."""
        follows = number == self.number + 1
        self.ids_before = self.ids if follows else set()
        self.values_before = self.values if follows else {}
        self.ids, self.values = set(), {}
        self._overflow_before, self._overflow = self._overflow, set()
        self.number, self.start = number, start
        self._open, self._is_new = None, True

    def knows(self, event_id: str) -> bool:
        """Return whether *event_id* has been counted lately."""
        return event_id in self.ids or event_id in self.ids_before

    def remember(self, event_id: str) -> None:
        """Remember that *event_id* has been counted."""
        self.ids.add(event_id)
        (self._open or self._opened()).ids.append(event_id)

    def remember_all(self, events: Sequence[Decoded], clock: int) -> bool:
        """Remember the ids of *events* and return True, if all are new and of known types.

        Else, or if a new generation could begin by *clock*, change nothing and return False.
        """
        known = self.values.get("commandType", set())
        kinds = {event.command_type for event in events}
        kinds.discard(None)
        if (
            self.start is None
            or clock - self.start >= ID_MEMORY
            or len(self.ids) + len(events) >= ID_LIMIT // 2
            or not (kinds <= known or kinds - known <= self.protected)
        ):
            return False
        ids = [event.id for event in events]
        new = set(ids)
        if len(new) < len(ids) or not (
            new.isdisjoint(self.ids) and new.isdisjoint(self.ids_before)
        ):
            return False
        self.ids |= new
        (self._open or self._opened()).ids.extend(ids)
        return True

    def admit(self, dimension: str, value: str) -> str:
        """Return *value*, or `OTHER` if the dimension already has as many as it may.

        A protected command type takes nobody's place, and nobody takes its.
        """
        if dimension == "commandType" and value in self.protected:
            return value
        now = self.values.setdefault(dimension, set())
        if value in now:
            return value
        before = self.values_before.get(dimension, set())
        if value not in before and len(now | before) >= self.scope_limit:
            if len(self._overflow) < OVERFLOW_SHOWN:
                self._overflow.add(hash((dimension, value)))
            return OTHER
        now.add(value)
        (self._open or self._opened()).values.append((dimension, value))
        return value

    @property
    def overflowed(self) -> int:
        """Return how many distinct values went to `OTHER` lately; only shown, never decisive."""
        return len(self._overflow | self._overflow_before)

    def _opened(self) -> Generation:
        """Return the list of this generation's news since the last flush, begun now."""
        self._open = Generation(self.number, self.start, self._is_new, [], [])
        self._is_new = False
        self._news.append(self._open)
        return self._open

    def news(self) -> list[Generation]:
        """Return what is new since the last call; at least one entry names the generation."""
        if self._open is None:
            self._opened()
        news, self._news, self._open = self._news, [], None
        return news

    def learn(self, generation: Generation) -> None:
        """Take over what a stored record remembered."""
        if generation.number > self.number:
            self._begin(generation.number, generation.start)
        if generation.number == self.number:
            self.start, self._is_new = generation.start, False
            _fill(generation, self.ids, self.values)
        elif generation.number == self.number - 1:
            _fill(generation, self.ids_before, self.values_before)


def _fill(generation: Generation, ids: set[str], values: dict[str, set[str]]) -> None:
    """Add what *generation* remembered."""
    ids.update(generation.ids)
    for dimension, value in generation.values:
        values.setdefault(dimension, set()).add(value)
