"""Where the outbox puts its records."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from governance.outbox import OutboxRelay
from schemas.settings import Settings
from schemas.topics import TOPICS


class Producer:
    """A producer that finds three partitions in every topic."""

    def partitions_for(self, _topic: str) -> set[int]:
        """Return them."""
        return {0, 1, 2}


def place(topic: str, key: str) -> tuple[str, int]:
    """Return the topic and the partition of a row."""
    desk: Any = SimpleNamespace(
        settings=Settings(_env_file=None, topic_prefix="t."), store=SimpleNamespace(on_commit=print)
    )
    relay = OutboxRelay(desk, "kafka:9092", is_stopping=lambda: False)
    row: Any = SimpleNamespace(topic=topic, key=key)
    found: tuple[str, int] = relay._place(Producer(), row)
    return found


@pytest.mark.parametrize("topic", ["rules", "state"])
def test_what_workers_hear_lies_where_they_listen(topic: str) -> None:
    """Rules and state go to the first partition, also where a broker made three."""
    assert {place(topic, str(key)) for key in range(50)} == {(f"t.{topic}", 0)}


def test_alerts_are_spread_by_key() -> None:
    """Order holds per key."""
    assert {place("alerts", str(key))[1] for key in range(50)} == {0, 1, 2}
    assert {topic.name for topic in TOPICS if topic.partitions == 1} == {
        "breaker-actions",
        "rules",
        "state",
    }
