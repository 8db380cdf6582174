"""What people decide, as a worker hears of it: all of it, in order, and never what is broken."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any, Final

import pytest
from aiokafka import TopicPartition

from schemas.governance import Phase, ProtectionRecord, ResolutionRecord, StateRecord
from schemas.rules import RuleVersion
from schemas.wire import from_ms
from streams.control import Control, News, entry_of
from streams.rulebook import PROTECTION, Rulebook
from tests.unit.rules.facts import rule
from tests.unit.streams.facts import NOON

RULES: Final = TopicPartition("rules", 0)
STATE: Final = TopicPartition("state", 0)


class Topics:
    """A consumer of the control topics in memory: a few records in each poll."""

    def __init__(self) -> None:
        self.records: dict[TopicPartition, list[bytes | None]] = {RULES: [], STATE: []}
        self.positions = {RULES: 0, STATE: 0}

    def assign(self, tps: list[TopicPartition]) -> None:
        """Read these partitions."""
        assert set(tps) == {RULES, STATE}

    async def seek_to_beginning(self, *tps: TopicPartition) -> None:
        """Read from the first record on."""
        self.positions |= dict.fromkeys(tps, 0)

    async def end_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where the partitions end now."""
        return {tp: len(self.records[tp]) for tp in tps}

    async def position(self, tp: TopicPartition) -> int:
        """Return what is read next."""
        return self.positions[tp]

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        """Return at most two records of each partition."""
        await asyncio.sleep(0)
        found = {tp: self.records[tp][at : at + 2] for tp, at in self.positions.items()}
        for tp, values in found.items():
            self.positions[tp] += len(values)
        return {tp: [SimpleNamespace(value=value) for value in one] for tp, one in found.items()}


def version(number: int, **fields: Any) -> RuleVersion:
    """Return a version of a rule."""
    return RuleVersion(
        name="High Error Rate",
        version=number,
        effective_from=NOON + number,
        rule=rule(**fields),
        changed_at=from_ms(NOON),
    )


def state(epoch: int) -> bytes:
    """Return a record of the state topic."""
    return StateRecord(
        phase=Phase.L4,
        phase_start_date=from_ms(NOON),
        command_whitelist=[],
        paused_command_types=[],
        autonomy_epoch=epoch,
        effective_from=NOON + epoch,
        updated_at=from_ms(NOON),
    ).to_bytes()


RESOLUTION: Final = ResolutionRecord(
    action_id="a", rule="r", scope_key="*", effective_from=NOON, resolved_at=from_ms(NOON)
).to_bytes()


def control(topics: Topics) -> Control:
    """Return what reads *topics*."""
    return Control(topics, topics, rules="rules", state="state")


async def test_everything_is_known_before_any_event_is_looked_at() -> None:
    """Both topics are read to their ends, whatever a poll brings; tombstones say nothing."""
    topics = Topics()
    topics.records[RULES] = [version(number).to_bytes() for number in range(1, 6)]
    topics.records[STATE] = [state(1), None, RESOLUTION, state(2)]
    reader = control(topics)
    await reader.load()
    assert [one.version for one in reader.known.entries] == [1, 2, 3, 4, 5]
    assert reader.known.epochs == [(1, NOON + 1), (2, NOON + 2)]
    assert [one.action_id for one in reader.known.resolutions] == ["a"]


@pytest.mark.parametrize(
    "broken",
    [b"{", b"null", version(2).to_bytes().replace(b"errorRate", b"errrRate"), b'{"name": "x"}'],
)
async def test_a_rule_that_cannot_be_used_is_left_out_and_said_aloud(
    broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The last good version stays, the good ones after it count."""
    topics = Topics()
    topics.records[RULES] = [version(1).to_bytes(), broken, version(3).to_bytes()]
    reader = control(topics)
    with caplog.at_level(logging.ERROR):
        await reader.load()
    assert [one.version for one in reader.known.entries] == [1, 3]
    assert reader.invalid == 1
    assert "cannot be used" in caplog.text


async def test_a_topic_that_was_made_anew_is_read_from_its_beginning() -> None:
    """It is shorter than what was read of it; what was known stays known."""
    topics, told, is_over = Topics(), list[int](), asyncio.Event()
    topics.records[RULES] = [version(number).to_bytes() for number in range(1, 4)]
    reader = control(topics)
    await reader.load()
    topics.records[RULES] = [version(4).to_bytes()]

    async def tell(news: News) -> None:
        told.extend(one.version for one in news.entries)

    async def after(_: None) -> None:
        is_over.set()

    task = asyncio.create_task(reader.follow(tell, before=lambda: None, after=after))
    await is_over.wait()
    task.cancel()
    assert told == [4]
    assert [one.version for one in reader.known.entries] == [1, 2, 3, 4]


async def test_a_version_that_cannot_be_used_is_known_to_be_there() -> None:
    """A newer worker judged by it; this one goes on by the last version that it can use."""
    topics = Topics()
    broken = version(2).to_bytes().replace(b"errorRate", b"errrRate")
    topics.records[RULES] = [version(1).to_bytes(), broken, b"{"]
    reader = control(topics)
    await reader.load()
    assert reader.known.unusable == [("High Error Rate", 2)]
    book = Rulebook()
    book.learn(reader.known.entries)
    assert book.lacking({"High Error Rate": 2}) == {"High Error Rate": 2}
    book.note_unusable(reader.known.unusable)
    assert book.lacking({"High Error Rate": 2}) == {}


async def test_protected_types_are_heard_of_as_versions() -> None:
    """Each holds from the T that it names, like a rule's; no rule can have its name."""
    record = ProtectionRecord(version=5, command_types=["FAN"], effective_from=NOON)
    topics = Topics()
    topics.records[STATE] = [state(1), record.to_bytes()]
    reader = control(topics)
    await reader.load()
    (entry,) = reader.known.protections
    assert (entry.name, entry.version, entry.effective_from) == (PROTECTION, 5, NOON)
    assert (entry.live, entry.protected) == (None, frozenset({"FAN"}))
    assert reader.known.entries == []
    assert bool(News(protections=[entry]))
    assert rule(name=PROTECTION).name != PROTECTION


async def test_what_was_noted_is_confirmed_once_all_that_was_there_by_then_is_told() -> None:
    """A note is taken before the topics' ends are asked for, and given back when both are read."""
    topics, said, is_over = Topics(), list[object](), asyncio.Event()

    def before() -> str:
        topics.records[RULES].append(version(1).to_bytes())
        return "note"

    async def tell(news: News) -> None:
        said.append([one.version for one in news.entries])

    async def after(note: str) -> None:
        said.append(note)
        is_over.set()

    task = asyncio.create_task(control(topics).follow(tell, before=before, after=after))
    await is_over.wait()
    task.cancel()
    assert said == [[1], "note"]


async def test_what_may_yet_be_committed_is_waited_for() -> None:
    """The topics' ends are asked for with open transactions; nothing is confirmed before them."""
    topics, asker, confirmed = Topics(), Topics(), asyncio.Event()
    topics.records[RULES] = [version(1).to_bytes()]
    asker.records[RULES] = [b"seen", b"open"]
    reader = Control(topics, asker, rules="rules", state="state")

    async def follow() -> None:
        await reader.load()
        confirmed.set()

    task = asyncio.create_task(follow())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not confirmed.is_set()
    topics.records[RULES].append(version(2).to_bytes())
    await task
    assert [one.version for one in reader.known.entries] == [1, 2]


@pytest.mark.parametrize("gone", [{"rule": None}, {"rule": rule(enabled=False)}])
def test_a_rule_that_is_deleted_or_disabled_judges_nothing(gone: dict[str, Any]) -> None:
    """Its version still takes the place of the one before."""
    entry = entry_of(version(2).model_copy(update=gone))
    assert (entry.version, entry.live) == (2, None)
