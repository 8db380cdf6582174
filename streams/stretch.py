"""Stretches of a partition as a client reads them: committed records, and how far they reach.

    offsets   17   18   19 | C | 21   22   23 | A | 25
              └── committed ─┘   └── aborted ──┘    └─ of a transaction that is still open
              [ records 17 18 19, covers 17..25 )     the last stable offset is 25

A log has offsets that are no records: each end of a transaction is marked by one, and what was
aborted is never shown. A client knows that it has read past them, though it brings nothing: its
position moves. So a stretch is what a client drained, from one position to the next, and it
needs no second look to know that nothing was lost in between.

Every private name of aiokafka that is touched is in this file; contract tests watch over them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

READ_COMMITTED: Final = "read_committed"
"""The isolation level of all our readers: what was aborted never happened."""

READ_UNCOMMITTED: Final = "read_uncommitted"
"""For questions about a log's end only: that of an open transaction may yet be committed."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """All committed records in ``[start, end)`` of a partition; there may be none."""

    start: int
    end: int
    records: list[Any]


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a partition ends, by the answer that its broker gave at ``at`` (s since 1970).

    Records from ``stable`` on wait for a transaction that is open; ``high`` is the log's end.
    """

    stable: int
    high: int
    at: float

    @property
    def is_held(self) -> bool:
        """Return whether an open transaction holds back what comes after it."""
        return self.stable < self.high


def ends_of(consumer: AIOKafkaConsumer, tp: TopicPartition) -> Ends | None:
    """Return where *tp* ends as far as *consumer* knows; None when nothing was fetched yet."""
    assignment = _assignment(consumer._subscription)
    state = assignment.state_value(tp) if assignment is not None else None
    if state is None or state.highwater is None or state.lso is None or state.timestamp is None:
        return None
    return Ends(state.lso, state.highwater, state.timestamp / 1000)


async def read_stretches(
    fetcher: Any, partitions: Collection[TopicPartition], seconds: float
) -> dict[TopicPartition, Stretch]:
    """Return what *fetcher* holds of *partitions*, waiting *seconds* for something to come.

    What comes may be a stretch without records.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        while fetcher._subscriptions.reassignment_in_progress:
            await fetcher._subscriptions.wait_for_assignment()
        found = await _drain(fetcher, partitions)
        left = deadline - loop.time()
        if found or left <= 0 or fetcher._closed:
            return found
        waiter = fetcher._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=left)
        if not done:
            waiter.cancel()
            return {}
        waiter.result()  # an error that concerns all partitions, such as a missing right


async def _drain(
    fetcher: Any, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, Stretch]:
    """Return what was fetched already.

    Without a timeout `fetched_records` never gives way to another task, so nobody seeks between
    the two looks at the positions: all that moves them is what was drained.
    """
    before = _positions(fetcher)
    drained = await fetcher.fetched_records(partitions, timeout=0)
    after = _positions(fetcher)
    return {
        tp: Stretch(start, after[tp], drained.get(tp, []))
        for tp, start in before.items()
        if tp in after and after[tp] > start
    }


def _positions(fetcher: Any) -> dict[TopicPartition, int]:
    """Return what is read next of each partition that is assigned and has a position."""
    assignment = _assignment(fetcher._subscriptions)
    states = {tp: assignment.state_value(tp) for tp in assignment.tps} if assignment else {}
    return {tp: state.position for tp, state in states.items() if state.has_valid_position}


def _assignment(subscriptions: Any) -> Any:
    """Return what is assigned now, None before anything is."""
    subscription = subscriptions.subscription
    return None if subscription is None else subscription.assignment
