"""What people decide, as workers hear of it: rules, resolutions and the autonomy epoch.

Both topics are compacted and have one partition. Each worker reads them whole, without a
consumer group, before it looks at any event, and follows them from then on.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import ValidationError

from rules.live import make_live
from schemas.errors import RuleError
from schemas.governance import STATE_TOPIC, ProtectionRecord, ResolutionRecord
from schemas.rules import RuleVersion
from streams.judge import Resolution
from streams.rulebook import PROTECTION, Entry
from streams.stretch import Ends, ends_of

log = logging.getLogger(__name__)

T = TypeVar("T")

CONFIRM_EVERY: Final = 0.2
"""Seconds between two looks at the ends of the control topics."""


def entry_of(version: RuleVersion) -> Entry:
    """Return a version as the rulebook keeps it.

    Raises:
        RuleError: the rule cannot go live.
    """
    live = make_live(version) if version.rule is not None and version.rule.enabled else None
    return Entry(version.name, version.version, version.effective_from, live)


def named_version(value: bytes) -> list[tuple[str, int]]:
    """Return the name and number that a rule version nobody can use still shows, if it does."""
    try:
        found = json.loads(value)
        return [(str(found["name"]), int(found["version"]))]
    except (ValueError, TypeError, KeyError):
        return []


def protection_of(record: ProtectionRecord) -> Entry:
    """Return a version of the protected command types as the rulebook keeps it."""
    names = frozenset(record.command_types)
    return Entry(PROTECTION, record.version, record.effective_from, None, names)


@dataclass
class News:
    """What a stretch of the control topics says."""

    entries: list[Entry] = field(default_factory=list)
    resolutions: list[Resolution] = field(default_factory=list)
    epochs: list[tuple[int, int]] = field(default_factory=list)
    unusable: list[tuple[str, int]] = field(default_factory=list)
    protections: list[Entry] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any((self.entries, self.resolutions, self.epochs, self.unusable, self.protections))

    def extend(self, other: News) -> None:
        """Add what *other* says."""
        self.entries += other.entries
        self.resolutions += other.resolutions
        self.epochs += other.epochs
        self.unusable += other.unusable
        self.protections += other.protections


class Control:
    """Reads the control topics; ``known`` is all that has been heard since the start.

    *consumer* reads what was committed. *asker* is asked where the topics end, open transactions
    included: what may yet be committed is not known before that is certain.
    """

    def __init__(
        self, consumer: AIOKafkaConsumer, asker: AIOKafkaConsumer, *, rules: str, state: str
    ) -> None:
        self.known = News()
        self.invalid = 0
        self._consumer = consumer
        self._asker = asker
        self._rules = TopicPartition(rules, 0)
        self._state = TopicPartition(state, 0)
        self._tps = [self._rules, self._state]

    def ends(self) -> dict[TopicPartition, Ends]:
        """Return where the topics end, as far as known."""
        found = {tp: ends_of(self._consumer, tp) for tp in self._tps}
        return {tp: ends for tp, ends in found.items() if ends is not None}

    async def load(self) -> None:
        """Read both topics to their present ends."""
        self._consumer.assign(self._tps)
        await self._consumer.seek_to_beginning(*self._tps)
        self.known = await self._catch_up()

    async def follow(
        self,
        tell: Callable[[News], Awaitable[None]],
        *,
        before: Callable[[], T],
        after: Callable[[T], Awaitable[None]],
    ) -> None:
        """Tell of everything new, for ever, and confirm how far that is the whole truth.

        What *before* notes of what has been read is given to *after* once the ends of the
        topics, asked for in between, have been read.
        """
        while True:
            noted = before()
            news = await self._catch_up()
            if news:
                self.known.extend(news)
                await tell(news)
            await after(noted)
            await asyncio.sleep(CONFIRM_EVERY)

    async def _catch_up(self) -> News:
        """Read to the ends that the topics have now, and return what is new."""
        news = News()
        ends = await self._asker.end_offsets(self._tps)
        await self._begin_again(ends)
        while [tp for tp in self._tps if await self._consumer.position(tp) < ends[tp]]:
            news.extend(await self._poll(500))
        return news

    async def _begin_again(self, ends: Mapping[TopicPartition, int]) -> None:
        """Read from its beginning a topic that is shorter than what was read: it was made anew."""
        for tp in self._tps:
            if ends[tp] < await self._consumer.position(tp):
                log.warning("%s was made anew: it is read from its beginning", tp.topic)
                await self._consumer.seek_to_beginning(tp)

    async def _poll(self, timeout_ms: int) -> News:
        """Return what one poll brought."""
        news = News()
        for tp, records in (await self._consumer.getmany(timeout_ms=timeout_ms)).items():
            for record in records:
                if record.value:
                    self._read(tp, record.value, news)
        return news

    def _read(self, tp: TopicPartition, value: bytes, news: News) -> None:
        """Add what one record says; one that cannot be used changes nothing and is said aloud."""
        try:
            if tp == self._rules:
                news.entries.append(entry_of(RuleVersion.model_validate_json(value)))
            else:
                self._read_state(value, news)
        except (ValidationError, RuleError) as error:
            self.invalid += 1
            news.unusable += named_version(value) if tp == self._rules else ()
            log.error("a record of %s cannot be used and is left out: %s", tp.topic, error)

    @staticmethod
    def _read_state(value: bytes, news: News) -> None:
        """Add what a record of the state topic says."""
        record = STATE_TOPIC.validate_json(value)
        if isinstance(record, ResolutionRecord):
            news.resolutions.append(
                Resolution(record.action_id, record.rule, record.scope_key, record.effective_from)
            )
        elif isinstance(record, ProtectionRecord):
            news.protections.append(protection_of(record))
        else:
            news.epochs.append((record.autonomy_epoch, record.effective_from))
