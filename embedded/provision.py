"""Brings our topics into being on any Kafka, as wide as the settings ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from embedded.topics import PATIENCE, ensure
from schemas.errors import BadSetting, Unavailable
from schemas.settings import Settings
from schemas.topics import (
    COMMAND_EVENTS,
    JUDGE_CHANGELOG,
    TALLIES,
    TALLY_CHANGELOG,
    TOPICS,
    Topic,
)

CHANGELOGS: Final = ((COMMAND_EVENTS, TALLY_CHANGELOG), (TALLIES, JUDGE_CHANGELOG))
"""Each source topic and the changelog that keeps its state, partition by partition."""


def wanted_topics(settings: Settings) -> list[Topic]:
    """Return every topic, with as many partitions as *settings* ask for.

    A changelog is as wide as its source: partition for partition, one is the other's state.
    """
    width = {
        COMMAND_EVENTS.name: settings.event_partitions,
        TALLY_CHANGELOG.name: settings.event_partitions,
        TALLIES.name: settings.tally_partitions,
        JUDGE_CHANGELOG.name: settings.tally_partitions,
    }
    return [replace(t, partitions=width.get(t.name, t.partitions)) for t in TOPICS]


def provision(
    settings: Settings, bootstrap_servers: str, *, patience: timedelta = PATIENCE
) -> list[str]:
    """Create the topics that are missing, check the others; return the names of the new ones.

    A Kafka that cannot be reached is given up after *patience*.

    Raises:
        Unavailable: Kafka does not answer, or would not create a topic.
        BadSetting: A topic is there with settings, or a width, with which counts would be wrong.
    """
    created = ensure(
        bootstrap_servers,
        prefix=settings.topic_prefix,
        topics=wanted_topics(settings),
        replication_factor=settings.replication_factor,
        patience=patience,
    )
    check_widths(settings, widths(settings, bootstrap_servers))
    return created


def widths(settings: Settings, bootstrap_servers: str) -> dict[str, int]:
    """Return how many partitions each of our topics has, by its full name.

    Raises:
        Unavailable: Kafka does not answer.
    """
    names = [settings.topic(topic.name) for topic in TOPICS]
    try:
        with KafkaAdminClient(bootstrap_servers=bootstrap_servers.split(",")) as admin:
            found: list[dict[str, Any]] = admin.describe_topics(names)
    except KafkaError as problem:
        raise Unavailable("Kafka", f"cannot describe topics: {problem}") from problem
    return {topic["name"]: len(topic["partitions"]) for topic in found}


def check_widths(settings: Settings, found: Mapping[str, int]) -> None:
    """Compare each changelog with its source.

    Raises:
        BadSetting: A changelog is not as wide as its source, so states would have no place.
    """
    for source, changelog in CHANGELOGS:
        has, needs = found[settings.topic(changelog.name)], found[settings.topic(source.name)]
        if has != needs:
            name = settings.topic(changelog.name)
            raise BadSetting(
                f"topic {name}",
                f"has {has} partitions, but {settings.topic(source.name)}, whose state it keeps, "
                f"has {needs} (kafka-topics.sh --alter --topic {name} --partitions {needs})",
            )
