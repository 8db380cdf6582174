"""One side of the worker: where an agent reads, what it keeps, how it recovers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from aiokafka import AIOKafkaProducer

from schemas.settings import Settings
from schemas.topics import (
    COMMAND_EVENTS,
    JUDGE_CHANGELOG,
    TALLIES,
    TALLY_CHANGELOG,
    Topic,
)
from streams.batch import Output
from streams.checkpoint import Checkpoints, Fold
from streams.control import News
from streams.deltas import JudgeDelta, TallyDelta, decode_judge, decode_tally
from streams.heartbeat import Heartbeat
from streams.judge import Judge
from streams.producer import Source, StreamLog
from streams.recovery import Reader, Recovery
from streams.tally import Tally, TallyStats

S = TypeVar("S", bound=Fold[Any])


class Side(Generic[S]):
    """Tally's or judge's side; the difference is in what it is made with."""

    def __init__(
        self,
        source: Topic,
        changelog: Topic,
        *,
        checkpoints: Checkpoints[S],
        make: Callable[[int, int], S],
        decode: Callable[[bytes], TallyDelta | JudgeDelta],
        teach: Callable[[S, News], None],
    ) -> None:
        self.source = source
        self.changelog = changelog
        self.checkpoints = checkpoints
        self._make = make
        self._decode = decode
        self._teach = teach

    async def recover(
        self,
        reader: Reader,
        settings: Settings,
        *,
        mine: list[int],
        committed: set[int],
        known: News,
        on_unreadable: Callable[[Topic, int, int, str], None],
    ) -> None:
        """Rebuild the states of partitions *mine* and work on exactly those from now on.

        *on_unreadable* hears of each record of the changelog that is none of ours.

        Raises:
            Lost: what they need is no longer in Kafka.
        """
        recovery = Recovery(
            reader,
            changelog=settings.topic(self.changelog.name),
            make=self._make,
            decode=self._decode,
        )
        spans = await reader.spans(settings.topic(self.source.name), mine)
        begins = {partition: first for partition, (first, _) in spans.items()}
        try:
            states = await recovery.states(begins, committed)
        finally:
            for partition, records in recovery.unreadable.items():
                for offset, problem in records.items():
                    on_unreadable(self.changelog, partition, offset, problem)
        for state in states.values():
            self._teach(state, known)
        self.checkpoints.assign(states.items())

    async def tell(self, news: News) -> None:
        """Let every state hear *news*, and make safe what takes effect late because of it."""
        for partition, part in list(self.checkpoints.parts.items()):
            async with part.lock:
                self._teach(part.state, news)
            await self.checkpoints.flush(partition)

    @property
    def states(self) -> list[S]:
        """Return the states of the partitions that this worker owns now."""
        return [part.state for part in self.checkpoints.parts.values()]


def tally_side(
    settings: Settings,
    producer: AIOKafkaProducer,
    source: Source,
    *,
    tally_partitions: int,
    stats: TallyStats,
) -> Side[Tally]:
    """Return the side of the tally agent."""
    return Side(
        COMMAND_EVENTS,
        TALLY_CHANGELOG,
        checkpoints=Checkpoints(
            StreamLog(producer, settings, changelog=TALLY_CHANGELOG, source=source),
            flush_records=settings.flush_records,
            on_durable=source.set_durable,
        ),
        make=lambda partition, pos: Tally(
            partition,
            tally_partitions=tally_partitions,
            scope_limit=settings.scope_limit,
            pos=pos,
            stats=stats,
            topic=settings.topic(COMMAND_EVENTS.name),
        ),
        decode=decode_tally,
        teach=lambda tally, news: tally.learn(
            [*news.entries, *news.protections], unusable=news.unusable
        ),
    )


def judge_side(
    settings: Settings,
    producer: AIOKafkaProducer,
    source: Source,
    *,
    source_partitions: Callable[[], int],
    tally_partitions: int,
    on_outputs: Callable[[Iterable[Output]], None],
    overflowed: Callable[[], int],
) -> Side[Judge]:
    """Return the side of the judge agent."""
    return Side(
        TALLIES,
        JUDGE_CHANGELOG,
        checkpoints=Checkpoints(
            StreamLog(producer, settings, changelog=JUDGE_CHANGELOG, source=source),
            flush_records=settings.flush_records,
            on_durable=source.set_durable,
            heartbeat=Heartbeat(settings.worker_id, tally_partitions, overflowed=overflowed),
            on_outputs=on_outputs,
        ),
        make=lambda partition, pos: _make_judge(
            settings, partition, pos, source_partitions=source_partitions(), homes=tally_partitions
        ),
        decode=decode_judge,
        teach=lambda judge, news: judge.learn(
            news.entries, news.resolutions, news.epochs, unusable=news.unusable
        ),
    )


def _make_judge(
    settings: Settings, partition: int, pos: int, *, source_partitions: int, homes: int
) -> Judge:
    """Return a judge that waits to be told how far what it knows of the rules is whole."""
    judge = Judge(
        partition,
        source_partitions=source_partitions,
        homes=homes,
        pos=pos,
        topic=settings.topic(COMMAND_EVENTS.name),
    )
    judge.trust(0)
    return judge
