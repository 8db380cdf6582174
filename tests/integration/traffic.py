"""A process that sends events at a steady pace, as badly as real producers do.

    python -m tests.integration.traffic BOOTSTRAP TOPIC COUNT RATE SEED

Three client libraries write, each with its own partitioner; an id always goes the same way. One
event in twenty is sent twice, happenings are shuffled within two seconds, some are late, early or
years off. How many commands fail swings round the thresholds of the campaign's rules.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import math
import sys
import time
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Final, Protocol
from zlib import crc32

from aiokafka import AIOKafkaProducer
from kafka import KafkaProducer

from schemas.wire import iso_ms

TYPES: Final = tuple(f"TYPE_{number}" for number in range(10))
SLICE: Final = 0.01
"""Seconds between two handfuls of events."""


class Sender(Protocol):
    """A client library: sends without waiting, flushes at the end."""

    async def start(self) -> None:
        """Connect."""

    async def send(self, key: bytes, value: bytes) -> None:
        """Hand a record over."""

    async def finish(self) -> None:
        """Wait until everything has been acknowledged."""


class Aiokafka:
    """aiokafka and its partitioner (murmur2)."""

    def __init__(self, kafka: str, topic: str) -> None:
        self._kafka, self._topic = kafka, topic
        self._sent: deque[Any] = deque(maxlen=50_000)

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka, acks="all", enable_idempotence=True, linger_ms=5
        )
        await self._producer.start()

    async def send(self, key: bytes, value: bytes) -> None:
        """Hand a record over."""
        self._sent.append(await self._producer.send(self._topic, value, key=key))

    async def finish(self) -> None:
        """Wait until everything has been acknowledged."""
        await self._producer.flush()
        await asyncio.gather(*self._sent)
        await self._producer.stop()


class KafkaPython:
    """kafka-python and its partitioner (murmur2)."""

    def __init__(self, kafka: str, topic: str) -> None:
        self._topic = topic
        self._producer = KafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=5)

    async def start(self) -> None:
        """Connect."""

    async def send(self, key: bytes, value: bytes) -> None:
        """Hand a record over."""
        self._producer.send(self._topic, value, key=key, partition=self._partition(key))

    def _partition(self, key: bytes) -> int | None:
        """Let the library choose."""
        return None

    async def finish(self) -> None:
        """Wait until everything has been acknowledged."""
        await asyncio.to_thread(self._producer.flush)
        self._producer.close()


class LikeLibrdkafka(KafkaPython):
    """kafka-python with the partitioner that librdkafka has by default (crc32)."""

    def _partition(self, key: bytes) -> int:
        """Choose as librdkafka does."""
        return crc32(key) % len(self._producer.partitions_for(self._topic))


class Librdkafka:
    """confluent-kafka, where it is installed."""

    def __init__(self, kafka: str, topic: str) -> None:
        client = importlib.import_module("confluent_kafka")
        self._topic = topic
        settings = {"bootstrap.servers": kafka, "acks": "all", "linger.ms": 5}
        self._producer = client.Producer(settings)

    async def start(self) -> None:
        """Connect."""

    async def send(self, key: bytes, value: bytes) -> None:
        """Hand a record over."""
        self._producer.produce(self._topic, value, key)
        self._producer.poll(0)

    async def finish(self) -> None:
        """Wait until everything has been acknowledged."""
        left = await asyncio.to_thread(self._producer.flush, 60)
        assert left == 0


def librdkafka() -> Callable[[str, str], Sender]:
    """Return the real thing if it is installed, else its partitioner."""
    has_it = importlib.util.find_spec("confluent_kafka") is not None
    return Librdkafka if has_it else LikeLibrdkafka


def event(random: Random, serial: int, now: int) -> tuple[bytes, bytes]:
    """Return key and value of a new event."""
    kind = random.choice(TYPES)
    document: dict[str, Any] = {
        "id": f"{serial:09d}-{random.getrandbits(48):012x}",
        "occurredAt": iso_ms(now - _lie(random)),
        "commandType": kind,
        "autonomous": random.random() < 0.7,
        "labels": {"agentVersion": f"2.{random.randrange(3)}"},
        **_happening(random, serial, now, kind),
    }
    return kind.encode(), json.dumps(document).encode()


def _lie(random: Random) -> int:
    """Return how long ago (ms) an event happened, by its producer's clock."""
    chance = random.random()
    if chance < 0.97:
        return random.randrange(0, 2_000)
    if chance < 0.985:
        return random.randrange(2_000, 59_000)
    if chance < 0.99:
        return random.choice((61_000, 120_000, 56 * 365 * 86_400_000))
    if chance < 0.998:
        return -random.randrange(0, 29_000)
    return -random.choice((31_000, 3_600_000, 74 * 365 * 86_400_000))


def _happening(random: Random, serial: int, now: int, kind: str) -> dict[str, Any]:
    """Return what happened."""
    chance = random.random()
    if chance < 0.002:
        severity = random.choice(("critical", "high", "medium", "low"))
        return {"kind": "incident", "incidentId": f"i{serial}", "severity": severity}
    if chance < 0.004:
        return {
            "kind": "safety",
            "signal": random.choice(("constraint_violation", "emergency_abort")),
        }
    command = {"kind": "command", "commandId": f"c{serial}", "durationMs": random.randrange(5_000)}
    return {**command, "status": _status(random, now, kind)}


def _status(random: Random, now: int, kind: str) -> str:
    """Return what became of a command; failures swing with a period of their own for each type."""
    chance = random.random()
    if chance < 0.1:
        return random.choice(("proposed", "proposed", "approved", "rejected", "overridden"))
    if chance < 0.12:
        return "rolled_back"
    period = 6_000 + 1_100 * TYPES.index(kind)
    failing = 0.06 + 0.05 * math.sin(2 * math.pi * (now % period) / period)
    if random.random() >= failing:
        return "succeeded"
    return "failed" if random.random() < 0.8 else "timed_out"


async def send_all(kafka: str, topic: str, *, count: int, rate: int, seed: int) -> None:
    """Send *count* records, repeats among them, *rate* a second."""
    random = Random(seed)
    senders: list[Sender] = [
        Aiokafka(kafka, topic), KafkaPython(kafka, topic), librdkafka()(kafka, topic)
    ]  # fmt: skip
    for sender in senders:
        await sender.start()
    recent: deque[tuple[int, bytes, bytes]] = deque(maxlen=20_000)
    began = time.monotonic()
    for serial in range(count):
        if recent and random.random() < 0.05:
            way, key, value = recent[random.randrange(len(recent))]
        else:
            way = serial % len(senders)
            key, value = event(random, serial, time.time_ns() // 1_000_000)
            recent.append((way, key, value))
        await senders[way].send(key, value)
        ahead = serial / rate - (time.monotonic() - began)
        if ahead > SLICE:
            await asyncio.sleep(ahead)
    for sender in senders:
        await sender.finish()


if __name__ == "__main__":
    bootstrap, name, *numbers = sys.argv[1:]
    wanted, pace, chosen = map(int, numbers)
    asyncio.run(send_all(bootstrap, name, count=wanted, rate=pace, seed=chosen))
