"""News as it is committed: waited for, and read again from any number on.

The outbox is the one ordered list of what the world is told, so it is also what pages and
streams of server-sent events follow; its numbers are their ``Last-Event-ID``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Final

from governance.store import Store
from governance.store.outbox import OutboxRow
from schemas.topics import ALERTS, RULES, STATE

TOPICS: Final = (ALERTS.name, RULES.name, STATE.name)
"""The topics (without prefix) whose news can be followed."""


class Feed:
    """Lets any number of followers wait for news, each at its own pace."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._commits = 0
        self._listeners: dict[int, Callable[[], None]] = {}
        self._listened = 0
        self._looked = -1
        store.on_commit(self._tell)

    def last(self) -> int:
        """Return the number of the newest news, 0 before any."""
        with self._store.reading() as unit:
            return unit.outbox.last()

    def after(
        self, seq: int, *, topics: Collection[str] = TOPICS, limit: int = 100
    ) -> list[OutboxRow]:
        """Return the oldest *limit* news behind number *seq*, in order; never waits.

        News that was published more than a day ago may be gone, but the newest 10,000.
        """
        with self._store.reading() as unit:
            return unit.outbox.after(seq, topics=topics, limit=limit)

    def look(self) -> None:
        """Tell everybody if another process has committed news: a standby, or the active service.

        Raises:
            Unavailable: the database does not answer.
        """
        last = self.last()
        if last != self._looked:
            self._looked = last
            self._tell()

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until something was committed since *seen* commits, or *timeout* seconds passed.

        Returns the present number of commits, to hand in the next time. Start with `commits`,
        read with `after`, then wait: what is committed in between is not missed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._commits != seen, timeout)
            return self._commits

    @property
    def commits(self) -> int:
        """Return how many commits there were since the start."""
        return self._commits

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call *listener* after each commit, from the thread that committed; returns how to stop.

        It must be quick and must not raise: ``loop.call_soon_threadsafe(event.set)`` is both.
        """
        with self._changed:
            self._listened += 1
            number = self._listened
            self._listeners[number] = listener
        return lambda: self._forget(number)

    def _forget(self, number: int) -> None:
        """Stop calling a listener."""
        with self._changed:
            self._listeners.pop(number, None)

    def _tell(self) -> None:
        """Wake everybody."""
        with self._changed:
            self._commits += 1
            self._changed.notify_all()
            listeners = list(self._listeners.values())
        for listener in listeners:
            listener()
