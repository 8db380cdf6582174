"""A Faust transport that hands agents whole partition batches.

An ordinary agent costs 100 µs and more per event, because Faust's consumer makes several tasks
for each message; here one message stands for all that one poll brought of one partition, about
5 µs per event. Every private name of Faust that is touched is in this file; the pinned minor
version and a contract test watch over them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.batch import Batch


@dataclass(slots=True)
class Parcel:
    """What Faust takes for one record: the last of a batch, holding them all as its value."""

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


def parcel(tp: TP, records: list[Any]) -> Parcel:
    """Return one parcel of all *records* of partition *tp*; there is at least one."""
    batch = Batch(
        tp.partition,
        [record.offset for record in records],
        [record.timestamp for record in records],
        [record.value for record in records],
        [record.key for record in records],
    )
    last = records[-1]
    return Parcel(tp.topic, tp.partition, last.offset, last.timestamp, batch)


class Consumer(driver.Consumer):
    """A consumer of whole batches; what may be committed is said by `durable`, not by acks."""

    poll_wait: float = 0.01
    """Seconds to wait before each poll: a batch of several events costs what one costs."""

    durable: Mapping[TP, int] = {}
    """The offset up to which a flush covers each partition."""

    async def _getmany(  # the parameter's name is Faust's
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109
    ) -> Any:
        await asyncio.sleep(self.poll_wait)
        records = await super()._getmany(active_partitions, timeout)
        return {tp: [parcel(tp, found)] for tp, found in records.items() if found}

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
