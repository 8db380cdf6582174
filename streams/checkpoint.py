"""State in step with the log: one changelog record per flush, committed only once it is safe.

    outputs delivered ──► delta written ──► position may be committed

each step awaited before the next. So whatever dies, the changelog holds the state at exactly one
position, and everything before that position has been published. Recovery joins the records,
and whatever the log brings below the position is skipped; nothing else is needed, no fence and
no transaction, since all that is published and stored is a function of the log alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from streams.batch import Batch, Gap, Output
from streams.deltas import JudgeDelta, TallyDelta, encode

SEEKS: Final = 20
"""Seeks in a row that may fail to heal a gap before the worker leaves."""

BEHIND: Final = 4
"""Flushes' worth of records after which folding waits for the flush to catch up."""

PIECE: Final = 1024 * 1024
"""Bytes of records that are folded at once: what they make must fit into messages."""

HELD: Final = 6 * 1024 * 1024
"""Bytes of records after which folding waits for the flush.

An event may be little but its id, and a changelog record has to hold all ids in 8 MiB.
"""

D = TypeVar("D", TallyDelta, JudgeDelta)


class Fold(Protocol[D]):
    """What tally and judge have in common; see there for what each promises."""

    pos: int

    @property
    def resume(self) -> int:
        """Return the source offset from which a recovery reads on."""
        ...

    def fold(self, batch: Batch) -> list[Output]:
        """Take a batch; return what is to be published. Raises `Gap`."""
        ...

    def advance(self) -> list[Output]:
        """Return what is to be published now that nothing is held back any more."""
        ...

    def delta(self) -> D | None:
        """Return what changed since the last call."""
        ...

    def stored(self, delta: D, offset: int) -> None:
        """Hear that *delta* is safe."""
        ...

    def apply(self, delta: D, offset: int) -> None:
        """Join a changelog record. Raises `Gap`."""
        ...

    def is_complete(self) -> bool:
        """Return whether the joined records hold everything."""
        ...


S = TypeVar("S", bound=Fold[Any])


class Log(Protocol):
    """Where outputs and deltas go, and how to have the source read again."""

    async def send(self, output: Output) -> asyncio.Future[Any]:
        """Hand *output* over in order; the future is done when the broker has it."""
        ...

    async def store(self, partition: int, record: bytes) -> int:
        """Write a changelog record; return its offset once the broker has it."""
        ...

    async def seek(self, partition: int, offset: int) -> None:
        """Have the source partition read again from *offset*."""
        ...

    async def beginning(self, partition: int) -> int:
        """Return the offset of the first record that the source partition still has."""
        ...


@dataclass(eq=False)
class Part(Generic[S]):
    """One partition's state, and what has been handed over since the last flush."""

    state: S
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    flushing: asyncio.Lock = field(default_factory=asyncio.Lock)
    sent: list[asyncio.Future[Any]] = field(default_factory=list)
    unflushed: int = 0
    held: int = 0
    seeks: int = 0


class Lost(Exception):
    """Records that the state needs are gone; going on would count wrongly, in silence."""


class Checkpoints(Generic[S]):
    """Drives the states of one agent's partitions: fold, hand over, flush."""

    def __init__(
        self,
        log: Log,
        *,
        flush_records: int,
        on_durable: Callable[[int, int], None],
        heartbeat: Callable[[S], Output | None] = lambda state: None,
        on_outputs: Callable[[list[Output]], None] = lambda outputs: None,
    ) -> None:
        self.parts: dict[int, Part[S]] = {}
        self.due = asyncio.Event()
        self._log = log
        self._flush_records = flush_records
        self._on_durable = on_durable
        self._heartbeat = heartbeat
        self._on_outputs = on_outputs

    def assign(self, states: Iterable[tuple[int, S]]) -> None:
        """Work on exactly these partitions from now on, each with its recovered state."""
        self.parts = {partition: Part(state) for partition, state in states}

    async def take(self, batch: Batch) -> None:
        """Fold *batch* and hand its outputs over; a batch of another's partition is dropped."""
        part = self.parts.get(batch.partition)
        if part is None:
            return
        for piece, size in batch.pieces(PIECE):
            if not await self._fold(part, piece):
                return
            part.unflushed += len(piece.offsets)
            part.held += size
            if part.unflushed >= self._flush_records:
                self.due.set()
            if part.unflushed >= BEHIND * self._flush_records or part.held >= HELD:
                await self.flush(batch.partition)

    async def _fold(self, part: Part[S], batch: Batch) -> bool:
        """Fold *batch* and hand its outputs over; return False if it is to be read again."""
        async with part.lock:
            try:
                outputs = part.state.fold(batch)
            except Gap as gap:
                await self._heal(part, batch.partition, gap)
                return False
            part.seeks = 0
            await self._hand_over(part, outputs)
        return True

    async def _heal(self, part: Part[S], partition: int, gap: Gap) -> None:
        """Have the stretch before a batch read again: the client lost its place.

        What is no record of the log is no gap: a batch says how far it covers such offsets.

        Raises:
            Lost: the records are no longer in the log, or never come.
        """
        part.seeks += 1
        if part.seeks > 1:
            first = await self._log.beginning(partition)
            if first > gap.pos:
                raise Lost(f"partition {partition}: records {gap.pos} to {first} are gone")
        if part.seeks > SEEKS:
            raise Lost(f"partition {partition}: {SEEKS} seeks to {gap.pos} brought {gap}")
        await self._log.seek(partition, gap.pos)

    async def _hand_over(self, part: Part[S], outputs: list[Output]) -> None:
        """Give *outputs* to the producer, in order."""
        for output in outputs:
            part.sent.append(await self._log.send(output))
        if outputs:
            self._on_outputs(outputs)

    async def flush(self, partition: int) -> None:
        """Make all that was folded so far safe, then say up to where it may be committed."""
        part = self.parts.get(partition)
        if part is None:
            return
        async with part.flushing:
            async with part.lock:
                delta, resume = part.state.delta(), part.state.resume
                if delta is not None and (beat := self._heartbeat(part.state)) is not None:
                    await self._hand_over(part, [beat])
                sent, part.sent, part.unflushed, part.held = part.sent, [], 0, 0
            await asyncio.gather(*sent)
            if delta is None:
                return
            offset = await self._log.store(partition, encode(delta))
            async with part.lock:
                part.state.stored(delta, offset)
                await self._hand_over(part, part.state.advance())
        if self.parts.get(partition) is part:
            self._on_durable(partition, resume)

    async def flush_all(self) -> None:
        """Flush every partition, side by side."""
        self.due.clear()
        await asyncio.gather(*(self.flush(partition) for partition in list(self.parts)))

    async def each(self, change: Callable[[S], None]) -> None:
        """Let *change* at every state while nothing else is at it; publish what follows."""
        for part in list(self.parts.values()):
            async with part.lock:
                change(part.state)
                await self._hand_over(part, part.state.advance())
