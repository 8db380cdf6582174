"""Ten thousand bad records among ten thousand good ones, on a real worker."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from kafka import KafkaProducer

from embedded.topics import ensure
from schemas.wire import iso_ms
from tests.integration.fuzz import fuzz
from tests.integration.outcomes import published
from tests.integration.workers import FrontierReader, Worker
from tests.oracle.poison import dumped

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

GOOD: Final = 10_000
BAD: Final = 10_000


def _event(random: Random, serial: int) -> dict[str, Any]:
    """Return a good event of this moment."""
    return {
        "id": f"e{serial}",
        "kind": "command",
        "occurredAt": iso_ms(time.time_ns() // 1_000_000),
        "commandId": f"c{serial}",
        "commandType": f"TYPE_{random.randrange(5)}",
        "status": random.choice(("succeeded", "failed", "timed_out", "rejected")),
        "autonomous": True,
        "labels": {"region": "EU"},
    }


def _send(kafka: str, topic: str) -> int:
    """Send good and bad records in any order; return when the last was acknowledged (ms)."""
    random = Random(13)
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=5)
    kinds = [True] * GOOD + [False] * BAD
    random.shuffle(kinds)
    for serial, is_good in enumerate(kinds):
        event = _event(random, serial)
        value, headers = (dumped(event), []) if is_good else fuzz(random, event)
        producer.send(topic, value, key=event["commandType"].encode(), headers=headers)
    producer.flush()
    producer.close()
    return time.time_ns() // 1_000_000


def test_poison_goes_to_the_dead_letters_and_nothing_else_happens(
    kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Each bad record is a dead letter with its reason; every good one counts; nobody dies."""
    ensure(kafka, prefix=topic_prefix)
    with (
        Worker(kafka, topic_prefix, f"{topic_prefix}0", tmp_path) as worker,
        FrontierReader(kafka, topic_prefix) as frontier,
    ):
        sent = _send(kafka, f"{topic_prefix}command-events")
        frontier.wait_until(sent + 1_000, seconds=120)
        assert not worker.supervise(), worker.said()
    outcome = published(kafka, topic_prefix, {})
    reasons = Counter(letter.reason for letter in outcome.wanted.dead_letters)

    assert outcome.count_differences() == []
    assert outcome.dead_letter_differences() == []
    assert sum(len(report.counted) for report in outcome.wanted.partitions) >= GOOD
    assert sum(reasons.values()) > BAD * 0.8
    assert len(reasons) >= 5
