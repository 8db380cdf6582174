"""What the pure halves take and give: whole partition batches in, records to publish out.

Nothing of the Kafka client shows here, so the client beneath can change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Batch:
    """A stretch of one partition: all its records, as four columns of equal length.

    ``offsets`` rise strictly, ``times`` are append times in ms since 1970 UTC. ``covers`` is the
    stretch ``[start, end)`` that was read. What it holds besides the records is not for us: the
    marks that end transactions, what was aborted, what compaction took away. None means that the
    stretch begins with the first record and ends with the last.
    """

    partition: int
    offsets: Sequence[int]
    times: Sequence[int]
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    covers: tuple[int, int] | None = None

    @property
    def start(self) -> int:
        """Return the offset at which the stretch begins."""
        return self.covers[0] if self.covers else next(iter(self.offsets), 0)

    @property
    def end(self) -> int:
        """Return the offset of whatever comes first after the stretch."""
        return self.covers[1] if self.covers else next(reversed(self.offsets), -1) + 1

    def pieces(self, size: int) -> Iterator[tuple[Batch, int]]:
        """Yield the same records as batches of *size* bytes or little more, each with its bytes.

        What one poll brought may be a megabyte on the way and a hundred when it is unpacked.
        """
        lengths = [len(value or b"") for value in self.values]
        total = sum(lengths)
        if total <= size:
            yield self, total
            return
        start = held = 0
        for stop, length in enumerate(lengths, 1):
            held += length
            if held >= size or stop == len(lengths):
                yield self._between(start, stop), held
                start, held = stop, 0

    def _between(self, start: int, stop: int) -> Batch:
        """Return the records from number *start* up to number *stop*, and what lies after each."""
        last = stop == len(self.offsets)
        return Batch(
            self.partition,
            self.offsets[start:stop],
            self.times[start:stop],
            self.values[start:stop],
            self.keys[start:stop],
            (
                self.offsets[start] if start else self.start,
                self.end if last else self.offsets[stop],
            ),
        )


@dataclass(frozen=True, slots=True)
class Output:
    """A record to publish; without a ``partition`` the key chooses. ``topic`` has no prefix."""

    topic: str
    value: bytes
    partition: int | None = None
    key: bytes | None = None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


class Gap(Exception):
    """A batch, or a changelog record, starts above what the state covers."""

    def __init__(self, pos: int, found: int) -> None:
        self.pos = pos
        self.found = found
        super().__init__(f"the state ends at {pos}, what came starts at {found}")
