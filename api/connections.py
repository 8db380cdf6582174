"""Connections: how many may be open, and which is given up when there is no room.

    accepted ──► waits for its client ──► is answered ──► waits for its client ──► ...
                  │ too long: closed         never closed to make room
                  └ no room for a newcomer: who waits longest goes

Accepting therefore always works. A connection waits for its client while it is idle, while a
request is on its way, and while an answer is not taken; whoever opens thousands of these only
pushes out their own. Nothing here reads a clock or knows a socket.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Final, Protocol

MOST: Final = 1_000
"""Open connections; a hundred followers of the stream and every person's tools need far fewer."""

PATIENCE: Final = 9.0
"""Seconds that a connection waits for its client: with a sweep's pause, less than ten."""

TOO_SLOW: Final = "too_slow"
NO_ROOM: Final = "no_room"
"""Why connections are ended."""


class Connection(Protocol):
    """What is counted: where it comes from, and how it is ended."""

    @property
    def address(self) -> str:
        """Where its client is."""

    def has_moved(self) -> bool:
        """Whether its client took something of an answer since this was asked last."""

    def give_up(self) -> None:
        """End it at once."""


class Connections:
    """Every open connection, and since when those wait that wait for their client.

    Args:
        most: How many may be open; half of them may come from one address.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.per_address = max(1, most // 2)
        self.ended = Counter({TOO_SLOW: 0, NO_ROOM: 0})
        self._open: set[Connection] = set()
        self._addresses: Counter[str] = Counter()
        self._waiting: OrderedDict[Connection, float] = OrderedDict()

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    def admit(self, connection: Connection, now: float) -> Connection | None:
        """Count a new connection, which waits; return the one that is given up for it, if any.

        That is the one which waits longest, and the newcomer itself where all others are being
        answered.
        """
        self._open.add(connection)
        self._addresses[connection.address] += 1
        self.wait(connection, now)
        if self._addresses[connection.address] > self.per_address:
            return self._give_up(connection.address)
        return self._give_up(None) if len(self._open) > self.most else None

    def wait(self, connection: Connection, now: float) -> None:
        """Note that *connection* waits for its client from *now* on."""
        if connection in self._open:
            self._waiting[connection] = now
            self._waiting.move_to_end(connection)

    def keep_waiting(self, connection: Connection, now: float) -> None:
        """Note that *connection* waits for its client, from *now* on if it did not before."""
        if connection not in self._waiting:
            self.wait(connection, now)

    def answer(self, connection: Connection) -> None:
        """Note that it is our turn on *connection*: it is not closed."""
        self._waiting.pop(connection, None)

    def forget(self, connection: Connection) -> None:
        """Stop counting *connection*; twice is as good as once."""
        self._waiting.pop(connection, None)
        if connection in self._open:
            self._open.remove(connection)
            self._addresses[connection.address] -= 1
            if not self._addresses[connection.address]:
                del self._addresses[connection.address]

    def sweep(self, now: float) -> None:
        """End what has waited for too long, unless its client takes an answer meanwhile."""
        for connection in list(self._overdue(now)):
            if connection.has_moved():
                self.wait(connection, now)
            else:
                self._end(connection, TOO_SLOW)

    def _overdue(self, now: float) -> Iterator[Connection]:
        """Yield what has waited for too long, the longest first."""
        for connection, since in self._waiting.items():
            if now - since < PATIENCE:
                return
            yield connection

    def _give_up(self, address: str | None) -> Connection | None:
        """End what waits longest, of *address* if one is given."""
        for connection in self._waiting:
            if address is None or connection.address == address:
                self._end(connection, NO_ROOM)
                return connection
        return None

    def _end(self, connection: Connection, reason: str) -> None:
        """End *connection* for *reason*, and count it no more."""
        self.ended[reason] += 1
        self.forget(connection)
        connection.give_up()


def most_of(descriptors: int) -> int:
    """Return how many connections a process of so many descriptors may have open.

    The other half is for the database, Kafka, the log and what was accepted and is not counted
    yet.

    >>> most_of(524_288), most_of(1_024)
    (1000, 512)
    """
    return min(MOST, descriptors // 2)
