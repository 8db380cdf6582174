"""How many partitions the topics have, and what is done when somebody adds some.

    command-events   more of them    counted too: the changelog is widened with it, and a message
                                     on tallies says so to every judge at one place of its log
    tallies          more of them    left unused: scopes stay with the judges that know them
    changelogs       more of them    left unused

Kafka never takes partitions away, so a topic with fewer than before was made anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import KafkaError

from schemas.settings import Settings
from schemas.topics import COMMAND_EVENTS, JUDGE_CHANGELOG, TALLIES, TALLY_CHANGELOG, Topic
from streams.checkpoint import Lost
from streams.recovery import Reader, stored_homes
from streams.tally import naming

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at how many partitions there are."""

METADATA_AGE: Final = 2_000
"""Milliseconds after which clients ask again what partitions there are; theirs is five minutes."""


class CannotWiden(Exception):
    """Kafka does not let us give a changelog the partitions that its source has."""


@dataclass(frozen=True, slots=True)
class Widths:
    """The number of partitions of each topic that a worker shares out by partition."""

    events: int
    tallies: int
    tally_changelog: int
    judge_changelog: int

    def homes(self, stored: int | None) -> int:
        """Return over how many partitions of ``tallies`` the scopes are shared out.

        *stored* is what the judges' states say, and stays so: with another number a scope would
        move to a judge that knows nothing of it. New states use what both topics have.
        """
        return stored or min(self.tallies, self.judge_changelog)

    def unused(self, homes: int, names: Settings) -> list[str]:
        """Return a sentence for each topic with partitions that nothing will ever be in."""
        return [
            f"{names.topic(topic.name)} has {width} partitions and {homes} of them are used: "
            "scopes stay with the judges that know them, nothing is lost and nothing is to be "
            "done; docs/topics.md says how to share the work of judging out anew"
            for topic, width in ((TALLIES, self.tallies), (JUDGE_CHANGELOG, self.judge_changelog))
            if width > homes
        ]


class Partitions:
    """What partitions there are: ``widths`` of the last look, and the ``homes`` of scopes."""

    widths: Widths
    homes: int

    def __init__(
        self,
        cluster: AIOKafkaAdminClient,
        records: AIOKafkaProducer,
        settings: Settings,
        servers: str,
    ) -> None:
        self._cluster = cluster
        self._records = records
        self._settings = settings
        self._servers = servers
        self._shared_out = 0

    async def begin(self, reader: Reader) -> None:
        """Look for the first time, and name the sources before anything is counted.

        Raises:
            Lost: ``tallies`` has fewer partitions than the judges' states were made with.
            CannotWiden: a source partition has no place for its state.
            KafkaError: Kafka does not answer.
        """
        self.widths = widths = await self.keep_up()
        self.homes = widths.homes(await stored_homes(reader, self._settings))
        if min(widths.tallies, widths.judge_changelog) < self.homes:
            raise Lost(
                f"the states of the judges are those of {self.homes} partitions of "
                f"{self._name(TALLIES)}, and now it or its changelog has fewer: somebody made it "
                "anew"
            )
        for unused in widths.unused(self.homes, self._settings):
            log.warning("%s", unused)
        await self._name_sources(widths.events)

    async def follow(self) -> None:
        """Look again: take up partitions that somebody added, and say what is not taken up.

        Raises:
            CannotWiden: a source partition has no place for its state.
            KafkaError: Kafka does not answer.
        """
        before, now = self.widths, await self.keep_up()
        if now.events > before.events:
            said = "%s has %d partitions, %d before: counting the new ones too"
            log.warning(said, self._name(COMMAND_EVENTS), now.events, before.events)
            await self._name_sources(now.events)
        told = before.unused(self.homes, self._settings)
        for unused in now.unused(self.homes, self._settings):
            if unused not in told:
                log.warning("%s", unused)
        self.widths = now  # at last: what fails before is done again

    async def leaves_some_out(self) -> bool:
        """Return whether the group has agreed on who reads what, and nobody reads some partition.

        A static member that starts again is given what it had, and the group goes on as it was:
        then nobody looks for partitions that were added meanwhile.

        Raises:
            KafkaError: Kafka does not answer.
        """
        if self._shared_out >= self.widths.events:
            return False
        [answer] = await self._cluster.describe_consumer_groups([self._settings.worker_group])
        [group] = answer.to_object()["groups"]
        if group["state"] != "Stable":
            return False
        name = self._name(COMMAND_EVENTS)
        read = {
            tp.partition
            for member in group["members"]
            for tp in ConsumerProtocol.ASSIGNMENT.decode(member["member_assignment"]).partitions()
            if tp.topic == name
        }
        if read >= set(range(self.widths.events)):
            self._shared_out = self.widths.events
            return False
        return True

    async def make_room(self, mine: Iterable[int]) -> None:
        """Return once the states of the source partitions *mine* can be written.

        The consumer may learn of a partition before the producer does, or before we looked.

        Raises:
            CannotWiden: there is no place for one, and Kafka refuses to make it.
            KafkaError: Kafka does not answer.
        """
        needed, changelog = set(mine), self._name(TALLY_CHANGELOG)
        while not needed <= await self._records.partitions_for(changelog):
            await self.keep_up()
            await self._records.client.force_metadata_update()

    async def _name_sources(self, sources: int) -> None:
        """Tell every judge, by the log that it reads, that there are so many partitions."""
        named = naming(sources)
        for home in range(self.homes):
            await self._records.send_and_wait(self._name(TALLIES), named, partition=home)

    async def look(self) -> Widths:
        """Return how many partitions the topics have now.

        Raises:
            KafkaError: Kafka does not answer.
        """
        topics = (COMMAND_EVENTS, TALLIES, TALLY_CHANGELOG, JUDGE_CHANGELOG)
        names = [self._settings.topic(topic.name) for topic in topics]
        found = await self._cluster.describe_topics(names)
        widths = {topic["topic"]: len(topic["partitions"]) for topic in found}
        return Widths(*(widths[name] for name in names))

    async def keep_up(self) -> Widths:
        """Return how many partitions there are, once each source partition can keep its state.

        Raises:
            CannotWiden: Kafka refuses that; says what to run.
            KafkaError: Kafka does not answer.
        """
        widths = await self.look()
        if widths.tally_changelog >= widths.events:
            return widths
        name = self._settings.topic(TALLY_CHANGELOG.name)
        try:
            await self._cluster.create_partitions({name: NewPartitions(widths.events)})
        except KafkaError as problem:
            widths = await self.look()
            if widths.tally_changelog < widths.events:
                raise CannotWiden(self._refused(widths, problem)) from None
        else:
            log.info("%s: widened to %d partitions", name, widths.events)
        return widths

    def _refused(self, widths: Widths, problem: KafkaError) -> str:
        """Return what is wrong, and what to run."""
        name = self._settings.topic(TALLY_CHANGELOG.name)
        return (
            f"{self._name(COMMAND_EVENTS)} has {widths.events} partitions and {name}, which keeps "
            f"their states, {widths.tally_changelog}; Kafka refuses to widen it: {problem}. Run "
            f"kafka-topics.sh --bootstrap-server {self._servers} --alter --topic {name} "
            f"--partitions {widths.events}"
        )

    def _name(self, topic: Topic) -> str:
        """Return a topic's full name."""
        return self._settings.topic(topic.name)
