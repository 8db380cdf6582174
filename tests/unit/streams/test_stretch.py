"""A stretch is what a client drained, from one position to the next, records or none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from aiokafka import TopicPartition

from streams.stretch import Ends, Stretch, ends_of, read_stretches

EVENTS: Final = TopicPartition("command-events", 0)
TALLIES: Final = TopicPartition("tallies", 1)


class Fetcher:
    """A fetcher in memory: each drain is a script's next step."""

    def __init__(self, *drains: Callable[[Fetcher], dict[TopicPartition, list[str]]]) -> None:
        self.positions: dict[TopicPartition, int | None] = {EVENTS: 5, TALLIES: None}
        self.drains = list(drains)
        self.waiters: list[asyncio.Future[None]] = []
        self.waits = asyncio.Event()
        self._closed = False
        assignment = SimpleNamespace(tps=self.positions.keys(), state_value=self._state)
        self._subscriptions = SimpleNamespace(
            reassignment_in_progress=False,
            subscription=SimpleNamespace(assignment=assignment),
        )

    def _state(self, tp: TopicPartition) -> Any:
        position = self.positions[tp]
        return SimpleNamespace(has_valid_position=position is not None, position=position)

    async def fetched_records(  # the parameters' names are aiokafka's
        self,
        partitions: Any,
        timeout: float,  # noqa: ASYNC109
    ) -> dict[Any, list[str]]:
        """Return what the next step of the script drains."""
        assert timeout == 0
        return self.drains.pop(0)(self) if self.drains else {}

    def _create_fetch_waiter(self) -> asyncio.Future[None]:
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        self.waits.set()
        return waiter


def drained(
    until: int, *records: str, tp: TopicPartition = EVENTS
) -> Callable[[Fetcher], dict[TopicPartition, list[str]]]:
    """Return a step that moves the position to *until* and brings *records*."""

    def step(fetcher: Fetcher) -> dict[TopicPartition, list[str]]:
        fetcher.positions[tp] = until
        return {tp: list(records)} if records else {}

    return step


async def test_a_stretch_reaches_as_far_as_the_position_moved() -> None:
    """Whatever lies between the records, and after the last."""
    fetcher = Fetcher(drained(9, "r6", "r7"))
    assert await read_stretches(fetcher, [EVENTS], 1.0) == {EVENTS: Stretch(5, 9, ["r6", "r7"])}


async def test_what_holds_no_record_comes_at_once() -> None:
    """The end of a transaction is news: the log is read to its end."""
    fetcher = Fetcher(drained(6))
    assert await read_stretches(fetcher, [EVENTS], 60.0) == {EVENTS: Stretch(5, 6, [])}


async def test_a_place_that_was_not_known_before_begins_no_stretch() -> None:
    """A position that was only just set says nothing of what came before it."""
    fetcher = Fetcher(drained(40, tp=TALLIES))
    assert await read_stretches(fetcher, [EVENTS], 0.0) == {}


async def test_nothing_comes_when_its_time_is_over() -> None:
    """And whoever waited is no longer waited for."""
    fetcher = Fetcher()
    assert await read_stretches(fetcher, [EVENTS], 0.01) == {}
    assert [waiter.cancelled() for waiter in fetcher.waiters] == [True]


async def test_a_seek_while_it_waits_is_not_part_of_a_stretch() -> None:
    """Only what a drain itself moved was read."""
    fetcher = Fetcher(lambda _: {}, drained(22, "r20", "r21"))
    task = asyncio.create_task(read_stretches(fetcher, [EVENTS], 60.0))
    await fetcher.waits.wait()
    fetcher.positions[EVENTS] = 20
    fetcher.waiters[0].set_result(None)
    assert await task == {EVENTS: Stretch(20, 22, ["r20", "r21"])}


def test_where_a_partition_ends_is_known_once_its_broker_answered() -> None:
    """Not before, and not of a partition that is another's."""
    states: dict[TopicPartition, Any] = {
        EVENTS: SimpleNamespace(highwater=9, lso=7, timestamp=1_500),
        TALLIES: SimpleNamespace(highwater=None, lso=None, timestamp=None),
    }
    assignment = SimpleNamespace(state_value=states.get)
    subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))
    consumer = SimpleNamespace(_subscription=subscription)
    assert ends_of(consumer, EVENTS) == Ends(7, 9, 1.5)
    assert ends_of(consumer, EVENTS).is_held  # type: ignore[union-attr]
    assert ends_of(consumer, TALLIES) is None
    assert ends_of(consumer, TopicPartition("tallies", 5)) is None
