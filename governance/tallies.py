"""From ``tallies`` into minutes: what the metrics of hours and days are read from.

The judges read the same topic for the windows of rules; this reader keeps no windows, only sums
by minute of event time. Each cut counts once: which was the last of each source partition is
written in the transaction that writes the counts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from governance.desk import Desk
from governance.kafka_reader import KafkaReader, Pulse
from governance.metrics import PeriodMetrics, metrics_of
from governance.minutes import Minutes
from governance.store.minutes import MINUTE
from schemas.tallies import OVERALL, WIDTH, Counts, Cuts
from schemas.topics import TALLIES
from schemas.wire import from_ms, to_ms

log = logging.getLogger(__name__)

BATCH: Final = 1_000
"""Records taken at a time."""

FLUSH: Final = 3.0
"""Seconds between two writes while something is counted; readers see what is not yet written."""

RARELY: Final = 60.0
"""Seconds after which empty cuts alone move the stored offsets."""

WRITTEN: Final = "tallies#batches"
"""The row of the offsets that holds the number of the last batch written."""


class TallyConsumer:
    """Takes turns at counting what ``tallies`` says, and answers what was counted."""

    def __init__(self, desk: Desk, bootstrap_servers: str) -> None:
        self._desk = desk
        self._servers = bootstrap_servers
        self._topic = desk.settings.topic(TALLIES.name)
        self._decoder = msgspec.msgpack.Decoder(Cuts)
        self._reader: KafkaReader | None = None
        self._minutes = Minutes()
        self._cuts: dict[tuple[int, int], int] = {}
        self._offsets: dict[int, int] = {}
        self._flushed_at = 0.0
        self._since_start: Counts = [0] * WIDTH
        self.malformed = 0

    @property
    def pulse(self) -> Pulse | None:
        """Return when Kafka last answered, or None while it is not read."""
        reader = self._reader
        return reader.pulse if reader else None

    def turn(self) -> None:
        """Read and count what is new, and write it every few seconds.

        Raises:
            Unavailable: the database is busy or away; what was not written is read again.
            KafkaError: Kafka does not answer.
        """
        reader = self._reader or self._open()
        for partition, records in reader.poll(BATCH).items():
            self._count(partition, records)
        elapsed = time.monotonic() - self._flushed_at
        if elapsed > (FLUSH if self._minutes.filling.counts else RARELY):
            self._flush()

    def close(self) -> None:
        """Let go of the reader; what was not written is read again by the next."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def forget(self) -> None:
        """Forget what was not written, too: another service counts it now."""
        self.close()
        self._minutes = Minutes()

    def counts(self, start: datetime, end: datetime, *, scope: str = OVERALL) -> Counts:
        """Return what the minutes that begin in ``[start, end)`` hold, written or not.

        Raises:
            Unavailable: the database does not answer.
        """
        with self._desk.store.reading() as unit:
            total = unit.minutes.total(start, end, scope=scope)
            written = unit.offsets.next_offset(WRITTEN, 0) or 0
        first, last = (-(-to_ms(moment) // MINUTE) for moment in (start, end))
        fresh = self._minutes.since(written, scope=scope, first=first, last=last)
        return [old + new for old, new in zip(total, fresh, strict=True)]

    def metrics(self, start: datetime, end: datetime, *, scope: str = OVERALL) -> PeriodMetrics:
        """Return counts and rates from *start* to *end*, widened to whole minutes.

        The minute that holds *start* counts as a whole, and so does the one that holds *end*.

        Raises:
            Unavailable: the database does not answer.
        """
        first = from_ms(to_ms(start) // MINUTE * MINUTE)
        last = from_ms(-(-to_ms(end) // MINUTE) * MINUTE)
        return metrics_of(self.counts(first, last, scope=scope), start=first, end=last)

    def counted_since_start(self) -> Counts:
        """Return what was written overall since this process began; it only grows."""
        return list(self._since_start)

    def _open(self) -> KafkaReader:
        """Open the topic where the database says, and forget what was not written."""
        with self._desk.store.reading() as unit:
            self._minutes = Minutes(unit.offsets.next_offset(WRITTEN, 0) or 0)
            self._cuts = unit.offsets.cuts(self._topic)
        self._offsets = {}
        self._flushed_at = time.monotonic()
        self._reader = KafkaReader(
            self._servers, self._topic, client_id="governance-tallies", next_offset=self._stored
        )
        return self._reader

    def _stored(self, partition: int) -> int | None:
        """Return the offset that the database holds."""
        with self._desk.store.reading() as unit:
            return unit.offsets.next_offset(self._topic, partition)

    def _count(self, partition: int, records: Sequence[Any]) -> None:
        """Count the cuts of *records* that were not counted before."""
        for record in records:
            try:
                self._add(partition, self._decoder.decode(record.value or b""))
            except msgspec.DecodeError as error:
                self.malformed += 1
                where = f"{self._topic}-{partition}@{record.offset}"
                log.error("%s: a record that nobody can read was passed over: %s", where, error)
        self._offsets[partition] = records[-1].offset + 1

    def _add(self, partition: int, cuts: Cuts) -> None:
        """Count the cuts of one message: each once, whoever sent it how often."""
        source = (partition, cuts.partition)
        for cut in cuts.cuts:
            last = self._cuts.get(source)
            if last is not None and cut.upto <= last:
                continue
            if last is not None and cut.frm > last:
                log.error("%s: cuts from %d to %d are missing", self._topic, last, cut.frm)
            self._minutes.add(cut)
            self._cuts[source] = cut.upto

    def _flush(self) -> None:
        """Write what was counted, with the positions that it stands for, in one transaction.

        Raises:
            Standby: another service is the active one, and counts them.
            Unavailable: the database is busy or away.
        """
        if not self._offsets:
            return
        batch = self._minutes.close_batch()
        with self._desk.store.writing() as unit:
            unit.minutes.add(batch.counts)
            unit.offsets.save_cuts(self._topic, self._cuts)
            unit.offsets.save(WRITTEN, 0, batch.number)
            for partition, offset in self._offsets.items():
                unit.offsets.save(self._topic, partition, offset)
        self._flushed_at = time.monotonic()
        for (_, scope), counts in batch.counts.items():
            if scope == OVERALL:
                self._since_start = [a + b for a, b in zip(self._since_start, counts, strict=True)]
