"""A Faust transport that hands agents whole partition batches.

An ordinary agent costs 100 µs and more per event, because Faust's consumer makes several tasks
for each message; here one message stands for all that one poll brought of one partition, about
5 µs per event. Every private name of Faust that is touched is in this file; the pinned minor
version and a contract test watch over them.

Only what was committed is read (`streams.stretch`), and a batch says how far it reaches: also
where a transaction ended and nothing else came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.batch import Batch
from streams.stretch import READ_COMMITTED, Ends, Stretch, ends_of, read_stretches


@dataclass(slots=True)
class Parcel:
    """What Faust takes for one record: it stands at the end of a batch, which is its value."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: Batch
    timestamp_type: int = 1
    headers: tuple[()] = ()
    key: None = None
    checksum: None = None
    serialized_key_size: int = 0
    serialized_value_size: int = 0


def parcel(tp: TP, stretch: Stretch) -> Parcel:
    """Return one parcel of a stretch of partition *tp*; it may hold no record at all."""
    records = stretch.records
    batch = Batch(
        tp.partition,
        [record.offset for record in records],
        [record.timestamp for record in records],
        [record.value for record in records],
        [record.key for record in records],
        (stretch.start, stretch.end),
    )
    stamped = records[-1].timestamp if records else 0
    return Parcel(tp.topic, tp.partition, stretch.end - 1, stamped, batch)


class Thread(driver.AIOKafkaConsumerThread):
    """The thread of Faust's consumer: it reads what was committed, and knows how far."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust reads uncommitted records, unless it writes transactions itself.
        consumer._isolation_level = READ_COMMITTED
        return consumer

    async def _fetch_records(  # the parameters' names are Faust's
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109
        max_records: int | None = None,
    ) -> Any:
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():
            return await read_stretches(fetcher, active_partitions, timeout or 0.0)

    def ends(self, tp: TP) -> Ends | None:
        """Return where *tp* ends, as the last answer of its broker said."""
        return ends_of(self._ensure_consumer(), tp)


class Consumer(driver.Consumer):
    """A consumer of whole batches; what may be committed is said by `durable`, not by acks."""

    poll_wait: float = 0.01
    """Seconds to wait before each poll: a batch of several events costs what one costs."""

    durable: Mapping[TP, int] = {}
    """The offset up to which a flush covers each partition."""

    def _new_consumer_thread(self) -> Thread:
        return Thread(self, loop=self.loop, beacon=self.beacon)

    def ends(self, tp: TP) -> Ends | None:
        """Return where *tp* ends as far as known, None while it is not assigned to us."""
        found: Ends | None = self._thread.ends(tp)
        return found

    async def _getmany(  # the parameter's name is Faust's
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109
    ) -> Any:
        await asyncio.sleep(self.poll_wait)
        records = await super()._getmany(active_partitions, timeout)
        return {tp: [parcel(tp, found)] for tp, found in records.items()}

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self.durable.get(tp)

    def join_anew(self) -> None:
        """Have the group shared out again; only its leader's asking does that, and it may be us."""
        thread = self._thread
        if thread._consumer is not None:
            coordinator = thread._consumer._coordinator
            thread.thread_loop.call_soon_threadsafe(coordinator.request_rejoin)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: each batch looks like a gap to Faust, and merging those is quadratic."""


def consumer_of(*, durable: Mapping[TP, int], poll_wait: float) -> type[Consumer]:
    """Return the consumer class of one app: Faust makes the consumer itself, from a class."""

    class Own(Consumer):
        """The consumer of one app."""

    Own.durable, Own.poll_wait = durable, poll_wait
    return Own


class Transport(driver.Transport):
    """The transport that makes such consumers."""

    Consumer = Consumer
