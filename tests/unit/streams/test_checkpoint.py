"""The order of a flush, and what happens to a batch that begins too late."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from schemas.tallies import STEP
from streams.batch import Output
from streams.checkpoint import BEHIND, SEEKS, Checkpoints, Lost
from streams.deltas import decode_judge, decode_tally
from streams.judge import Judge
from streams.tally import Tally
from tests.unit.streams.facts import NOON, batch, command, covering, cut, entry, row, tallies

TIMES: Final = [NOON, NOON + STEP]
"""Of two records, the second of which closes a cut."""


class Broker:
    """A Kafka in memory: what it was given, in order; it acknowledges when it is told to."""

    def __init__(self, *, first: int = 0, acknowledges: bool = True) -> None:
        self.said: list[str] = []
        self.outputs: list[Output] = []
        self.records: list[bytes] = []
        self.fails: set[str] = set()
        self.first = first
        self.acknowledges = acknowledges
        self._open: list[asyncio.Future[None]] = []

    async def send(self, output: Output) -> asyncio.Future[Any]:
        """Take *output*; it is delivered at once, or when `deliver` is called."""
        self.outputs.append(output)
        future = asyncio.get_running_loop().create_future()
        self._open.append(future)
        if self.acknowledges:
            self.deliver()
        return future

    def deliver(self) -> None:
        """Acknowledge all that was sent, or refuse it."""
        for future in self._open:
            if "send" in self.fails:
                future.set_exception(ConnectionError("send"))
            else:
                self.said.append("delivered")
                future.set_result(None)
        self._open = []

    async def store(self, partition: int, record: bytes) -> int:
        """Keep a changelog record."""
        if "store" in self.fails:
            raise ConnectionError("store")
        self.said.append("stored")
        self.records.append(record)
        return len(self.records) - 1

    async def seek(self, partition: int, offset: int) -> None:
        """Note from where the source is to be read again."""
        self.said.append(f"seek {offset}")

    async def beginning(self, partition: int) -> int:
        """Return the first offset that there is."""
        return self.first

    def durable(self, partition: int, offset: int) -> None:
        """Note what may be committed."""
        self.said.append(f"durable {offset}")


def tally() -> Tally:
    """Return a tally at the beginning of partition 0."""
    return Tally(0, tally_partitions=1)


def checkpoints(broker: Broker, state: Tally | None = None, **given: Any) -> Checkpoints[Tally]:
    """Return the checkpoints of one partition."""
    points: Checkpoints[Tally] = Checkpoints(
        broker, on_durable=broker.durable, **{"flush_records": 100} | given
    )
    points.assign([(0, state or tally())])
    return points


def records(start: int = 0, times: Sequence[int] = tuple(TIMES)) -> Any:
    """Return two records that make one output."""
    return batch(
        [command(f"{start}-{n}") for n in range(len(times))], times=list(times), start=start
    )


async def idle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


# ------------------------------------------------------------------------------------- a flush


async def test_a_flush_delivers_then_stores_then_allows_the_commit() -> None:
    """Each step waits for the one before it."""
    broker = Broker(acknowledges=False)
    points = checkpoints(broker)
    await points.take(records())
    flush = asyncio.create_task(points.flush(0))
    await idle()
    assert broker.said == []

    broker.deliver()
    await flush
    assert broker.said == ["delivered", "stored", "durable 2"]
    assert decode_tally(broker.records[0]).pos == 2


@pytest.mark.parametrize("step", ["send", "store"])
async def test_a_step_that_fails_is_the_last_one(step: str) -> None:
    """Nothing may be committed that is not published and stored."""
    broker = Broker()
    broker.fails.add(step)
    points = checkpoints(broker)
    await points.take(records())
    with pytest.raises(ConnectionError, match=step):
        await points.flush(0)
    assert not {"stored", "durable 2"} & set(broker.said)


async def test_what_is_folded_during_a_flush_waits_for_the_next() -> None:
    """The position that may be committed is the one that the delta stands at."""
    broker = Broker(acknowledges=False)
    points = checkpoints(broker)
    await points.take(records())
    flush = asyncio.create_task(points.flush(0))
    await idle()
    await points.take(records(2, [NOON + 2 * STEP]))
    broker.deliver()
    await flush
    assert decode_tally(broker.records[0]).pos == 2
    await points.flush(0)
    assert [text for text in broker.said if "durable" in text] == ["durable 2", "durable 3"]


async def test_two_flushes_of_a_partition_take_turns() -> None:
    """The second begins when the first is over: deltas are written in the order they were taken."""
    broker = Broker(acknowledges=False)
    points = checkpoints(broker)
    await points.take(records())
    first = asyncio.create_task(points.flush(0))
    await idle()
    await points.take(records(2, [NOON + 2 * STEP]))
    second = asyncio.create_task(points.flush(0))
    await idle()
    broker.deliver()
    await asyncio.gather(first, second)
    assert [decode_tally(one).pos for one in broker.records] == [2, 3]


async def test_nothing_new_is_not_flushed() -> None:
    """A quiet second writes no record."""
    broker = Broker()
    points = checkpoints(broker)
    await points.take(records())
    await points.flush_all()
    await points.flush_all()
    assert broker.said == ["delivered", "stored", "durable 2"]


async def test_a_partition_that_was_taken_away_is_not_committed() -> None:
    """A flush that is under way when another worker takes over ends without a word."""
    broker = Broker(acknowledges=False)
    points = checkpoints(broker)
    await points.take(records())
    flush = asyncio.create_task(points.flush(0))
    await idle()
    points.assign([(0, tally())])
    broker.deliver()
    await flush
    assert broker.said == ["delivered", "stored"]


async def test_outputs_go_out_in_the_order_in_which_they_were_made() -> None:
    """Of a batch, and from batch to batch."""
    broker, alone = Broker(), tally()
    points = checkpoints(broker)
    batches = [records(n, [NOON + n * STEP]) for n in range(5)]
    for one in batches:
        await points.take(one)
    assert broker.outputs == [output for one in batches for output in alone.fold(one)]


async def test_the_heartbeat_goes_out_before_the_delta() -> None:
    """It says how far the state has come, after all that was published up to there."""
    broker = Broker()
    points = checkpoints(broker, heartbeat=lambda state: Output("beat", str(state.pos).encode()))
    await points.take(records())
    await points.flush(0)
    assert [one.topic for one in broker.outputs] == ["tallies", "beat"]
    assert broker.said == ["delivered", "delivered", "stored", "durable 2"]
    await points.flush(0)
    assert len(broker.outputs) == 2


async def test_much_that_is_folded_asks_for_a_flush() -> None:
    """A delta stays small while a backlog is read."""
    points = checkpoints(Broker(), flush_records=2)
    await points.take(records(0, [NOON]))
    assert not points.due.is_set()
    await points.take(records(1, [NOON]))
    assert points.due.is_set()


async def test_folding_does_not_run_away_from_flushing() -> None:
    """Several flushes' worth of records behind, folding waits for one."""
    broker = Broker()
    points = checkpoints(broker, flush_records=1)
    for number in range(BEHIND):
        await points.take(records(number, [NOON]))
    assert broker.said == ["stored", f"durable {BEHIND}"]


async def test_a_batch_that_is_large_when_unpacked_is_flushed_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No record of the changelog and no message of tallies grows with what one poll brings."""
    monkeypatch.setattr("streams.checkpoint.PIECE", 1_000)
    monkeypatch.setattr("streams.checkpoint.HELD", 4_000)
    broker, state = Broker(), tally()
    points = checkpoints(broker, state, flush_records=1_000)
    await points.take(records(0, [NOON + number * STEP for number in range(100)]))
    assert (state.pos, state.stats.events) == (100, 100)
    assert len(broker.outputs) >= 10
    stored = [decode_tally(record) for record in broker.records]
    assert len(stored) >= 3
    assert all(delta.pos - delta.frm < 50 for delta in stored)


async def test_what_a_judge_held_back_goes_out_once_its_delta_is_stored() -> None:
    """A late rule's action follows the record that says since when it counts."""
    broker, state = Broker(), Judge(0, source_partitions=1)
    state.learn([entry(1, condition="failures >= 9", window="1m")])
    points: Checkpoints[Judge] = Checkpoints(broker, flush_records=9, on_durable=broker.durable)
    points.assign([(0, state)])
    await points.take(tallies((0, [cut(NOON), cut(NOON + STEP, row(failed=2))])))
    state.learn([entry(2, condition="failures >= 2", window="1m")])
    await points.take(tallies((0, [cut(NOON + 2 * STEP)]), start=1))
    await points.flush(0)
    assert broker.said == ["stored", "delivered", "durable 1"]
    assert decode_judge(broker.records[0]).late == {"High Error Rate@2": NOON + 3 * STEP}


# -------------------------------------------------------------------------------------- a gap


async def test_a_batch_of_a_partition_that_is_not_ours_is_dropped() -> None:
    """It may have been fetched before the partitions were handed on."""
    broker = Broker()
    points = checkpoints(broker)
    points.assign([])
    await points.take(records())
    await points.flush(0)
    assert (broker.said, broker.outputs) == ([], [])


async def test_a_gap_is_read_again_from_the_position() -> None:
    """The batch that came too early changes nothing; it counts when its turn comes."""
    broker, state = Broker(), tally()
    points = checkpoints(broker, state)
    await points.take(records(2))
    assert (broker.said, state.pos) == (["seek 0"], 0)
    await points.take(records(0))
    await points.take(records(2))
    assert (state.pos, state.stats.events) == (4, 4)


async def test_batches_that_were_fetched_before_the_seek_do_no_harm() -> None:
    """Each asks for the same place again."""
    broker, state = Broker(), tally()
    points = checkpoints(broker, state)
    for start in (2, 4, 6):
        await points.take(records(start))
    assert broker.said == ["seek 0"] * 3
    for start in (0, 2, 4, 6):
        await points.take(records(start))
    assert state.stats.events == 8


async def test_a_large_batch_after_a_gap_asks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pieces after the first would all find the same gap."""
    monkeypatch.setattr("streams.checkpoint.PIECE", 100)
    broker = Broker()
    await checkpoints(broker).take(records(2, [NOON] * 5))
    assert broker.said == ["seek 0"]


async def test_offsets_that_are_no_records_cost_no_seek() -> None:
    """The batch says that it covers them: before, between and after its records."""
    broker, state = Broker(), tally()
    points = checkpoints(broker, state)
    for start in range(0, 300, 10):
        await points.take(covering(records(start + 2), start, start + 10))
    assert (state.pos, state.stats.events) == (300, 60)
    assert not [said for said in broker.said if said.startswith("seek")]


async def test_a_stretch_without_records_moves_the_position() -> None:
    """The end of a transaction may be all that came: then the log is read to its end."""
    broker, state = Broker(), tally()
    points = checkpoints(broker, state)
    await points.take(covering(batch([]), 0, 7))
    await points.flush(0)
    assert (state.pos, broker.said) == (7, ["stored", "durable 7"])


async def test_a_gap_that_no_batch_covers_is_never_passed_over() -> None:
    """However often the same batch comes: only the client knows that nothing lies before it."""
    broker, state = Broker(), tally()
    points = checkpoints(broker, state)
    for _ in range(SEEKS):
        await points.take(records(2))
    assert (broker.said, state.pos) == (["seek 0"] * SEEKS, 0)


@pytest.mark.parametrize("size", [1, 100, 10_000])
async def test_the_pieces_of_a_batch_cover_what_it_covers(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """However a batch is cut up, no offset between its pieces looks like a gap."""
    monkeypatch.setattr("streams.checkpoint.PIECE", size)
    found = records(0, [NOON] * 5)
    sparse = replace(found, offsets=[3, 5, 6, 9, 10], covers=(0, 12))
    broker, state = Broker(), tally()
    await checkpoints(broker, state).take(sparse)
    assert (state.pos, state.stats.events, broker.said) == (12, 5, [])


async def test_records_that_were_deleted_are_never_passed_over() -> None:
    """When the log begins above the position, events are lost, and the worker says so."""
    points = checkpoints(Broker(first=2))
    await points.take(records(2))
    with pytest.raises(Lost, match="records 0 to 2 are gone"):
        await points.take(records(2))


async def test_a_gap_that_no_seek_heals_ends_the_worker() -> None:
    """Reading again is tried for a while, not for ever."""
    points = checkpoints(Broker())
    for number in range(SEEKS):
        await points.take(records(2 + number))
    with pytest.raises(Lost, match=f"{SEEKS} seeks to 0"):
        await points.take(records(2 + SEEKS))


async def test_a_gap_that_healed_is_forgotten() -> None:
    """Seeks add up only while nothing gets on."""
    broker = Broker()
    points = checkpoints(broker)
    for number in range(2 * SEEKS):
        await points.take(records(2 * number + 2))
        await points.take(records(2 * number))
    assert len([text for text in broker.said if "seek" in text]) == 2 * SEEKS
