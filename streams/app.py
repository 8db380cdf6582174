"""The worker's Faust app: it brings batches and partitions, and joins them to the pure halves.

    command-events ──► tally agent ──► tallies ──► judge agent ──► breaker-actions
                         │    ▲                      │    ▲
                         ▼    │ recovery             ▼    │ recovery
                    tally-changelog             judge-changelog        rules, state ──► both

Anything that is not understood ends the process at once: the way back is the one that every
crash test takes, and it loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import faust
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from faust.types import TP

from schemas.actions import BreakerAction
from schemas.settings import Settings
from schemas.topics import COMMAND_EVENTS, RULES, STATE, TALLIES, Topic
from schemas.wire import to_ms
from streams import duties
from streams.agents import define_agents
from streams.batch import Batch, Output
from streams.checkpoint import Lost
from streams.control import Control, News
from streams.exits import EXIT_UNAVAILABLE, leave
from streams.hearing import Hearing
from streams.heartbeat import FRONTIER_KEY, Heartbeat
from streams.judge import Judge
from streams.merge import Hole
from streams.metrics import WorkerMetrics
from streams.partitions import METADATA_AGE, CannotWiden, Partitions
from streams.producer import make_producer
from streams.recovery import Reader, stop
from streams.side import Side, judge_side, tally_side
from streams.stretch import READ_COMMITTED, READ_UNCOMMITTED, Ends
from streams.tally import Tally, TallyStats
from streams.transactions import OpenTransactions
from streams.transport import Transport, consumer_of

log = logging.getLogger(__name__)

FETCH: Final = 16 * 1024 * 1024
"""Bytes of a partition that a recovery fetches at once: more than any record."""

REMIND: Final = 5.0
"""Seconds after which it is said that a start waits."""

_CONFIGURATION: Final[dict[str, Any]] = {
    "store": "memory://",
    "version": 1,
    "autodiscover": False,
    "web_enabled": False,
    "topic_disable_leader": True,
    "topic_allow_declare": False,
    "table_standby_replicas": 0,  # 1 would bring Faust's own assignor
    "stream_wait_empty": False,  # an old batch on an old state is harmless
    "stream_buffer_maxsize": 32,  # batches, not events: each may hold a megabyte
    "broker_commit_interval": 1.0,
    "broker_max_poll_records": None,
    "consumer_auto_offset_reset": "earliest",
    "consumer_metadata_max_age_ms": METADATA_AGE,
    "worker_redirect_stdouts": False,
}


class _Source:
    """One source topic as the consumer of *app* has it."""

    def __init__(self, app: StreamApp, topic: Topic) -> None:
        self._app = app
        self._topic = topic
        self._name = app.settings.topic(topic.name)

    async def seek(self, partition: int, offset: int) -> None:
        """Have *partition* read again from *offset*."""
        self._app.metrics.seeks.labels(self._topic.name).inc()
        await self._app.consumer.seek_wait({TP(self._name, partition): offset})

    async def beginning(self, partition: int) -> int:
        """Return the offset of the first record that *partition* still has."""
        tp = TP(self._name, partition)
        return int((await self._app.consumer.earliest_offsets(tp))[tp])

    def set_durable(self, partition: int, offset: int) -> None:
        """Allow that *offset* be committed for *partition*."""
        self._app.durable[TP(self._name, partition)] = offset


def _as_it_is(path: Path) -> str:
    """Return *path* for Faust, which would fill in what stands in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


class StreamApp(faust.App):
    """The app of one worker."""

    tallying: Side[Tally]
    judging: Side[Judge]
    control: Control
    partitions: Partitions

    def __init__(
        self,
        settings: Settings,
        bootstrap_servers: str,
        *,
        check_claim: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self._check_claim = check_claim
        self.servers = bootstrap_servers
        self.metrics = WorkerMetrics(settings.metrics_prefix)
        self.stats = TallyStats()
        self.durable: dict[TP, int] = {}
        self.begun: dict[tuple[str, int], int] = {}
        self.transactions = OpenTransactions()
        self.sides: tuple[Side[Any], ...] = ()
        # A decision takes effect a lead after it was made; half of that is for its way to Kafka.
        self.hearing = Hearing(settings.control_lead_milliseconds // 2)
        self._clients = AsyncExitStack()
        self._duties: list[asyncio.Future[None]] = []
        super().__init__(
            settings.worker_group,
            broker=[f"kafka://{server.strip()}" for server in bootstrap_servers.split(",")],
            datadir=_as_it_is(settings.data_dir / "workers" / settings.worker_id),
            broker_session_timeout=settings.worker_session_seconds,
            broker_request_timeout=settings.worker_session_seconds + 80.0,  # or it does not start
            broker_heartbeat_interval=min(3.0, settings.worker_session_seconds / 3),
            consumer_group_instance_id=settings.worker_id,
            **_CONFIGURATION,
        )
        self.events_topic = self._raw(COMMAND_EVENTS)
        self.tallies_topic = self._raw(TALLIES)
        define_agents(self)
        self.on_partitions_revoked.connect(self._rejoining)
        self.on_rebalance_complete.connect(self._rebalanced)

    def _raw(self, topic: Topic) -> Any:
        """Return a topic whose values Faust hands on as they are."""
        return self.topic(
            self.settings.topic(topic.name),
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            allow_empty=True,
        )

    def _new_transport(self) -> Transport:
        """Return the transport of whole batches (called by Faust)."""
        transport = Transport(self.conf.broker_consumer, self)
        wait = self.settings.poll_wait_milliseconds / 1000
        transport.Consumer = consumer_of(durable=self.durable, poll_wait=wait)
        return transport

    # -------------------------------------------------------------------------- start, stop

    async def on_start(self) -> None:
        """Learn the topics and the rules before any event is looked at."""
        await super().on_start()
        self._records = make_producer(self.settings, self.servers)
        await self._records.start()
        self._clients.push_async_callback(self._records.stop)
        self._cluster = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await self._cluster.start()
        self._clients.push_async_callback(self._cluster.close)
        self.partitions = Partitions(self._cluster, self._records, self.settings, self.servers)
        reader = await self._opened(self._groupless())
        await self.or_leave(self._make_sides(Reader(reader)))
        self.control = Control(
            reader,
            await self._opened(self._groupless(READ_UNCOMMITTED)),
            rules=self.settings.topic(RULES.name),
            state=self.settings.topic(STATE.name),
        )
        await self._load()
        log.info("loaded %d rule versions", len(self.control.known.entries))

    async def _load(self) -> None:
        """Learn what people decided; say so if that takes long, as with an open transaction."""
        loading = asyncio.ensure_future(self.control.load())
        while not (await asyncio.wait([loading], timeout=REMIND))[0]:
            held = [
                f"{tp.topic}/{tp.partition}" for tp, e in self.control.ends().items() if e.is_held
            ]
            why = f": a transaction is open on {', '.join(held)}" if held else ""
            log.warning("still reading what people decided, before any event is counted%s", why)
        await loading

    async def _opened(self, consumer: AIOKafkaConsumer) -> AIOKafkaConsumer:
        """Start *consumer*; it stops with us."""
        await consumer.start()
        self._clients.push_async_callback(consumer.stop)
        return consumer

    async def _make_sides(self, reader: Reader) -> None:
        """Make both sides, with as many partitions as the topics have."""
        await self.partitions.begin(reader)
        self.tallying = tally_side(
            self.settings,
            self._records,
            _Source(self, COMMAND_EVENTS),
            tally_partitions=self.partitions.homes,
            stats=self.stats,
        )
        self.judging = judge_side(
            self.settings,
            self._records,
            _Source(self, TALLIES),
            source_partitions=lambda: self.partitions.widths.events,
            tally_partitions=self.partitions.homes,
            on_outputs=self._note_actions,
            overflowed=lambda: sum(tally.memory.overflowed for tally in self.tallying.states),
        )
        self.sides = (self.tallying, self.judging)

    async def on_started(self) -> None:
        """Take up the duties."""
        await super().on_started()
        for duty in (
            duties.flush_for_ever(self, self.tallying),
            duties.flush_for_ever(self, self.judging),
            duties.tick_for_ever(self),
            duties.watch_for_ever(self),
            duties.begin_for_ever(self),
            duties.follow_partitions_for_ever(self),
            self.control.follow(self.tell, before=self._noted, after=self._confirm),
        ):
            self._duties.append(asyncio.ensure_future(self.or_leave(duty)))

    async def read_again(self, topic: Topic, partition: int, offset: int) -> None:
        """Have *partition* of a source read again from *offset*."""
        await _Source(self, topic).seek(partition, offset)

    async def tick(self, topic: str, partition: int) -> None:
        """Append an empty record to *partition*, without waiting for the broker."""
        await self._records.send(topic, b"", partition=partition)
        self.metrics.ticks.inc()

    async def on_stop(self) -> None:
        """Flush what is folded, so that the next owner need not fold it again."""
        for duty in self._duties:
            duty.cancel()
        await asyncio.gather(*self._duties, return_exceptions=True)
        for side in self.sides:
            await side.checkpoints.flush_all()
        await super().on_stop()
        await self._clients.aclose()

    def _groupless(self, isolation_level: str = READ_COMMITTED) -> AIOKafkaConsumer:
        """Return a consumer for recovery and control, which never joins the group."""
        return AIOKafkaConsumer(
            bootstrap_servers=self.servers,
            group_id=None,
            isolation_level=isolation_level,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH,
            fetch_max_bytes=4 * FETCH,
            fetch_max_wait_ms=50,  # a question for the topic's end waits behind a fetch
        )

    # ------------------------------------------------------------------------------ running

    async def or_leave(self, work: Awaitable[None]) -> None:
        """Await *work*; whatever goes wrong in it ends the process."""
        try:
            await work
        except Lost as problem:
            leave(str(problem))
        except CannotWiden as problem:
            leave(str(problem), EXIT_UNAVAILABLE)
        except Exception as problem:  # noqa: BLE001 - going on would lose events in silence
            leave(problem)

    async def take(self, side: Side[Any], event: Any) -> None:
        """Give one batch to its side."""
        if event.message.generation_id != self.consumer_generation_id:
            return
        batch: Batch = event.value
        if side.source is COMMAND_EVENTS:
            await self.hearing.wait_for(batch)
        await self.or_leave(self._fold(side, batch))
        self.metrics.batches.labels(side.source.name).inc()
        self.metrics.records.labels(side.source.name).inc(len(batch.offsets))

    async def _fold(self, side: Side[Any], batch: Batch) -> None:
        """Let *side* take *batch*, and say which of its records are none of ours.

        Raises:
            Lost: what the state needs is not there.
        """
        part = side.checkpoints.parts.get(batch.partition)
        try:
            await side.checkpoints.take(batch)
        except Hole as hole:
            where = f"{self.settings.topic(side.source.name)}/{batch.partition}"
            span = f"offsets {batch.offsets[0]} to {batch.offsets[-1]}"
            raise Lost(
                f"{where}, {span}: {hole}. A record is missing or was damaged, and nothing is "
                "judged without it: docs/operations.md, When records are lost"
            ) from None
        if part is not None and side is self.judging:
            for offset, problem in part.state.unreadable:
                self._pass_over(side.source, batch.partition, offset, problem)
            part.state.unreadable.clear()

    def _pass_over(self, topic: Topic, partition: int, offset: int, problem: str) -> None:
        """Say aloud that a record of an internal topic cannot be read, and changes nothing."""
        self.metrics.unreadable.labels(topic.name).inc()
        log.error(
            "%s/%d at offset %d: a record that no worker wrote is passed over, nothing is lost by "
            "it (%s); find out who writes there, and keep them from it",
            self.settings.topic(topic.name),
            partition,
            offset,
            problem,
        )

    async def tell(self, news: News) -> None:
        """Let both sides hear what people decided."""
        for side in self.sides:
            await side.tell(news)

    def end_of(self, topic: str, partition: int) -> int | None:
        """Return where *partition* ends as far as known, None while it is not assigned to us.

        A rebalance takes partitions away some time before their states are given up.
        """
        try:
            end: int | None = self.consumer.highwater(TP(topic, partition))
        except AssertionError:  # how aiokafka says that it is not assigned
            return None
        return end

    def ends_of(self, topic: str, partition: int) -> Ends | None:
        """Return where *partition* ends as its broker last said, None if it is not ours."""
        found: Ends | None = self.consumer.ends(TP(topic, partition))
        return found

    def _noted(self) -> tuple[int, dict[int, int]]:
        """Return the latest moment of the log that was read of, and the sources' known ends."""
        topic = self.settings.topic(COMMAND_EVENTS.name)
        ends = {
            partition: self.end_of(topic, partition) or 0
            for partition in self.tallying.checkpoints.parts
        }
        return max([self.hearing.latest, *(judge.seen for judge in self.judging.states)]), ends

    async def _confirm(self, noted: tuple[int, dict[int, int]]) -> None:
        """Let both sides go on with what is covered now, unless a judge lacks a rule it had."""
        self.hearing.is_held = bool(self.lacking)
        if self.hearing.is_held:
            return
        self.hearing.answer(*noted)
        upto = self.hearing.upto
        await self.judging.checkpoints.each(lambda judge: judge.trust(upto))

    @property
    def lacking(self) -> dict[str, int]:
        """Return the rule versions that this worker went by and cannot find any more."""
        states = [state for side in self.sides for state in side.states]
        return {name: number for state in states for name, number in state.lacking.items()}

    async def say_what_is_lacking(self) -> None:
        """Report while judges stand still; with nothing folded, no flush does it."""
        say = Heartbeat(self.settings.worker_id, self.partitions.homes)
        for judge in self.judging.states:
            if judge.lacking and (output := say(judge)) is not None:
                topic = self.settings.topic(output.topic)
                await self._records.send(topic, output.value, key=output.key, partition=0)

    async def _rejoining(self, *_: Any, **__: Any) -> None:
        """See that our id is still ours (awaited by the client before it joins the group)."""
        await asyncio.to_thread(self._check_claim)

    async def _rebalanced(self, *_: Any, **__: Any) -> None:
        """Recover the partitions that are ours now (awaited by Faust before any record comes)."""
        await self.or_leave(self._recover())

    async def _recover(self) -> None:
        """Rebuild the states of all partitions that are assigned to this worker."""
        began = time.monotonic()
        await self.partitions.make_room(self._assigned(COMMAND_EVENTS))
        consumer = self._groupless()
        await consumer.start()
        try:
            committed = await self._cluster.list_consumer_group_offsets(self.conf.id)
            self.durable.clear()
            for side in self.sides:
                await self._recover_side(side, Reader(consumer), committed)
        finally:
            await stop(consumer)
        self.hearing.is_held = bool(self.lacking)
        if self.hearing.is_held:
            log.error("rules are gone from the topic, and waited for: %s", sorted(self.lacking))
        self.begun = {
            (side.source.name, partition): part.state.pos
            for side in self.sides
            for partition, part in side.checkpoints.parts.items()
        }
        log.info("recovered in %.2f s", time.monotonic() - began)

    def _assigned(self, topic: Topic) -> list[int]:
        """Return the partitions of *topic* that are ours now."""
        name = self.settings.topic(topic.name)
        return sorted(tp.partition for tp in self.consumer.assignment() if tp.topic == name)

    async def _recover_side(self, side: Side[Any], reader: Reader, committed: Any) -> None:
        """Rebuild the states of one side."""
        name = self.settings.topic(side.source.name)
        await side.recover(
            reader,
            self.settings,
            mine=[
                number
                for number in self._assigned(side.source)
                if side is self.tallying or number < self.partitions.homes
            ],
            committed={
                tp.partition
                for tp, found in committed.items()
                if tp.topic == name and found.offset > 0
            },
            known=self.control.known,
            on_unreadable=self._pass_over,
        )

    def _note_actions(self, outputs: Iterable[Output]) -> None:
        """Count actions, and how long it took from the moment of a trip to here."""
        for output in outputs:
            if output.key != FRONTIER_KEY:
                decided = to_ms(BreakerAction.model_validate_json(output.value).decided_at)
                self.metrics.actions.inc()
                self.metrics.detection.observe(max(time.time() - decided / 1000, 0.0))
