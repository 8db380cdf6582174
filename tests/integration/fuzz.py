"""Records that were never events, as a broken or hostile producer sends them."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

from tests.oracle.poison import dumped, padded, poison

Header = tuple[str, bytes]


class Sent(NamedTuple):
    """A record to send."""

    value: bytes | None
    headers: list[Header]


Fuzz = Callable[[Random, dict[str, Any]], Sent]


def _listed(random: Random, event: dict[str, Any]) -> Sent:
    """Return a record that is bad for a reason known beforehand."""
    return Sent(poison(random, event)[1], [])


def _bytes(random: Random, _: dict[str, Any]) -> Sent:
    """Return random bytes of any length."""
    return Sent(random.randbytes(random.choice((1, 7, 100, 5_000))), [])


def _cut(random: Random, event: dict[str, Any]) -> Sent:
    """Return the beginning or the end of a record."""
    value = dumped(event)
    at = random.randrange(1, len(value))
    return Sent(random.choice((value[:at], value[at:])), [])


def _bent(random: Random, event: dict[str, Any]) -> Sent:
    """Return a record in which some bytes are others; now and then it is still an event."""
    value = bytearray(dumped(event))
    for _ in range(random.randint(1, 6)):
        value[random.randrange(len(value))] = random.randrange(256)
    return Sent(bytes(value), [])


def _large(random: Random, event: dict[str, Any]) -> Sent:
    """Return a record that Kafka takes and we do not."""
    return Sent(padded(event, random.choice((65_537, 200_000, 900_000))), [])


def _deep(random: Random, _: dict[str, Any]) -> Sent:
    """Return lists in lists, thousands of them."""
    depth = random.choice((2_000, 30_000))
    return Sent(random.choice((b"[" * depth, b'{"a":' * (depth // 5), b"[" * depth + b"]]")), [])


def _number(random: Random, event: dict[str, Any]) -> Sent:
    """Return an event with a number that is none, or endless."""
    name = random.choice(("durationMs", "epoch", "id", "autonomous", "occurredAt"))
    text = random.choice(("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "0x1F", "01", "1_0"))
    value = dumped({**event, name: "here!"}).replace(b'"here!"', text.encode())
    return Sent(value, [])


def _twice(random: Random, event: dict[str, Any]) -> Sent:
    """Return an event in which a key is written twice, the second time wrong."""
    name, wrong = random.choice((("id", 7), ("commandType", None), ("autonomous", "yes")))
    tail = json.dumps({name: wrong})[1:]
    return Sent(dumped(event)[:-1] + b"," + tail.encode(), [])


def _surrogate(random: Random, event: dict[str, Any]) -> Sent:
    """Return an event with half a character, or with NUL."""
    text = random.choice((b"\\ud83d", b"\\udc00x", b"\\u0000", b"a\\u0000b"))
    name = random.choice(("commandId", "id", "actor"))
    return Sent(dumped({**event, name: "here!"}).replace(b"here!", text), [])


def _marked(random: Random, event: dict[str, Any]) -> Sent:
    """Return an event behind a byte order mark, or in another encoding."""
    text = dumped(event).decode()
    return Sent(random.choice((text.encode("utf-8-sig"), text.encode("utf-16"))), [])


def _framed(random: Random, event: dict[str, Any]) -> Sent:
    """Return an event as Confluent's serialisers frame it: a zero byte and a schema id."""
    return Sent(b"\x00" + random.randbytes(4) + dumped(event), [])


def _cloud(random: Random, event: dict[str, Any]) -> Sent:
    """Return a CloudEvent, with the event inside or with what describes it in headers."""
    about = {"specversion": "1.0", "type": "x", "source": "/x", "id": event["id"]}
    if random.random() < 0.5:
        return Sent(dumped({**about, "data": event}), [])
    headers = [(f"ce_{name}", value.encode()) for name, value in about.items()]
    return Sent(dumped({"status": event["status"]}), headers)


def _tombstone(random: Random, _: dict[str, Any]) -> Sent:
    """Return what deletes a key, or nothing at all: ticks to us."""
    return Sent(random.choice((None, b"")), [])


def _list(random: Random, event: dict[str, Any]) -> Sent:
    """Return several events in one record."""
    lines = random.choice((b"\n", b"", b","))
    both = [dumped([event, event]), dumped(event) + lines + dumped(event)]
    return Sent(random.choice(both), [])


FUZZES: Final[tuple[Fuzz, ...]] = (
    *(_listed,) * 8, _bytes, _cut, _bent, _bent, _deep, _number, _twice, _surrogate, _marked,
    _framed, _cloud, _tombstone, _list,
)  # fmt: skip


def fuzz(random: Random, event: dict[str, Any]) -> Sent:
    """Return a record that is hardly an event; one in a hundred is large."""
    make = _large if random.random() < 0.01 else random.choice(FUZZES)
    return make(random, event)
