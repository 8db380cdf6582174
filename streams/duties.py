"""What a worker does besides taking batches: flush, tick, follow the rules, watch itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import KafkaError

from streams.exits import EXIT_STALLED, leave
from streams.judge import Judge
from streams.partitions import LOOK_EVERY
from streams.side import Side
from streams.ticker import Ticker
from streams.watchdog import Watchdog

if TYPE_CHECKING:
    from streams.app import StreamApp

log = logging.getLogger(__name__)

TICK_EVERY: Final = 0.025
"""Seconds between two looks at which partitions are quiet."""

WATCH_EVERY: Final = 1.0

BEGIN_WITHIN: Final = 2.0
"""Seconds after which a partition with records must have begun."""


async def flush_for_ever(app: StreamApp, side: Side[Any]) -> None:
    """Flush every so often, and sooner when much has been folded."""
    pause = app.settings.flush_milliseconds / 1000
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(side.checkpoints.due.wait(), pause)
        await side.checkpoints.flush_all()


async def tick_for_ever(app: StreamApp) -> None:
    """Append a tick to every owned partition that is quiet and read to its end."""
    ticker = Ticker()
    topic = app.settings.topic(app.tallying.source.name)
    while app.settings.ticks:
        await asyncio.sleep(TICK_EVERY)
        positions = [
            (partition, part.state.pos, app.end_of(topic, partition))
            for partition, part in app.tallying.checkpoints.parts.items()
        ]
        busy = (app.stats.events, max((j.busy_at for j in app.judging.states), default=0))
        for partition in ticker.due(positions, busy):
            await app.tick(topic, partition)


async def watch_for_ever(app: StreamApp) -> None:
    """Leave when a partition that must move does not; keep the gauges up to date."""
    watchdog = Watchdog(app.settings.worker_stall_seconds)
    while True:
        await asyncio.sleep(WATCH_EVERY)
        show(app)
        if app.lacking:
            await app.say_what_is_lacking()
            watchdog = Watchdog(app.settings.worker_stall_seconds)
        elif app.settings.ticks and app.tallying.states:
            positions = {
                f"{side.source.name}/{partition}": part.state.pos
                for side in app.sides
                for partition, part in side.checkpoints.parts.items()
            }
            if stuck := watchdog.stuck(positions):
                leave(f"no progress on {', '.join(stuck)}", EXIT_STALLED)


def rules_in_force(judges: Iterable[Judge]) -> int:
    """Return how many rules the judge that knows the fewest judges by; 0 without judges."""
    return min((judge.rules for judge in judges), default=0)


async def begin_for_ever(app: StreamApp) -> None:
    """Have partitions read whose first records Faust threw away during a rebalance.

    It seeks where something is committed; where nothing is, as in a new partition, no later record
    may come to show the gap, since a partition with unread records is not ticked either.
    """
    while True:
        await asyncio.sleep(BEGIN_WITHIN)
        if app.hearing.is_held:
            continue  # nothing is taken before the rules are known again
        for (name, partition), pos in list(app.begun.items()):
            side = next(side for side in app.sides if side.source.name == name)
            part = side.checkpoints.parts.get(partition)
            end = app.end_of(app.settings.topic(name), partition)
            if part is None or part.state.pos != pos:
                app.begun.pop((name, partition), None)
            elif end is not None and end > pos:
                log.info("%s/%d does not begin: reading it again from %d", name, partition, pos)
                await app.read_again(side.source, partition, pos)


async def follow_partitions_for_ever(app: StreamApp) -> None:
    """Look every so often whether somebody has added partitions."""
    while True:
        await asyncio.sleep(LOOK_EVERY)
        with contextlib.suppress(KafkaError):  # whoever needs an answer says that none comes
            await app.partitions.follow()
            if await app.partitions.leaves_some_out():
                log.info("joining the group anew, so that the new partitions are shared out")
                app.consumer.join_anew()


def show(app: StreamApp) -> None:
    """Bring the metrics up to date with the states."""
    metrics, stats = app.metrics, app.stats
    for counter, total in (
        (metrics.events, stats.events),
        (metrics.duplicates, stats.duplicates),
        (metrics.early, stats.early),
        (metrics.overflow, stats.overflowed),
        (metrics.late, stats.dead.get("late", 0)),
        (metrics.invalid, app.control.invalid),
    ):
        metrics.raise_to(counter, total)
    for reason, total in stats.dead.items():
        metrics.raise_to(metrics.dead.labels(reason), total)
    now = time.time()
    metrics.rules.set(rules_in_force(app.judging.states))
    for judge in app.judging.states:
        if judge.first is not None:
            metrics.lag.labels(str(judge.partition)).set(max(now - judge.at / 1000, 0.0))
        metrics.scopes.labels(str(judge.partition)).set(len(judge.scopes))
    for tally in app.tallying.states:
        metrics.horizon.labels(str(tally.partition)).set(tally.memory.horizon / 1000)
        metrics.overflowed.labels(str(tally.partition)).set(tally.memory.overflowed)
