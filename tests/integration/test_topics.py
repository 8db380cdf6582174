"""Topics on a real Kafka."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from embedded.provision import provision, widths
from embedded.topics import ensure
from schemas.errors import BadSetting
from schemas.settings import Settings
from schemas.topics import COMMAND_EVENTS, TOPICS
from tests.integration.stage import Stage

pytestmark = pytest.mark.integration


def test_topics_are_created_once_as_the_table_says(kafka: str, topic_prefix: str) -> None:
    """The first call creates every topic with its partitions, the second finds all of them."""
    created = ensure(kafka, prefix=topic_prefix)

    assert set(created) == {f"{topic_prefix}{topic.name}" for topic in TOPICS}
    assert ensure(kafka, prefix=topic_prefix) == []
    with KafkaAdminClient(bootstrap_servers=kafka.split(",")) as admin:
        found = {row["name"]: len(row["partitions"]) for row in admin.describe_topics(created)}
    assert found == {f"{topic_prefix}{topic.name}": topic.partitions for topic in TOPICS}


def made_by_a_broker(kafka: str, names: Iterable[str], *, partitions: int) -> None:
    """Make topics as a broker does when somebody sends to them first, or asks for them."""
    with KafkaAdminClient(bootstrap_servers=kafka.split(",")) as admin:
        for name in names:
            admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1}})
        admin.wait_for_topics(names)


def do_as_told(kafka: str, told: str) -> None:
    """Run the command in brackets at the end of *told*, as whoever reads it would."""
    command = re.search(r"\((kafka-\S+) (.*)\)$", told)
    assert command, told
    words = shlex.split(command[2])
    words.remove("--alter")
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert options.pop("--bootstrap-server") == kafka
    name = options.pop("--topic")
    with KafkaAdminClient(bootstrap_servers=kafka.split(",")) as admin:
        if command[1] == "kafka-topics.sh":
            admin.create_partitions({name: int(options.pop("--partitions"))})
        else:
            assert command[1] == "kafka-configs.sh"
            configs = dict([options.pop("--add-config").split("=", 1)])
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=configs)])
    assert not options


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("which", ["command-events", "all"])
def test_whoever_does_what_it_says_gets_a_system_that_counts(
    kafka: str, topic_prefix: str, tmp_path: Path, which: str, width: int
) -> None:
    """Topics that a broker made by itself are followed, or each hint leads on to the next."""
    names = [f"{topic_prefix}{one.name}" for one in TOPICS if which in (one.name, "all")]
    made_by_a_broker(kafka, names, partitions=width)
    settings = Settings(_env_file=None, topic_prefix=topic_prefix)
    for _ in range(2 * len(TOPICS)):
        try:
            provision(settings, kafka)
        except BadSetting as told:
            do_as_told(kafka, str(told))
        else:
            break
    found = widths(settings, kafka)
    assert found[f"{topic_prefix}command-events"] == width
    assert found[f"{topic_prefix}tally-changelog"] == width
    judges = found[f"{topic_prefix}judge-changelog"]
    with Stage(kafka, topic_prefix, tmp_path) as stage, stage.worker() as worker:
        stage.change()
        stage.fail("a", "b", "c", "d", "e", partition=width - 1)
        stage.wait(lambda: bool(stage.actions), worker)
        stage.wait(lambda: len(stage.judged) == judges)
        assert worker.lives == 1


def test_a_changelog_that_a_widened_topic_has_outgrown_is_widened(
    kafka: str, topic_prefix: str
) -> None:
    """We make the room ourselves; a changelog that is wider than its source does no harm."""
    settings = Settings(_env_file=None, topic_prefix=topic_prefix, event_partitions=2)
    provision(settings, kafka)
    with KafkaAdminClient(bootstrap_servers=kafka.split(",")) as admin:
        admin.create_partitions({f"{topic_prefix}command-events": 5})
        admin.create_partitions({f"{topic_prefix}judge-changelog": 6})
    assert provision(settings, kafka) == []
    assert widths(settings, kafka)[f"{topic_prefix}tally-changelog"] == 5


def test_an_events_topic_that_someone_made_with_defaults_is_refused(
    kafka: str, topic_prefix: str
) -> None:
    """A topic whose records carry their producers' clocks stops the start, by name."""
    ensure(kafka, prefix=topic_prefix, topics=[replace(COMMAND_EVENTS, config={})])

    with pytest.raises(BadSetting, match=r"message\.timestamp\.type is CreateTime"):
        ensure(kafka, prefix=topic_prefix)
