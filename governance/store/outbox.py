"""What Kafka is still to be told: written with the change itself, published afterwards."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from governance.store.tables import outbox
from schemas.wire import iso


class OutboxRow(NamedTuple):
    """One record for Kafka; ``seq`` is its place in the order, ``topic`` has no prefix."""

    seq: int
    topic: str
    key: str
    value: str
    created_at: str


_FIELDS = (outbox.c.seq, outbox.c.topic, outbox.c.key, outbox.c.value, outbox.c.created_at)


_WAITING = (outbox.c.published_at.is_(None), outbox.c.refused.is_(None))

SUPERSEDED: Final = "superseded"
"""What stands for the reason once a newer record of the same key makes this one untrue."""

_REFUSED = (outbox.c.published_at.is_(None), outbox.c.refused != SUPERSEDED)


class RefusedRow(NamedTuple):
    """A record that Kafka refused, and why."""

    row: OutboxRow
    why: str


class OutboxShelf:
    """Puts records in, and hands them to the relay in order."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, topic: str, key: str, value: bytes, *, at: datetime) -> None:
        """Add a record for *topic* (without prefix) to the end."""
        self._connection.execute(
            insert(outbox),
            {"topic": topic, "key": key, "value": value.decode(), "created_at": iso(at)},
        )

    def repeat(self, topic: str, key: str, *, at: datetime) -> None:
        """Add the newest record of *key* once more, as it is, if there is any."""
        last = (
            select(outbox.c.value)
            .where(outbox.c.topic == topic, outbox.c.key == key)
            .order_by(outbox.c.seq.desc())
            .limit(1)
        )
        value = self._connection.execute(last).scalar()
        if value is not None:
            self.put(topic, key, value.encode(), at=at)

    def unpublished(self, limit: int, *, topic: str | None = None) -> list[OutboxRow]:
        """Return the oldest *limit* records that wait to be published, in order.

        All of them, or those for one *topic* (without prefix).
        """
        wanted = select(*_FIELDS).where(*_WAITING).order_by(outbox.c.seq).limit(limit)
        if topic is not None:
            wanted = wanted.where(outbox.c.topic == topic)
        return [OutboxRow(*row) for row in self._connection.execute(wanted)]

    def set_aside(self, seq: int, why: str) -> None:
        """Remember that Kafka refused one record; it stays, and holds nothing back."""
        self._connection.execute(update(outbox).where(outbox.c.seq == seq).values(refused=why))

    def refused(self, limit: int) -> list[RefusedRow]:
        """Return the oldest *limit* records that were set aside and are still to be told."""
        wanted = (
            select(*_FIELDS, outbox.c.refused).where(*_REFUSED).order_by(outbox.c.seq).limit(limit)
        )
        found = self._connection.execute(wanted)
        return [RefusedRow(OutboxRow(*row[:-1]), row[-1]) for row in found]

    def count_refused(self) -> int:
        """Return how many records were set aside and are still to be told."""
        wanted = select(func.count()).select_from(outbox).where(*_REFUSED)
        return int(self._connection.execute(wanted).scalar_one())

    def drop_superseded(self, topics: Collection[str]) -> int:
        """Give up what was set aside and has a successor of the same key; return how many.

        Of *topics* only the last record of a key counts: to tell an older one later would take
        the newer one back. The rows stay.
        """
        later = outbox.alias()
        has_successor = (
            select(later.c.seq)
            .where(
                later.c.topic == outbox.c.topic,
                later.c.key == outbox.c.key,
                later.c.seq > outbox.c.seq,
            )
            .exists()
        )
        gone = (
            update(outbox)
            .where(*_REFUSED, outbox.c.topic.in_(sorted(topics)), has_successor)
            .values(refused=SUPERSEDED)
        )
        return int(self._connection.execute(gone).rowcount)

    def waiting_row(self, seq: int) -> OutboxRow | None:
        """Return one record that was not marked published, or None."""
        wanted = select(*_FIELDS).where(outbox.c.seq == seq, outbox.c.published_at.is_(None))
        found = self._connection.execute(wanted).first()
        return OutboxRow(*found) if found else None

    def after(self, seq: int, *, topics: Collection[str], limit: int) -> list[OutboxRow]:
        """Return the oldest *limit* records of *topics* behind number *seq*, in order."""
        wanted = (
            select(*_FIELDS)
            .where(outbox.c.seq > seq, outbox.c.topic.in_(sorted(topics)))
            .order_by(outbox.c.seq)
            .limit(limit)
        )
        return [OutboxRow(*row) for row in self._connection.execute(wanted)]

    def recent(self, topics: Collection[str], *, since: datetime) -> list[tuple[OutboxRow, bool]]:
        """Return the records of *topics* that wait or were published at or after *since*, in order.

        Each with whether it waits: what was read of Kafka since then may not show it yet.
        """
        wanted = (
            select(*_FIELDS, outbox.c.published_at)
            .where(
                outbox.c.topic.in_(sorted(topics)),
                or_(outbox.c.published_at.is_(None), outbox.c.published_at >= iso(since)),
            )
            .order_by(outbox.c.seq)
        )
        found = self._connection.execute(wanted)
        return [(OutboxRow(*row[:-1]), row[-1] is None) for row in found]

    def mark_published(self, seqs: Sequence[int], now: datetime) -> None:
        """Remember that the records numbered *seqs* reached Kafka."""
        self._connection.execute(
            update(outbox).where(outbox.c.seq.in_(seqs)).values(published_at=iso(now), refused=None)
        )

    def withdraw(self, seqs: Sequence[int]) -> None:
        """Forget records that wait and must not be told any more."""
        self._connection.execute(delete(outbox).where(outbox.c.seq.in_(seqs)))

    def waiting(self) -> tuple[int, str | None]:
        """Return how many records wait, and since when the oldest does."""
        wanted = select(func.count(), func.min(outbox.c.created_at)).where(*_WAITING)
        count, oldest = self._connection.execute(wanted).one()
        return int(count), oldest

    def last(self) -> int:
        """Return the number of the newest record, 0 before any."""
        return int(self._connection.execute(select(func.max(outbox.c.seq))).scalar() or 0)

    def prune(self, before: datetime, *, keep: int) -> int:
        """Forget records published before *before*, save the newest *keep*; return how many."""
        gone = delete(outbox).where(
            outbox.c.published_at < iso(before), outbox.c.seq <= self.last() - keep
        )
        return int(self._connection.execute(gone).rowcount)
