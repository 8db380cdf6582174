"""Topics on a real Kafka."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kafka import KafkaAdminClient

from embedded.topics import ensure
from schemas.errors import BadSetting
from schemas.topics import COMMAND_EVENTS, TOPICS

pytestmark = pytest.mark.integration


def test_topics_are_created_once_as_the_table_says(kafka: str, topic_prefix: str) -> None:
    """The first call creates every topic with its partitions, the second finds all of them."""
    created = ensure(kafka, prefix=topic_prefix)

    assert set(created) == {f"{topic_prefix}{topic.name}" for topic in TOPICS}
    assert ensure(kafka, prefix=topic_prefix) == []
    with KafkaAdminClient(bootstrap_servers=kafka.split(",")) as admin:
        found = {row["name"]: len(row["partitions"]) for row in admin.describe_topics(created)}
    assert found == {f"{topic_prefix}{topic.name}": topic.partitions for topic in TOPICS}


def test_an_events_topic_that_someone_made_with_defaults_is_refused(
    kafka: str, topic_prefix: str
) -> None:
    """A topic whose records carry their producers' clocks stops the start, by name."""
    ensure(kafka, prefix=topic_prefix, topics=[replace(COMMAND_EVENTS, config={})])

    with pytest.raises(BadSetting, match=r"message\.timestamp\.type is CreateTime"):
        ensure(kafka, prefix=topic_prefix)
