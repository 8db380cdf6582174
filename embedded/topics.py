"""Creates the topics of ``schemas.topics`` on a Kafka, and refuses one that is not as it must be.

A topic that exists is never changed: what is stored in it was written under its settings, and
someone chose them. Most differences are theirs to have (a longer retention, more partitions);
those in `ESSENTIAL` make what we count wrong, so they stop the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError

from schemas.errors import BadSetting, Unavailable
from schemas.topics import TOPICS, Topic

ESSENTIAL: Final = ("cleanup.policy", "message.timestamp.type")
"""Compaction would eat events; CreateTime would put producers' clocks in the place of the log's."""
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
    try:
        with KafkaAdminClient(
            bootstrap_servers=bootstrap_servers.split(","),
            bootstrap_timeout_ms=round(patience.total_seconds() * 1000),
        ) as admin:
            created = _create(admin, wanted, replication_factor)
            admin.wait_for_topics(wanted)
            check(wanted, _settings(admin, wanted))
    except KafkaError as problem:
        raise Unavailable("Kafka", f"cannot create topics: {problem}") from problem
    return created


def check(wanted: Mapping[str, Topic], found: Mapping[str, Mapping[str, str]]) -> None:
    """Compare the essential settings of every topic.

    Raises:
        BadSetting: Names the topic, the setting, and the command that mends it.
    """
    for name, topic in wanted.items():
        for setting, right in topic.settings().items():
            present = found[name].get(setting)
            if setting in ESSENTIAL and present != right:
                raise BadSetting(
                    f"topic {name}",
                    f"{setting} is {present} and must be {right} "
                    f"(kafka-configs.sh --alter --topic {name} --add-config {setting}={right})",
                )


def _create(admin: Any, wanted: Mapping[str, Topic], replication_factor: int) -> list[str]:
    present = set(admin.list_topics())
    created = []
    for name in sorted(wanted.keys() - present):
        topic = wanted[name]
        row = {
            "num_partitions": topic.partitions,
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
