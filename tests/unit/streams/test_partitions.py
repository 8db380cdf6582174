"""What a worker does when somebody adds partitions, and what it says when Kafka refuses."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import TopicAuthorizationFailedError

from schemas.settings import Settings
from schemas.tallies import Cuts
from streams.checkpoint import Lost
from streams.partitions import CannotWiden, Partitions
from streams.recovery import Reader, Span

WIDTHS = {"command-events": 4, "tallies": 2, "tally-changelog": 4, "judge-changelog": 2}


class Kafka:
    """As much of a cluster, and of a producer, as is asked."""

    def __init__(self, **widths: int) -> None:
        self.widths = WIDTHS | {name.replace("_", "-"): width for name, width in widths.items()}
        self.refuses = False
        self.somebody_else_widens = False
        self.named: list[tuple[int, int]] = []
        self.state = "Stable"
        self.members: list[list[int]] = [[0, 2], [1, 3]]
        self.asked = 0

    @property
    def client(self) -> Kafka:
        """Return the producer's connection."""
        return self

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        """Return the partitions of each topic."""
        found = {name: self.widths[name.removeprefix("t.")] for name in names}
        return [{"topic": name, "partitions": [{}] * width} for name, width in found.items()]

    async def create_partitions(self, wanted: Mapping[str, Any]) -> None:
        """Widen, if that is allowed."""
        for name, new in wanted.items():
            if self.somebody_else_widens or not self.refuses:
                self.widths[name.removeprefix("t.")] = new.total_count
        if self.refuses:
            raise TopicAuthorizationFailedError("t.tally-changelog")

    async def send_and_wait(self, topic: str, value: bytes, *, partition: int) -> None:
        """Take what names the sources."""
        assert topic == "t.tallies"
        cuts = msgspec.msgpack.decode(value, type=Cuts)
        assert cuts.cuts == []
        self.named.append((partition, cuts.partition))

    async def partitions_for(self, topic: str) -> set[int]:
        """Return what the producer knows."""
        return set(range(self.widths[topic.removeprefix("t.")]))

    async def describe_consumer_groups(self, groups: list[str]) -> list[Any]:
        """Return who reads what."""
        assert groups == ["governance"]
        self.asked += 1
        members = [
            {
                "member_assignment": ConsumerProtocol.ASSIGNMENT(
                    0, [("t.command-events", mine), ("t.tallies", [9])], b""
                ).encode()
            }
            for mine in self.members
        ]
        answer = {"groups": [{"state": self.state, "members": members}]}
        return [SimpleNamespace(to_object=lambda: answer)]

    async def force_metadata_update(self) -> None:
        """Know it already."""


class Nothing(Reader):
    """A changelog without a record."""

    def __init__(self) -> None:
        pass

    async def spans(self, topic: str, partitions: list[int]) -> dict[int, Span]:
        """Return that there is nothing."""
        return dict.fromkeys(partitions, (0, 0))

    async def read(
        self, topic: str, wanted: Mapping[int, Span]
    ) -> AsyncIterator[tuple[int, int, bytes]]:
        """Yield nothing."""
        for _ in ():
            yield 0, 0, b""


async def begun(kafka: Kafka) -> Partitions:
    """Return the partitions of a worker that has begun."""
    partitions = Partitions(kafka, kafka, Settings(_env_file=None, topic_prefix="t."), "kafka:9092")
    await partitions.begin(Nothing())
    return partitions


async def test_every_judge_is_told_of_the_sources_before_anything_is_counted() -> None:
    """And again when there are more of them, whose states then have a place."""
    kafka = Kafka()
    partitions = await begun(kafka)
    assert kafka.named == [(0, 3), (1, 3)]
    kafka.widths["command-events"] = 6
    await partitions.follow()
    assert kafka.widths["tally-changelog"] == 6
    assert kafka.named[2:] == [(0, 5), (1, 5)]
    await partitions.follow()
    assert len(kafka.named) == 4


async def test_what_is_not_used_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """More partitions of tallies change nothing, and nobody need do anything."""
    kafka = Kafka()
    partitions = await begun(kafka)
    kafka.widths |= {"tallies": 5, "judge-changelog": 3}
    with caplog.at_level(logging.WARNING):
        await partitions.follow()
        await partitions.follow()
    assert [record.message.split(" of them")[0] for record in caplog.records] == [
        "t.tallies has 5 partitions and 2",
        "t.judge-changelog has 3 partitions and 2",
    ]
    assert partitions.homes == 2


async def test_new_states_use_what_both_topics_have() -> None:
    """Whoever made them, and however wide."""
    assert (await begun(Kafka(tallies=6, judge_changelog=1))).homes == 1
    assert (await begun(Kafka(tallies=1, judge_changelog=4))).homes == 1


async def test_a_refusal_says_what_to_run() -> None:
    """A new partition without a place for its state is not counted, and not passed over either."""
    kafka = Kafka(command_events=6)
    kafka.refuses = True
    with pytest.raises(CannotWiden) as refused:
        await begun(kafka)
    command = (
        "kafka-topics.sh --bootstrap-server kafka:9092 --alter --topic t.tally-changelog "
        "--partitions 6"
    )
    assert str(refused.value).endswith(command)
    assert kafka.named == []


async def test_it_does_not_matter_who_widens_first() -> None:
    """Of two workers that notice at the same moment Kafka refuses one."""
    kafka = Kafka(command_events=6)
    kafka.refuses = kafka.somebody_else_widens = True
    assert (await begun(kafka)).widths.tally_changelog == 6


async def test_a_place_is_there_before_a_state_is_recovered() -> None:
    """The group may give a partition to a worker that has not looked yet."""
    kafka = Kafka()
    partitions = await begun(kafka)
    kafka.widths["command-events"] = 6
    await partitions.make_room([0, 5])
    assert kafka.widths["tally-changelog"] == 6


async def test_partitions_that_nobody_reads_are_noticed() -> None:
    """As when all began again as static members: each was given what it had before."""
    kafka = Kafka()
    partitions = await begun(kafka)
    assert not await partitions.leaves_some_out()
    assert not await partitions.leaves_some_out()
    assert kafka.asked == 1
    kafka.widths["command-events"] = 6
    await partitions.follow()
    assert await partitions.leaves_some_out()
    kafka.state = "PreparingRebalance"
    assert not await partitions.leaves_some_out()
    kafka.state, kafka.members = "Stable", [[0, 1, 2], [3, 4, 5]]
    assert not await partitions.leaves_some_out()


async def test_topics_that_were_made_anew_with_less_are_no_place_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """States of three judges have no room on two."""

    async def three(*_: object) -> int:
        return 3

    monkeypatch.setattr("streams.partitions.stored_homes", three)
    with pytest.raises(Lost, match=r"those of 3 partitions of t\.tallies, and now it"):
        await begun(Kafka())
