"""What the pure halves take and give: whole partition batches in, records to publish out.

Nothing of the Kafka client shows here, so the client beneath can change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one partition: four columns of equal length.

    ``offsets`` rise strictly, ``times`` are append times in ms since 1970 UTC.
    """

    partition: int
    offsets: Sequence[int]
    times: Sequence[int]
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]


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
