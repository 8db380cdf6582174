"""Creates the topics of ``schemas.topics`` on a Kafka, and refuses one that is not as it must be.

A topic that exists is never changed: what is stored in it was written under its settings, and
someone chose them. Most differences are theirs to have (a longer retention, more partitions);
those in `ESSENTIAL` make what we count wrong, so they stop the start. Our changelogs follow the
topics that are there, whoever made them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError

from schemas.errors import BadSetting, Unavailable
from schemas.topics import CHANGELOG_OF, COMMAND_EVENTS, TOPICS, Topic

ESSENTIAL: Final = ("cleanup.policy", "message.timestamp.type")
"""Compaction would eat events; CreateTime would put producers' clocks in the place of the log's."""
ROOM: Final = "max.message.bytes"
"""What our own records need at least: a flood makes the largest of them."""
BROKERS_CHOICE: Final = -1
"""A replication factor that leaves the number to the brokers' own default."""

PATIENCE: Final = timedelta(seconds=30)
"""How long brokers that cannot be reached are tried."""


def ensure(
    bootstrap_servers: str,
    *,
    prefix: str,
    topics: Iterable[Topic] = TOPICS,
    replication_factor: int = BROKERS_CHOICE,
    patience: timedelta = PATIENCE,
) -> list[str]:
    """Create what is missing, check what is there, and return the names that were created.

    Returns when every partition has a leader, so that the first producer need not wait.

    Raises:
        Unavailable: The brokers do not answer or would not create a topic.
        BadSetting: A topic that exists has a setting with which counts would be wrong.
    """
    wanted = {f"{prefix}{topic.name}": topic for topic in topics}
    sources = {f"{prefix}{log}": f"{prefix}{source}" for source, log in CHANGELOG_OF.items()}
    try:
        with KafkaAdminClient(
            bootstrap_servers=bootstrap_servers.split(","),
            bootstrap_timeout_ms=round(patience.total_seconds() * 1000),
        ) as admin:
            created = _create(admin, wanted, sources, replication_factor)
            admin.wait_for_topics(wanted)
            check(wanted, _settings(admin, wanted), bootstrap_servers=bootstrap_servers)
    except KafkaError as problem:
        raise Unavailable("Kafka", f"cannot create topics: {problem}") from problem
    return created


def check(
    wanted: Mapping[str, Topic], found: Mapping[str, Mapping[str, str]], *, bootstrap_servers: str
) -> None:
    """Compare the essential settings of every topic.

    Raises:
        BadSetting: Names the topic, the setting, and the command that mends it.
    """
    for name, topic in wanted.items():
        for setting, right in topic.settings().items():
            present = found[name].get(setting)
            if setting in ESSENTIAL and present != right:
                problem = f"{setting} is {present} and must be {right}"
            elif setting == ROOM and topic is not COMMAND_EVENTS and int(present or 0) < int(right):
                problem = f"{setting} is {present} and must be {right} or more"
            else:
                continue
            command = (
                f"kafka-configs.sh --bootstrap-server {bootstrap_servers} --alter --topic {name} "
                f"--add-config {setting}={right}"
            )
            raise BadSetting(f"topic {name}", f"{problem} ({command})")


def widths(admin: Any, names: Iterable[str]) -> dict[str, int]:
    """Return how many partitions each of these topics has, if it is there."""
    found = admin.describe_topics(list(names))
    return {row["name"]: len(row["partitions"]) for row in found if row["partitions"]}


def _create(
    admin: Any, wanted: Mapping[str, Topic], sources: Mapping[str, str], replication_factor: int
) -> list[str]:
    """Create what is missing; a changelog as wide as the source that is there already."""
    present = set(admin.list_topics())
    created = []
    for name in sorted(wanted.keys() - present):
        topic, source = wanted[name], sources.get(name, "")
        width = widths(admin, [source])[source] if source in present else topic.partitions
        row = {
            "num_partitions": width,
            "replication_factor": replication_factor,
            "configs": topic.settings(),
        }
        try:
            admin.create_topics({name: row})
        except TopicAlreadyExistsError:  # another of our processes starts at the same moment
            continue
        created.append(name)
    return created


def _settings(admin: Any, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the settings in force, of the topic or inherited from the brokers."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answer = admin.describe_configs(asked, config_filter="all")["topic"]
    return {
        name: {setting: row["value"] for setting, row in rows.items()}
        for name, rows in answer.items()
    }
