"""Events as real producers send them: about 250 bytes of JSON, fifty command types.

Most commands go well, so that the default rules work all the time and trip as they would in
production: each command type has its few failures, the error rate as a whole stays below 5 %.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from aiokafka.partitioner import murmur2

from schemas.wire import iso

TYPES: Final = tuple(f"COMMAND_{n:02d}" for n in range(50))
PARTITIONS: Final = 8

_MIX: Final = {
    "proposed": 300, "approved": 290, "rejected": 10, "succeeded": 385, "failed": 10,
    "timed_out": 1, "rolled_back": 1, "overridden": 1, "incident": 1, "safety": 1,
}  # fmt: skip
"""Events of each sort in a thousand."""

_TAIL: Final = (
    '"autonomous":true,"actor":"agent:roaster-%d","epoch":41,"labels":{"agentVersion":"2.3"}}'
)
_COMMAND: Final = (
    '{"id":"%%b","kind":"command","occurredAt":"%%b","commandId":"c-%%d","commandType":"%s",'
    '"status":"%s",%s' + _TAIL
)
_INCIDENT: Final = (
    '{"id":"%%b","kind":"incident","occurredAt":"%%b","incidentId":"i-%%d","commandType":"%s",'
    '"severity":"low","summary":"temperature outside its band for a while",' + _TAIL
)
_SAFETY: Final = (
    '{"id":"%%b","kind":"safety","occurredAt":"%%b","commandId":"c-%%d","commandType":"%s",'
    '"signal":"safety_gate_trigger",' + _TAIL
)
_SCRAMBLE: Final = 0x9E3779B97F4A7C15F39D
"""Odd, so that multiplying by it modulo 2**80 keeps numbers apart and makes them look random."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What one event is but for its id, its moment and its number."""

    key: bytes
    partition: int
    template: bytes


def partition_of(key: bytes, partitions: int = PARTITIONS) -> int:
    """Return the partition that Kafka's own clients choose for *key*."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def kinds(seed: int, count: int = 20_000) -> list[Kind]:
    """Return a long random sequence of kinds, for use in turn."""
    chance = random.Random(seed)
    types = [(name, name.encode(), partition_of(name.encode())) for name in TYPES]
    sorts, weights = list(_MIX), list(_MIX.values())
    return [
        Kind(key, partition, _template(name, sort, chance).encode())
        for (name, key, partition), sort in zip(
            chance.choices(types, k=count), chance.choices(sorts, weights, k=count), strict=True
        )
    ]


def _template(name: str, sort: str, chance: random.Random) -> str:
    """Return the text of an event with places for its id, its moment and its number."""
    actor = chance.randrange(100)
    if sort == "incident":
        return _INCIDENT % (name, actor)
    if sort == "safety":
        return _SAFETY % (name, actor)
    return _COMMAND % (name, sort, _outcome(sort, chance), actor)


def _outcome(sort: str, chance: random.Random) -> str:
    """Return what only commands that were carried out have: how long it took, what went wrong."""
    if sort in ("failed", "timed_out"):
        return f'"durationMs":{chance.randrange(50, 2_000)},"errorClass":"TimeoutError",'
    return f'"durationMs":{chance.randrange(50, 2_000)},' if sort == "succeeded" else ""


class Load:
    """An endless source of distinct events; sources with different *shard* never share an id."""

    def __init__(self, shard: int = 0) -> None:
        self._kinds = kinds(shard)
        self._number = shard << 40

    def take(self, count: int, now: datetime) -> Iterator[tuple[Kind, bytes]]:
        """Yield *count* events that happened within the last second and a half before *now*."""
        moments = [iso(now - timedelta(milliseconds=97 * n)).encode() for n in range(16)]
        rows, size = self._kinds, len(self._kinds)
        for number in range(self._number, self._number + count):
            kind = rows[number % size]
            name = b"01JD%020X" % (number * _SCRAMBLE % (1 << 80))
            yield kind, kind.template % (name, moments[number * 7 % 16], number & 0xFFFFFF)
        self._number += count


def mean_size(count: int = 1_000) -> float:
    """Return the mean number of bytes in an event."""
    return sum(len(value) for _, value in Load().take(count, datetime.now(UTC))) / count
