"""Sends records to ``command-events`` as the contract asks: same key, nothing lost, no doubles.

kafka-python, like `examples/producer.py`: one id must always be sent by one client library,
because libraries disagree on which partition a key belongs to.
"""

from __future__ import annotations

import json
from types import TracebackType
from typing import Final, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas.errors import Unavailable

PATIENCE: Final = 10_000
"""Milliseconds that Kafka has to answer for the first time, or to make room for more."""

LINGER: Final = 5
"""Milliseconds for which records are gathered: one request instead of many."""


def key_of_bytes(value: bytes) -> bytes | None:
    """Return the key of whatever *value* is, or None when it names no command type and no id."""
    try:
        # No key is a number, and Python refuses to read whole ones of thousands of digits.
        event = json.loads(value, parse_int=float)
    except (ValueError, RecursionError):
        return None
    key = event.get("commandType") or event.get("id") if isinstance(event, dict) else None
    return key.encode(errors="replace") if isinstance(key, str) and key else None


class Sender:
    """An open producer; leaving the ``with`` block waits until Kafka has everything."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        """Connect to Kafka.

        Raises:
            Unavailable: it does not answer.
        """
        self.sent = 0
        self._topic = topic
        self._failed: BaseException | None = None
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=bootstrap_servers.split(","),
                acks="all",
                enable_idempotence=True,
                linger_ms=LINGER,
                max_request_size=2 * 1024 * 1024,
                bootstrap_timeout_ms=PATIENCE,
                max_block_ms=PATIENCE,
                allow_auto_create_topics=False,
            )
        except KafkaError as problem:
            raise Unavailable("Kafka", f"{bootstrap_servers} does not answer: {problem}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self._producer.close(timeout=5)

    def send(self, key: bytes | None, value: bytes) -> None:
        """Hand one record over; it is on its way when this returns, not there.

        Raises:
            Unavailable: Kafka takes no more, or an earlier record could not be delivered.
        """
        self._check()
        try:
            future = self._producer.send(self._topic, key=key, value=value)
        except KafkaError as problem:
            raise Unavailable("Kafka", f"{self._topic} takes no records: {problem}") from None
        future.add_errback(self._note)
        self.sent += 1

    def flush(self) -> None:
        """Return when Kafka has everything that was handed over.

        Raises:
            Unavailable: it does not have it, or not in time.
        """
        try:
            self._producer.flush(timeout=30)
        except KafkaError as problem:
            raise Unavailable("Kafka", f"cannot deliver: {problem}") from None
        self._check()

    def _note(self, problem: BaseException) -> None:
        """Remember that a record was not delivered (called by the client's thread)."""
        self._failed = problem

    def _check(self) -> None:
        if self._failed is not None:
            raise Unavailable("Kafka", f"a record was not delivered: {self._failed}")
