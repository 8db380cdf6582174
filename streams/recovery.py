"""The state of a partition, rebuilt from its changelog: read from the hint, check, else read all.

changelog  ... r r r [r r r r r r r r]      the last record says where reading may begin
                      ▲            ▲
                    start        last
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.settings import Settings
from schemas.topics import JUDGE_CHANGELOG
from streams.batch import Gap
from streams.checkpoint import Fold, Lost
from streams.deltas import JudgeDelta, TallyDelta, decode_judge

S = TypeVar("S", bound=Fold[Any])
Span = tuple[int, int]
"""Offsets ``[from, upto)``."""


DEAF: Final = 1.0
"""Seconds after which a consumer is told a second time to stop."""


class Reader:
    """Reads stretches of partitions with a consumer that belongs to no group."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def spans(self, topic: str, partitions: list[int]) -> dict[int, Span]:
        """Return the offsets that each partition holds now, up to an open transaction."""
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


async def stop(consumer: AIOKafkaConsumer) -> None:
    """Stop *consumer*.

    aiokafka misses that it shall stop if it is told so while it lets go of an assignment; it hears
    the second word.
    """
    await asyncio.wait_for(consumer.stop(), DEAF)


async def stored_homes(reader: Reader, settings: Settings) -> int | None:
    """Return over how many judges the stored states share the scopes out, None if none says."""
    changelog = settings.topic(JUDGE_CHANGELOG.name)
    [(begin, end)] = (await reader.spans(changelog, [0])).values()
    for start in (max(begin, end - 1), begin):  # all of them only if the last is none of ours
        values = [value async for _, _, value in reader.read(changelog, {0: (start, end)})]
        for value in reversed(values):
            with contextlib.suppress(msgspec.DecodeError):
                return decode_judge(value).homes
    return None


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
        self.unreadable: dict[int, dict[int, str]] = {}
        self._ours: set[int] = set()

    def _read(self, partition: int, offset: int, value: bytes) -> TallyDelta | JudgeDelta | None:
        """Return a record of the changelog; None if it is none of ours, which changes nothing.

        Were one of our own damaged, those after it would not fit, or the source is read again
        from where it began.
        """
        try:
            delta = self._decode(value)
        except msgspec.DecodeError as problem:
            self.unreadable.setdefault(partition, {})[offset] = str(problem)
            return None
        self._ours.add(partition)
        return delta

    async def states(self, begins: Mapping[int, int], committed: set[int]) -> dict[int, S]:
        """Return the state of each partition in *begins* (its source's first offset).

        Raises:
            Lost: the changelog of a *committed* partition is gone or lacks records, or the
                source no longer has what comes after the stored state.
        """
        spans = await self._reader.spans(self._changelog, list(begins))
        stored = {p: span for p, span in spans.items() if span[0] < span[1]}
        states: dict[int, S] = {}
        for partition in begins.keys() - stored.keys():
            states[partition] = self._fresh(partition, begins, committed)
        hints = await self._hints(stored)
        states |= await self._join({p: (hints[p], span[1]) for p, span in stored.items()})
        again = {p: stored[p] for p in stored if p not in states}
        states |= await self._join(again)
        for partition in stored:
            if partition not in states and partition not in self._ours:
                states[partition] = self._fresh(partition, begins, committed)
            self._check(partition, states.get(partition), begins[partition])
        return states

    def _fresh(self, partition: int, begins: Mapping[int, int], committed: set[int]) -> S:
        """Return the state of a partition of which nothing is stored.

        Raises:
            Lost: something must be, since its source is committed.
        """
        if partition in committed:
            raise Lost(
                f"{self._changelog}/{partition} holds nothing although its source is committed"
            )
        return self._make(partition, begins[partition])

    async def _hints(self, spans: Mapping[int, Span]) -> dict[int, int]:
        """Return where reading may begin, as the last record of each partition says.

        Where no record stands at the last offset, all is read.
        """
        hints: dict[int, int] = {}
        last = {partition: (upto - 1, upto) for partition, (_, upto) in spans.items()}
        async for partition, offset, value in self._reader.read(self._changelog, last):
            if (delta := self._read(partition, offset, value)) is not None:
                hints[partition] = max(delta.start, spans[partition][0])
        return {p: hints.get(p, span[0]) for p, span in spans.items()}

    async def _join(self, spans: Mapping[int, Span]) -> dict[int, S]:
        """Return the states whose records in *spans* join without a gap and hold everything."""
        states = {partition: self._make(partition, 0) for partition in spans}
        broken: set[int] = set()
        joined: set[int] = set()
        async for partition, offset, value in self._reader.read(self._changelog, spans):
            delta = self._read(partition, offset, value)
            try:
                if delta is not None:
                    states[partition].apply(delta, offset)
                    joined.add(partition)
            except Gap:
                broken.add(partition)
        return {
            partition: state
            for partition, state in states.items()
            if partition in joined - broken and state.is_complete()
        }

    def _check(self, partition: int, state: S | None, begin: int) -> None:
        """Refuse a state that is not whole, or whose source has been cut off after it."""
        if state is None:
            which = ", ".join(map(str, sorted(self.unreadable.get(partition, ()))))
            said = f"; those at offsets {which} cannot be read" if which else ""
            raise Lost(f"{self._changelog}/{partition} lacks records that the state needs{said}")
        if state.resume < begin:
            raise Lost(
                f"the source of {self._changelog}/{partition} begins at {begin}, but the stored "
                f"state ends at {state.resume}: records in between are gone"
            )
