"""Which open transactions hold back what the judges wait for, asked of Kafka while they wait.

Whether a record counts is known when its transaction ends, and records count in the order of the
log: an open transaction holds back its partition, and with it all judging. Whoever is told that
the stream is blind has to know that it is this, on which partition, whose, and for how long.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError
from kafka.protocol.consumer import IsolationLevel, OffsetSpec

from governance.desk import Desk
from governance.frontier import Frontiers
from schemas.topics import BREAKER_ACTIONS, COMMAND_EVENTS, RULES, STATE, TALLIES
from schemas.wire import from_ms

READ: Final = (COMMAND_EVENTS, TALLIES, BREAKER_ACTIONS, RULES, STATE)
"""The topics without whose next record nothing is judged, or no judge is heard."""

PAUSE: Final = 1.0
"""Seconds between two looks."""

PATIENCE: Final = 5_000
"""Milliseconds that Kafka has to answer."""

LONG: Final = timedelta(seconds=1)
"""A transaction that has been open for less explains nothing: producers end them all the time."""

NAME: Final = 100
"""Characters of a transactional id that are shown."""


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction whose first record in a partition stands at ``offset``.

    ``name`` is its transactional id, None where Kafka does not tell; ``since`` is when it began,
    or, where Kafka does not tell, when we first saw it.
    """

    topic: str
    partition: int
    offset: int
    since: datetime | None = None
    name: str | None = None


class TransactionWatch:
    """Looks for open transactions while the judges are behind; ``found`` is what holds them."""

    def __init__(
        self,
        desk: Desk,
        frontiers: Frontiers,
        bootstrap_servers: str,
        *,
        wait: Callable[[float], None],
    ) -> None:
        self._desk = desk
        self._frontiers = frontiers
        self._servers = bootstrap_servers
        self._wait = wait
        self._admin: Any = None
        self.found: Sequence[OpenTransaction] = ()

    def turn(self) -> None:
        """Look if there is need to, then wait a second.

        Raises:
            KafkaError: Kafka does not answer.
        """
        now = self._desk.clock()
        self.found = self._look(now) if self._is_behind(now) else ()
        self._wait(PAUSE)

    def close(self) -> None:
        """Let go of the connection; nothing is known without it."""
        admin, self._admin, self.found = self._admin, None, ()
        if admin is not None:
            admin.close()

    def _is_behind(self, now: datetime) -> bool:
        """Tell whether blindness is near, so that its reason is known when it is told."""
        age = self._frontiers.age(now)
        return age is None or age > timedelta(seconds=self._desk.settings.blind_after_seconds) / 2

    def _look(self, now: datetime) -> list[OpenTransaction]:
        """Return what is open now, the eldest first."""
        if self._admin is None:
            self._admin = KafkaAdminClient(
                bootstrap_servers=self._servers.split(","),
                bootstrap_timeout_ms=PATIENCE,
                request_timeout_ms=PATIENCE,
            )
        names = [self._desk.settings.topic(topic.name) for topic in READ]
        known = {(one.topic, one.partition, one.offset): one for one in self.found}
        found = []
        for one in open_transactions(self._admin, names):
            before = known.get((one.topic, one.partition, one.offset))
            seen = before.since if before is not None else now
            found.append(one if one.since is not None else replace(one, since=seen))
        return sorted(found, key=lambda one: (one.since or now, one.topic, one.partition))


def reason_of(found: Iterable[OpenTransaction], now: datetime) -> str | None:
    """Return in words what is held back by the eldest of *found*, None if none is old enough."""
    long = [one for one in found if one.since is not None and now - one.since >= LONG]
    if not long:
        return None
    eldest = long[0]
    age = now - (eldest.since or now)
    name = "" if eldest.name is None else f" ({eldest.name[:NAME]!a})"
    more = "" if len(long) == 1 else f", and one on each of {len(long) - 1} other partitions"
    return (
        f"a transaction{name} has been open for {age.total_seconds():.0f} s on "
        f"{eldest.topic}/{eldest.partition}{more}; what comes after it waits until it ends"
    )


def open_transactions(admin: Any, topics: Collection[str]) -> list[OpenTransaction]:
    """Return the transaction that holds back each partition of *topics*, where one does.

    Raises:
        KafkaError: Kafka does not answer.
    """
    places = [
        TopicPartition(topic["name"], partition["partition_index"])
        for topic in admin.describe_topics(list(topics))
        for partition in topic["partitions"]
    ]
    asked = dict.fromkeys(places, OffsetSpec.LATEST)
    # In this order: a transaction that ends meanwhile is no open one.
    high = admin.list_partition_offsets(asked)
    stable = admin.list_partition_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED)
    held = {
        place: stable[place].offset for place in places if stable[place].offset < high[place].offset
    }
    producers = _producers(admin, held)
    began = _transactions(admin, set(producers.values()))
    found = []
    for place, offset in held.items():
        name, since = began.get(producers.get(place, -1), (None, None))
        found.append(OpenTransaction(place.topic, place.partition, offset, since, name))
    return found


def _producers(admin: Any, held: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """Return the id of the producer that holds each partition, where Kafka tells us."""
    try:
        states = admin.describe_producers(list(held)) if held else {}
    except KafkaError:  # an older broker, or no right to ask
        return {}
    return {
        place: one.producer_id
        for place, state in states.items()
        for one in state.active_producers
        if one.current_transaction_start_offset == held[place]
    }


def _transactions(
    admin: Any, producers: Collection[int]
) -> dict[int, tuple[str | None, datetime | None]]:
    """Return name and beginning of the transactions of *producers*, where Kafka tells us."""
    try:
        listed = admin.list_transactions(producer_id_filters=list(producers)) if producers else {}
        names = [one.transactional_id for rows in listed.values() for one in rows]
        described = admin.describe_transactions(names) if names else {}
    except KafkaError:
        return {}
    return {
        one.producer_id: (name, _moment(one.transaction_start_time_ms))
        for name, one in described.items()
    }


def _moment(milliseconds: int) -> datetime | None:
    """Return when a transaction began; coordinators say -1 of one that has not."""
    return from_ms(milliseconds) if milliseconds > 0 else None
