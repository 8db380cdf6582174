"""What Faust must go on being like: every private name that we touch, in the version we pinned.

When Faust is upgraded and one of these fails, read `streams/transport.py` and the new source
before anything else: a transport that is called differently loses events without a word.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.app.base import App
from faust.tables.recovery import Recovery
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.signals import SignalT
from mode.utils.logging import level_number

from schemas.settings import Settings
from streams.app import StreamApp
from streams.batch import Batch
from streams.stretch import READ_COMMITTED, Stretch
from streams.transport import Consumer, Parcel, Thread, Transport, parcel

EVENTS = TP("governance.command-events", 3)


@pytest.fixture
def app(tmp_path: Path) -> StreamApp:
    """Return a worker's app that has not been started; it names a Kafka nobody asks."""
    return StreamApp(Settings(_env_file=None, data_dir=tmp_path, worker_id="w-0"), "127.0.0.1:1")


@pytest.fixture
async def consumer(app: StreamApp) -> Any:
    """Return the consumer that Faust makes for *app*."""

    async def callback(*_: Any) -> None:
        """Take what Faust says."""

    consumer = app.transport.create_consumer(
        callback=callback, on_partitions_revoked=callback, on_partitions_assigned=callback
    )
    yield consumer
    consumer._thread.thread_loop.close()


@pytest.mark.parametrize("name", ["{conf.name}", "{", "}{", "{0}", "plain"])
def test_a_folder_with_braces_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    """Faust fills in what stands in braces; ours are part of a name."""
    settings = Settings(_env_file=None, data_dir=tmp_path / name, worker_id="w-0")
    app = StreamApp(settings, "127.0.0.1:1")
    assert app.conf.datadir == tmp_path / name / "workers" / "w-0"


def records(*offsets: int) -> list[Any]:
    """Return what a poll brings of one partition, as aiokafka hands it over."""
    return [
        SimpleNamespace(offset=offset, timestamp=1_000 + offset, value=b"v", key=b"k")
        for offset in offsets
    ]


def source_of(function: Any, *parts: str) -> Iterator[int]:
    """Yield where each of *parts* stands in the source of *function*; it must be there."""
    source = inspect.getsource(function)
    for part in parts:
        assert part in source, f"{function.__qualname__} no longer says {part!r}"
        yield source.index(part)


def test_faust_is_the_version_whose_source_was_read() -> None:
    """Another minor version may move private names without notice."""
    assert version("faust-streaming").startswith("0.15.")


@pytest.mark.parametrize(
    ("base", "own", "name"),
    [
        (driver.Consumer, Consumer, "_getmany"),
        (driver.Consumer, Consumer, "_new_offset"),
        (driver.Consumer, Consumer, "_add_gap"),
        (driver.Consumer, Consumer, "_new_consumer_thread"),
        (driver.AIOKafkaConsumerThread, Thread, "_create_worker_consumer"),
        (driver.AIOKafkaConsumerThread, Thread, "_fetch_records"),
    ],
)
def test_what_we_override_exists_as_we_override_it(base: Any, own: Any, name: str) -> None:
    """Same name, same parameters, and a coroutine if and only if Faust's is one."""
    theirs, ours = getattr(base, name), getattr(own, name)
    assert ours is not theirs
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
    assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(theirs)


@pytest.mark.parametrize(
    ("caller", "call"),
    [
        ("_wait_next_records", "await self._getmany("),
        ("_filter_committable_offsets", "self._new_offset(tp)"),
        ("_drain_messages", "await self._add_gap(tp, "),
        ("getmany", "self._to_message"),
        ("ack", "self._acked_index[tp]"),
    ],
)
def test_what_we_override_is_still_called(caller: str, call: str) -> None:
    """An override that nobody calls would let Faust's own way back in."""
    assert list(source_of(getattr(faust_consumer.Consumer, caller), call))


async def test_a_poll_comes_as_one_message_of_the_whole_batch(consumer: Any) -> None:
    """Faust takes the parcel for a record at the end of the batch, which is its value."""
    message = consumer._to_message(EVENTS, parcel(EVENTS, Stretch(2, 9, records(4, 5, 7))))
    assert (message.tp, message.offset, message.partition) == (EVENTS, 8, 3)
    assert message.generation_id == consumer.app.consumer_generation_id
    columns = ([4, 5, 7], [1_004, 1_005, 1_007], [b"v"] * 3, [b"k"] * 3)
    assert message.value == Batch(3, *columns, covers=(2, 9))


async def test_a_poll_is_made_into_parcels(consumer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition of which only the end of a transaction came brings a batch without records."""
    quiet = TP("governance.tallies", 0)
    found = {EVENTS: Stretch(1, 3, records(1, 2)), quiet: Stretch(5, 6, [])}

    async def getmany(*_: Any) -> dict[TP, Stretch]:
        return found

    monkeypatch.setattr(consumer._thread, "getmany", getmany)
    polled = await consumer._getmany(active_partitions={EVENTS}, timeout=1.0)
    assert [(type(one), one.offset) for one in polled[EVENTS]] == [(Parcel, 2)]
    [bare] = polled[quiet]
    assert (bare.offset, bare.value.offsets, bare.value.end) == (5, [], 6)


async def test_only_what_was_committed_is_read(app: StreamApp, consumer: Any) -> None:
    """Faust would read what producers abort; aiokafka is told otherwise before it starts."""
    made = consumer._thread._create_worker_consumer(app.transport)
    assert made._isolation_level == READ_COMMITTED
    assert "isolation_level=self._isolation_level" in inspect.getsource(AIOKafkaConsumer.start)
    await made.stop()


async def test_draining_what_was_fetched_gives_way_to_nobody() -> None:
    """Between the two looks at the positions no other task may seek (`streams.stretch`)."""
    fetched = inspect.getsource(Fetcher.fetched_records)
    assert fetched.count("await ") == 2
    assert "await self._subscriptions.wait_for_assignment()" in fetched
    assert list(source_of(Fetcher.fetched_records, "if drained or not timeout:", "asyncio.wait("))


@pytest.mark.parametrize("name", ["_subscriptions", "_closed", "_create_fetch_waiter"])
def test_names_of_the_fetcher_are_there(name: str) -> None:
    """With which a stretch is read: in the version of aiokafka that was read."""
    assert f"self.{name}" in inspect.getsource(Fetcher) or hasattr(Fetcher, name)
    assert version("aiokafka").startswith("0.14.")


async def test_only_what_is_durable_is_committed(app: StreamApp, consumer: Any) -> None:
    """Acknowledging a batch commits nothing; a flush does, and acks do not pile up."""
    consumer._acked[EVENTS].append(7)
    consumer._acked_index[EVENTS].add(7)
    assert consumer._filter_committable_offsets([EVENTS]) == {}
    app.durable[EVENTS] = 5
    assert consumer._filter_committable_offsets([EVENTS]) == {EVENTS: 5}
    assert not consumer._acked[EVENTS]
    assert not consumer._acked_index[EVENTS]


async def test_a_batch_of_many_is_no_gap(consumer: Any) -> None:
    """Faust's own way of merging such gaps is quadratic."""
    await consumer._add_gap(EVENTS, 1, 10_000)
    assert not consumer._gap[EVENTS]


async def test_the_app_uses_our_transport(app: StreamApp, consumer: Any) -> None:
    """Faust asks `_new_transport`, and makes the consumer of the class that it names."""
    assert isinstance(app.transport, Transport)
    assert isinstance(consumer, Consumer)
    assert consumer.durable is app.durable


def test_two_apps_share_no_positions(tmp_path: Path) -> None:
    """Each has a consumer class of its own, since Faust makes the instance itself."""
    settings = Settings(_env_file=None, data_dir=tmp_path, worker_id="w-0")
    one, other = (StreamApp(settings, "127.0.0.1:1").transport.Consumer for _ in range(2))
    assert one.durable is not other.durable


def test_recovery_is_awaited_before_anything_is_read() -> None:
    """`on_rebalance_complete` is a signal, sent before partitions are resumed and sought."""
    assert isinstance(App.on_rebalance_complete, SignalT)
    places = list(
        source_of(
            Recovery._resume_streams,
            "await app.on_rebalance_complete.send()",
            "consumer.resume_partitions(",
            "consumer.perform_seek()",
            "consumer.resume_flow()",
        )
    )
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("seek_wait", ["partitions"]),
        ("earliest_offsets", ["partitions"]),
        ("highwater", ["tp"]),
        ("assignment", []),
    ],
)
def test_public_names_of_the_consumer_are_there(name: str, parameters: list[str]) -> None:
    """With which the app heals gaps, knows the log's ends, and learns what is its own."""
    found = inspect.signature(getattr(driver.Consumer, name)).parameters
    assert list(found)[1:] == parameters


async def test_the_end_of_a_partition_that_was_taken_away_is_unknown(app: StreamApp) -> None:
    """Aiokafka asserts that it is assigned; a rebalance must not end whoever asks."""
    other = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    app.consumer = SimpleNamespace(highwater=other.highwater)
    assert app.end_of(EVENTS.topic, EVENTS.partition) is None
    await other.stop()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("stream_wait_empty", False),
        ("table_standby_replicas", 0),
        ("web_enabled", False),
        ("topic_allow_declare", False),
        ("broker_commit_interval", 1.0),
        ("broker_session_timeout", 10),
        ("consumer_group_instance_id", "w-0"),
        ("consumer_auto_offset_reset", "earliest"),
        ("consumer_metadata_max_age_ms", 2_000),
        ("worker_redirect_stdouts", False),
    ],
)
def test_settings_reach_faust(app: StreamApp, setting: str, value: object) -> None:
    """A setting that Faust no longer knows would fall back to a default that loses events."""
    assert getattr(app.conf, setting) == value


@pytest.mark.parametrize("seconds", [6, 300])
def test_the_session_may_not_outlast_a_request(tmp_path: Path, seconds: int) -> None:
    """Faust refuses to start otherwise; the longest session that our setting allows must fit."""
    settings = Settings(_env_file=None, data_dir=tmp_path, worker_session_seconds=seconds)
    conf = StreamApp(settings, "127.0.0.1:1").conf
    assert conf.broker_session_timeout == seconds < conf.broker_request_timeout
    assert conf.broker_heartbeat_interval < seconds


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_every_log_level_is_one_that_faust_knows(level: str) -> None:
    """The levels that our setting allows start a worker."""
    assert level_number(level) == logging.getLevelNamesMapping()[level.upper()]


async def test_a_consumer_can_have_the_group_shared_out_anew(consumer: Any) -> None:
    """It asks aiokafka's coordinator to join again, in the thread in which that lives."""
    consumer.join_anew()  # before there is a client, there is nothing to share out
    asked: list[str] = []
    coordinator = SimpleNamespace(request_rejoin=lambda: asked.append("rejoin"))
    consumer._thread._consumer = SimpleNamespace(_coordinator=coordinator)
    consumer.join_anew()
    loop = consumer._thread.thread_loop
    await asyncio.to_thread(loop.run_until_complete, asyncio.sleep(0))
    assert asked == ["rejoin"]
    assert not inspect.iscoroutinefunction(GroupCoordinator.request_rejoin)
    assert driver.AIOKafkaConsumerThread._consumer is None
