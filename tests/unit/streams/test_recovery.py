"""A state is rebuilt from its changelog whole, or the worker refuses and says what is missing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import msgspec
import pytest

from schemas.settings import Settings
from schemas.tallies import ID_MEMORY
from streams.checkpoint import Lost
from streams.deltas import decode_tally, encode
from streams.judge import Judge
from streams.recovery import Reader, Recovery, Span, stop, stored_homes
from streams.tally import Tally
from tests.unit.streams.facts import NOON, batch, command, cut, tallies

CHANGELOG: Final = "t.tally-changelog"


class Topic(Reader):
    """A changelog in memory; each partition is its records from some first offset on.

    None stands for an offset that is no record: the end of somebody's transaction, say.
    """

    def __init__(
        self,
        partitions: Mapping[int, Sequence[bytes | None]],
        first: int = 0,
        name: str = CHANGELOG,
    ) -> None:
        self.name = name
        self.partitions = dict(partitions)
        self.first = first
        self.reads: list[tuple[int, Span]] = []

    async def spans(self, topic: str, partitions: list[int]) -> dict[int, Span]:
        """Return the offsets that each partition holds now."""
        assert topic == self.name
        held = {partition: self.partitions.get(partition, []) for partition in partitions}
        return {p: (self.first, self.first + len(records)) for p, records in held.items()}

    async def read(
        self, topic: str, wanted: Mapping[int, Span]
    ) -> AsyncIterator[tuple[int, int, bytes]]:
        """Yield every record in *wanted*."""
        for partition, (begin, end) in wanted.items():
            self.reads.append((partition, (begin, end)))
            for offset in range(begin, end):
                value = self.partitions[partition][offset - self.first]
                if value is not None:
                    yield partition, offset, value


def make(partition: int, pos: int) -> Tally:
    """Return a tally that knows nothing."""
    return Tally(partition, tally_partitions=1, pos=pos)


def recovery(topic: Topic) -> Recovery[Tally]:
    """Return the recovery of tallies from *topic*."""
    return Recovery(topic, changelog=CHANGELOG, make=make, decode=decode_tally)


def life(flushes: int, pause: int = ID_MEMORY) -> tuple[Tally, list[bytes]]:
    """Return a tally that took an event and was flushed every *pause* ms, and its changelog."""
    state, changelog = make(0, 0), list[bytes]()
    for number in range(flushes):
        moment = NOON + number * pause
        state.fold(batch([command(str(number), at=moment)], times=moment, start=number))
        delta = state.delta()
        assert delta is not None
        state.stored(delta, number)
        changelog.append(encode(delta))
    return state, changelog


def hint(changelog: list[bytes]) -> int:
    """Return where reading may begin, as the last record says."""
    return decode_tally(changelog[-1]).start


async def test_a_new_partition_begins_at_the_first_record_that_there_is() -> None:
    """Without a changelog and without a commit nothing has been counted yet."""
    states = await recovery(Topic({})).states({3: 17}, set())
    assert (states[3].partition, states[3].pos) == (3, 17)


async def test_what_was_stored_is_what_is_rebuilt() -> None:
    """Position, clock and remembered ids are those of the last record."""
    lived, changelog = life(4)
    state = (await recovery(Topic({0: changelog})).states({0: 0}, {0}))[0]
    assert (state.pos, state.clock) == (lived.pos, lived.clock)
    assert set(state.memory.ids | state.memory.ids_before) == {"2", "3"}


async def test_reading_begins_at_the_hint() -> None:
    """The last record, then from where it says: what came before is no longer remembered."""
    _, changelog = life(6)
    topic = Topic({0: changelog})
    await recovery(topic).states({0: 0}, {0})
    assert topic.reads == [(0, (5, 6)), (0, (4, 6))]
    assert hint(changelog) == 4


async def test_a_hint_that_misleads_costs_only_time() -> None:
    """A worker that woke up may name a start that is too late: then all records are read."""
    lived, changelog = life(4)
    zombie = msgspec.structs.replace(decode_tally(changelog[1]), start=3)
    topic = Topic({0: [*changelog, encode(zombie)]})
    state = (await recovery(topic).states({0: 0}, {0}))[0]
    assert (state.pos, set(state.memory.ids_before)) == (lived.pos, {"2"})
    assert [span for _, span in topic.reads] == [(4, 5), (3, 5), (0, 5)]


async def test_a_changelog_that_is_gone_is_refused_by_name() -> None:
    """Its source is committed: starting afresh would count for a second time or not at all."""
    with pytest.raises(Lost, match=r"t\.tally-changelog/2 holds nothing although its source is"):
        await recovery(Topic({})).states({2: 0}, {2})


async def test_a_changelog_with_a_hole_is_refused_by_name() -> None:
    """A record in the middle that is missing cannot be made up for."""
    _, changelog = life(4, pause=1_000)
    del changelog[1]
    with pytest.raises(Lost, match=r"t\.tally-changelog/0 lacks records that the state needs"):
        await recovery(Topic({0: changelog})).states({0: 0}, {0})


async def test_a_changelog_whose_beginning_was_cut_too_short_is_refused_by_name() -> None:
    """What is left does not reach back over all ids that are still remembered."""
    _, changelog = life(4, pause=1_000)
    with pytest.raises(Lost, match=r"t\.tally-changelog/0 lacks records"):
        await recovery(Topic({0: changelog[2:]}, first=2)).states({0: 0}, {0})


async def test_a_changelog_whose_beginning_is_no_longer_needed_may_be_cut() -> None:
    """Retention may take what two generations of ids do not need."""
    lived, changelog = life(6)
    state = (await recovery(Topic({0: changelog[4:]}, first=4)).states({0: 0}, {0}))[0]
    assert state.pos == lived.pos


@pytest.mark.parametrize(("begins", "is_lost"), [(4, False), (5, True)])
async def test_a_source_that_was_cut_above_the_state_is_refused_by_name(
    begins: int, is_lost: bool
) -> None:
    """Records that were deleted before anybody counted them are lost, not skipped."""
    _, changelog = life(4)
    states = recovery(Topic({0: changelog})).states({0: begins}, {0})
    if is_lost:
        with pytest.raises(Lost, match="begins at 5, but the stored state ends at 4"):
            await states
    else:
        assert (await states)[0].pos == 4


async def test_partitions_are_rebuilt_side_by_side() -> None:
    """One that must be read from its beginning does not disturb the others."""
    _, changelog = life(4)
    states = await recovery(Topic({0: changelog, 1: changelog[:2]})).states({0: 0, 1: 0, 2: 9}, {0})
    assert {partition: state.pos for partition, state in states.items()} == {0: 4, 1: 2, 2: 9}


@pytest.mark.parametrize("place", [1, 2, 3])
async def test_what_is_no_record_of_ours_changes_nothing(place: int) -> None:
    """Wherever it lies, the state is that of our own records, and it is named."""
    state, changelog = life(3)
    topic = Topic({0: [*changelog[:place], b'{"no": "delta"}', *changelog[place:]]})
    found = recovery(topic)
    [joined] = (await found.states({0: 0}, {0})).values()
    assert (joined.pos, joined.clock) == (state.pos, state.clock)
    assert list(found.unreadable[0]) == [place]


async def test_a_changelog_without_a_record_of_ours_holds_nothing() -> None:
    """A new partition begins at its first record; one that is committed has lost its state."""
    topic = Topic({0: [b"", b"garbage"]})
    assert (await recovery(topic).states({0: 17}, set()))[0].pos == 17
    with pytest.raises(Lost, match=r"t\.tally-changelog/0 holds nothing although"):
        await recovery(topic).states({0: 17}, {0})


async def test_a_damaged_record_that_is_needed_is_named() -> None:
    """What comes after it does not join, and nobody guesses."""
    _, changelog = life(3)
    changelog[1] = b"damaged"
    with pytest.raises(Lost, match="those at offsets 1 cannot be read"):
        await recovery(Topic({0: changelog})).states({0: 0}, {0})


@pytest.mark.parametrize("junk", [[], [b"junk"], [b"junk", b""]])
async def test_over_how_many_judges_scopes_are_shared_out_is_stored(junk: list[bytes]) -> None:
    """The last record of ours says it; without one nobody has said."""
    state = Judge(0, source_partitions=1, homes=3)
    state.fold(tallies((0, [cut(NOON), cut(NOON + 100)])))
    delta = state.delta()
    assert delta is not None
    settings = Settings(_env_file=None, topic_prefix="t.")
    changelog = "t.judge-changelog"
    told = await stored_homes(Topic({0: [encode(delta), *junk]}, name=changelog), settings)
    assert told == 3
    assert await stored_homes(Topic({0: junk}, name=changelog), settings) is None


async def test_offsets_of_a_changelog_that_are_no_records_are_passed_over() -> None:
    """At its end they leave no hint, so all is read; elsewhere they are not even seen."""
    lived, changelog = life(6)
    sparse = [None, *changelog[:3], None, None, *changelog[3:], None]
    topic = Topic({0: sparse})
    state = (await recovery(topic).states({0: 0}, {0}))[0]
    assert (state.pos, state.clock) == (lived.pos, lived.clock)
    assert [span for _, span in topic.reads] == [(9, 10), (0, 10)]


async def test_a_changelog_without_a_record_holds_nothing() -> None:
    """It may have offsets all the same: a new partition begins, a committed one is refused."""
    topic = Topic({0: [None, None]})
    assert (await recovery(topic).states({0: 17}, set()))[0].pos == 17
    with pytest.raises(Lost, match=r"tally-changelog/0 holds nothing although its source is"):
        await recovery(topic).states({0: 17}, {0})


class Deaf:
    """A consumer whose work swallows the first word that it shall stop, as aiokafka's may."""

    def __init__(self) -> None:
        self.told = 0

    async def _work(self) -> None:
        while self.told < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.told += 1

    async def stop(self) -> None:
        """Stop the work, and wait for its end."""
        work = asyncio.create_task(self._work())
        await asyncio.sleep(0)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


async def test_a_consumer_that_does_not_hear_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recovery that waited for it would wait for ever, without a word."""
    monkeypatch.setattr("streams.recovery.DEAF", 0.01)
    consumer = Deaf()
    await stop(consumer)
    assert consumer.told == 2
