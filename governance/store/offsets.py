"""How far each topic was read: kept beside what was read, in the same transaction."""

from __future__ import annotations

from sqlalchemy import Connection, select

from governance.store.tables import consumer_offsets, tally_cuts
from governance.store.upsert import upsert


class OffsetShelf:
    """The positions of the consumers; the database's are the truth, Kafka's are not asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def next_offset(self, topic: str, partition: int) -> int | None:
        """Return the first offset that was not applied yet, or None before any."""
        wanted = select(consumer_offsets.c.next_offset).where(
            consumer_offsets.c.topic == topic, consumer_offsets.c.partition == partition
        )
        found: int | None = self._connection.execute(wanted).scalar()
        return found

    def all(self) -> list[tuple[str, int, int]]:
        """Return every topic, partition and next offset, in this order."""
        wanted = select(consumer_offsets).order_by(
            consumer_offsets.c.topic, consumer_offsets.c.partition
        )
        return [
            (row.topic, row.partition, row.next_offset) for row in self._connection.execute(wanted)
        ]

    def save(self, topic: str, partition: int, next_offset: int) -> None:
        """Remember that everything before *next_offset* was applied."""
        upsert(
            self._connection,
            consumer_offsets,
            [{"topic": topic, "partition": partition, "next_offset": next_offset}],
        )

    def cuts(self, topic: str) -> dict[tuple[int, int], int]:
        """Return the ``upto`` of the last cut counted, by (tallies partition, source)."""
        wanted = select(tally_cuts).where(tally_cuts.c.topic == topic)
        return {
            (row.partition, row.source_partition): row.upto
            for row in self._connection.execute(wanted)
        }

    def save_cuts(self, topic: str, cuts: dict[tuple[int, int], int]) -> None:
        """Remember the last cut counted, by (tallies partition, source)."""
        upsert(
            self._connection,
            tally_cuts,
            [
                {"topic": topic, "partition": part, "source_partition": source, "upto": upto}
                for (part, source), upto in sorted(cuts.items())
            ],
        )
