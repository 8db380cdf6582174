"""The state of a partition, rebuilt from its changelog: read from the hint, check, else read all.

changelog  ... r r r [r r r r r r r r]      the last record says where reading may begin
                      ▲            ▲
                    start        last
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Generic, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.batch import Gap
from streams.checkpoint import Fold, Lost
from streams.deltas import JudgeDelta, TallyDelta

S = TypeVar("S", bound=Fold[Any])
Span = tuple[int, int]
"""Offsets ``[from, upto)``."""


class Reader:
    """Reads stretches of partitions with a consumer that belongs to no group."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def spans(self, topic: str, partitions: list[int]) -> dict[int, Span]:
        """Return the offsets that each partition holds now."""
        tps = [TopicPartition(topic, partition) for partition in partitions]
        begin = await self._consumer.beginning_offsets(tps)
        end = await self._consumer.end_offsets(tps)
        return {tp.partition: (begin[tp], end[tp]) for tp in tps}

    async def read(
        self, topic: str, wanted: Mapping[int, Span]
    ) -> AsyncIterator[tuple[int, int, bytes]]:
        """Yield ``(partition, offset, value)`` of every record in *wanted*."""
        left = {TopicPartition(topic, p): upto for p, (frm, upto) in wanted.items() if frm < upto}
        self._consumer.assign(list(left))
        for tp in left:
            self._consumer.seek(tp, wanted[tp.partition][0])
        while left:
            for tp, records in (await self._consumer.getmany(*left, timeout_ms=500)).items():
                for record in records:
                    if record.offset < left[tp] and record.value is not None:
                        yield tp.partition, record.offset, record.value
            for tp in [tp for tp, upto in left.items() if await self._has_passed(tp, upto)]:
                del left[tp]

    async def _has_passed(self, tp: TopicPartition, upto: int) -> bool:
        """Return whether everything before *upto* has been read."""
        return bool(await self._consumer.position(tp) >= upto)


class Recovery(Generic[S]):
    """Rebuilds the states of one agent's partitions."""

    def __init__(
        self,
        reader: Reader,
        *,
        changelog: str,
        make: Callable[[int, int], S],
        decode: Callable[[bytes], TallyDelta | JudgeDelta],
    ) -> None:
        self._reader = reader
        self._changelog = changelog
        self._make = make
        self._decode = decode

    async def states(self, begins: Mapping[int, int], committed: set[int]) -> dict[int, S]:
        """Return the state of each partition in *begins* (its source's first offset).

        Raises:
            Lost: the changelog of a *committed* partition is gone or lacks records, or the
                source no longer has what comes after the stored state.
        """
        spans = await self._reader.spans(self._changelog, list(begins))
        states: dict[int, S] = {}
        stored = {p: span for p, span in spans.items() if span[0] < span[1]}
        for partition in begins.keys() - stored.keys():
            if partition in committed:
                raise Lost(
                    f"{self._changelog}/{partition} holds nothing although its source is committed"
                )
            states[partition] = self._make(partition, begins[partition])
        hints = await self._hints(stored)
        states |= await self._join({p: (hints[p], span[1]) for p, span in stored.items()})
        again = {p: stored[p] for p in stored if p not in states}
        states |= await self._join(again)
        for partition in stored:
            self._check(partition, states.get(partition), begins[partition])
        return states

    async def _hints(self, spans: Mapping[int, Span]) -> dict[int, int]:
        """Return where reading may begin, as the last record of each partition says."""
        hints: dict[int, int] = {}
        last = {partition: (upto - 1, upto) for partition, (_, upto) in spans.items()}
        async for partition, _, value in self._reader.read(self._changelog, last):
            hints[partition] = max(self._decode(value).start, spans[partition][0])
        return {p: hints.get(p, span[0]) for p, span in spans.items()}

    async def _join(self, spans: Mapping[int, Span]) -> dict[int, S]:
        """Return the states whose records in *spans* join without a gap and hold everything."""
        states = {partition: self._make(partition, 0) for partition in spans}
        broken: set[int] = set()
        async for partition, offset, value in self._reader.read(self._changelog, spans):
            try:
                states[partition].apply(self._decode(value), offset)
            except Gap:
                broken.add(partition)
        return {
            partition: state
            for partition, state in states.items()
            if partition not in broken and state.is_complete()
        }

    def _check(self, partition: int, state: S | None, begin: int) -> None:
        """Refuse a state that is not whole, or whose source has been cut off after it."""
        if state is None:
            raise Lost(f"{self._changelog}/{partition} lacks records that the state needs")
        if state.resume < begin:
            raise Lost(
                f"the source of {self._changelog}/{partition} begins at {begin}, but the stored "
                f"state ends at {state.resume}: records in between are gone"
            )
