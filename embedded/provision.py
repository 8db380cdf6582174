"""Brings our topics into being on any Kafka, as wide as the settings ask."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from embedded import topics
from embedded.topics import PATIENCE, ensure
from schemas.errors import Unavailable
from schemas.settings import Settings
from schemas.topics import (
    COMMAND_EVENTS,
    JUDGE_CHANGELOG,
    TALLIES,
    TALLY_CHANGELOG,
    TOPICS,
    Topic,
)


def wanted_topics(settings: Settings) -> list[Topic]:
    """Return every topic, with as many partitions as *settings* ask for.

    A changelog is as wide as its source: partition for partition, one is the other's state. Where
    the source is there already, its width is what counts.
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
        BadSetting: A topic is there with settings with which counts would be wrong.
    """
    created = ensure(
        bootstrap_servers,
        prefix=settings.topic_prefix,
        topics=wanted_topics(settings),
        replication_factor=settings.replication_factor,
        patience=patience,
    )
    keep_up(settings, bootstrap_servers)
    return created


def widths(settings: Settings, bootstrap_servers: str) -> dict[str, int]:
    """Return how many partitions each of our topics has, by its full name.

    Raises:
        Unavailable: Kafka does not answer.
    """
    names = [settings.topic(topic.name) for topic in TOPICS]
    try:
        with KafkaAdminClient(bootstrap_servers=bootstrap_servers.split(",")) as admin:
            return topics.widths(admin, names)
    except KafkaError as problem:
        raise Unavailable("Kafka", f"cannot describe topics: {problem}") from problem


def keep_up(settings: Settings, bootstrap_servers: str) -> None:
    """Widen the tally's changelog to its source, if somebody made or widened that.

    The judge's needs no more partitions than it has: the others of ``tallies`` are left unused.

    Raises:
        Unavailable: Kafka refuses; says what to run. States would have no place.
    """
    found = widths(settings, bootstrap_servers)
    name, source = settings.topic(TALLY_CHANGELOG.name), settings.topic(COMMAND_EVENTS.name)
    if found[name] >= found[source]:
        return
    try:
        with KafkaAdminClient(bootstrap_servers=bootstrap_servers.split(",")) as admin:
            admin.create_partitions({name: found[source]})
    except KafkaError as problem:
        now = widths(settings, bootstrap_servers)
        if now[name] < now[source]:  # else another of our processes did it at the same moment
            raise Unavailable(
                "Kafka",
                f"topic {name} has {now[name]} partitions, but {source}, whose states it keeps, "
                f"has {now[source]}, and it may not be widened: {problem} (kafka-topics.sh "
                f"--bootstrap-server {bootstrap_servers} --alter --topic {name} "
                f"--partitions {now[source]})",
            ) from problem
