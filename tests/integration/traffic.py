"""A process that sends events at a steady pace, as badly as real producers do.

    python -m tests.integration.traffic BOOTSTRAP TOPIC COUNT RATE SEED [TRANSACTIONS]

Three client libraries write, each with its own partitioner; an id always goes the same way. One
event in twenty is sent twice, happenings are shuffled within two seconds, some are late, early or
years off. How many commands fail swings round the thresholds of the campaign's rules. With
TRANSACTIONS, a name, each library sends in transactions of one to 500 records, takes some of them
back, and compresses in a way of its own.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections import deque
from random import Random
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer
from kafka import KafkaProducer

from schemas.wire import iso_ms

TYPES: Final = tuple(f"TYPE_{number}" for number in range(10))
SLICE: Final = 0.01
"""Seconds between two handfuls of events."""

SIZES: Final = (1, 1, 2, 10, 60, 500)
"""How many records a transaction may hold."""

ABORTED: Final = 0.15
"""The share of transactions that are taken back."""


class Sender(Protocol):
    """A client library: sends without waiting, flushes at the end."""

    async def start(self) -> None:
        """Connect."""

    async def send(self, key: bytes, value: bytes) -> None:
        """Hand a record over."""

    async def finish(self) -> None:
        """Wait until everything has been acknowledged."""

    async def begin(self) -> None:
        """Open a transaction."""

    async def end(self, *, commit: bool) -> None:
        """Commit what was sent since `begin`, or take it back."""


class Aiokafka:
    """aiokafka and its partitioner (murmur2)."""

    def __init__(self, kafka: str, topic: str, name: str | None) -> None:
        self._kafka, self._topic, self._name = kafka, topic, name
        self._sent: deque[Any] = deque(maxlen=50_000)

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            transactional_id=self._name,
            compression_type=self._name and "snappy",
        )
        await self._producer.start()

    async def send(self, key: bytes, value: bytes) -> None:
        """Hand a record over."""
        self._sent.append(await self._producer.send(self._topic, value, key=key))

    async def finish(self) -> None:
        """Wait until everything has been acknowledged."""
        await self._producer.flush()
        if self._name is None:  # else what was aborted may say that it was
            await asyncio.gather(*self._sent)
        await self._producer.stop()

    async def begin(self) -> None:
        """Open a transaction."""
        await self._producer.begin_transaction()

    async def end(self, *, commit: bool) -> None:
        """Commit what was sent since `begin`, or take it back."""
        await self._producer.flush()
        end = self._producer.commit_transaction if commit else self._producer.abort_transaction
        await end()


class KafkaPython:
    """kafka-python and its partitioner (murmur2)."""

    def __init__(self, kafka: str, topic: str, name: str | None) -> None:
        self._topic, self._name = topic, name
        transactional = {} if name is None else {"transactional_id": name}
        self._producer = KafkaProducer(
            bootstrap_servers=kafka,
            acks="all",
            linger_ms=5,
            compression_type=name and "lz4",
            **transactional,
        )

    async def start(self) -> None:
        """Connect."""
        if self._name is not None:
            await asyncio.to_thread(self._producer.init_transactions)

    async def send(self, key: bytes, value: bytes) -> None:
        """Hand a record over."""
        self._producer.send(self._topic, value, key=key)

    async def finish(self) -> None:
        """Wait until everything has been acknowledged."""
        await asyncio.to_thread(self._producer.flush)
        self._producer.close()

    async def begin(self) -> None:
        """Open a transaction."""
        self._producer.begin_transaction()

    async def end(self, *, commit: bool) -> None:
        """Commit what was sent since `begin`, or take it back."""
        await asyncio.to_thread(self._producer.flush)
        end = self._producer.commit_transaction if commit else self._producer.abort_transaction
        await asyncio.to_thread(end)


class Librdkafka:
    """confluent-kafka and librdkafka's partitioner (crc32)."""

    def __init__(self, kafka: str, topic: str, name: str | None) -> None:
        self._topic, self._name = topic, name
        settings: dict[str, Any] = {"bootstrap.servers": kafka, "acks": "all", "linger.ms": 5}
        if name is not None:
            settings |= {"transactional.id": name, "compression.type": "zstd"}
        self._producer = Producer(settings)

    async def start(self) -> None:
        """Connect."""
        if self._name is not None:
            await asyncio.to_thread(self._producer.init_transactions, 60)

    async def send(self, key: bytes, value: bytes) -> None:
        """Hand a record over."""
        self._producer.produce(self._topic, value, key)
        self._producer.poll(0)

    async def finish(self) -> None:
        """Wait until everything has been acknowledged."""
        left = await asyncio.to_thread(self._producer.flush, 60)
        assert left == 0

    async def begin(self) -> None:
        """Open a transaction."""
        self._producer.begin_transaction()

    async def end(self, *, commit: bool) -> None:
        """Commit what was sent since `begin`, or take it back."""
        left = await asyncio.to_thread(self._producer.flush, 60)
        assert left == 0
        end = self._producer.commit_transaction if commit else self._producer.abort_transaction
        await asyncio.to_thread(end, 60)


class InTransactions:
    """A client library that sends everything in transactions, some of which it takes back."""

    def __init__(self, sender: Sender, random: Random) -> None:
        self._sender, self._random = sender, random
        self._left = 0

    async def start(self) -> None:
        """Connect."""
        await self._sender.start()

    async def send(self, key: bytes, value: bytes) -> None:
        """Hand a record over, and end its transaction when that is full."""
        if not self._left:
            self._left = self._random.choice(SIZES)
            await self._sender.begin()
        await self._sender.send(key, value)
        self._left -= 1
        if not self._left:
            await self._sender.end(commit=self._random.random() > ABORTED)

    async def finish(self) -> None:
        """Commit what is open, and wait until everything has been acknowledged."""
        if self._left:
            await self._sender.end(commit=True)
        await self._sender.finish()


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


def senders_of(
    kafka: str, topic: str, random: Random, name: str | None
) -> list[Sender | InTransactions]:
    """Return a sender of each client library; with a *name* they send in transactions."""
    libraries: tuple[Any, ...] = (Aiokafka, KafkaPython, Librdkafka)
    if name is None:
        return [library(kafka, topic, None) for library in libraries]
    return [
        InTransactions(library(kafka, topic, f"{name}-{number}"), random)
        for number, library in enumerate(libraries)
    ]


async def send_all(
    kafka: str, topic: str, *, count: int, rate: int, seed: int, transactions: str | None = None
) -> None:
    """Send *count* records, repeats among them, *rate* a second."""
    random = Random(seed)
    senders = senders_of(kafka, topic, random, transactions)
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
    bootstrap, name, *numbers = sys.argv[1:6]
    wanted, pace, chosen = map(int, numbers)
    named = next(iter(sys.argv[6:]), None)
    asyncio.run(send_all(bootstrap, name, count=wanted, rate=pace, seed=chosen, transactions=named))
