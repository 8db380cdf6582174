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
from streams.transactions import has_nothing_to_read
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
    told: set[tuple[str, int]] = set()
    while True:
        await asyncio.sleep(WATCH_EVERY)
        see_transactions(app)
        told = tell_of_transactions(app, told)
        show(app)
        if app.lacking:
            await app.say_what_is_lacking()
            watchdog = Watchdog(app.settings.worker_stall_seconds)
        elif app.settings.ticks and app.tallying.states:
            stuck = watchdog.stuck(positions_that_must_move(app, time.time()))
            if stuck:
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
            ends = app.ends_of(app.settings.topic(name), partition)
            if part is None or part.state.pos != pos:
                app.begun.pop((name, partition), None)
            elif ends is not None and ends.stable > pos:
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


def positions_that_must_move(app: StreamApp, now: float) -> dict[str, int]:
    """Return where each partition stands, but those whose end is reached through no fault of ours.

    A source partition ends there while a transaction is open; we tick it otherwise. A partition
    of tallies ends there while no source partition gets on. Nothing moves while an open
    transaction hides what people decided.
    """
    positions: dict[str, int] = {}
    patience = app.settings.worker_stall_seconds
    control = app.control.ends().values()
    if any(ends.is_held and now - ends.at <= patience for ends in control):
        return positions
    for side in app.sides:
        topic = app.settings.topic(side.source.name)
        for partition, part in side.checkpoints.parts.items():
            ends, pos = app.ends_of(topic, partition), part.state.pos
            is_ticked = side is app.tallying and not (ends is not None and ends.is_held)
            if is_ticked or not has_nothing_to_read(pos, ends, now=now, patience=patience):
                positions[f"{side.source.name}/{partition}"] = pos
    return positions


def see_transactions(app: StreamApp) -> None:
    """Note which open transactions hold back what this worker reads."""
    ends = {f"{tp.topic}/{tp.partition}": found for tp, found in app.control.ends().items()}
    for side in app.sides:
        topic = app.settings.topic(side.source.name)
        for partition in side.checkpoints.parts:
            found = app.ends_of(topic, partition)
            if found is not None:
                ends[f"{topic}/{partition}"] = found
    app.transactions.see(ends, time.monotonic())


def tell_of_transactions(app: StreamApp, told: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """Log each transaction once that has been open for so long that we are blind by it."""
    limit = app.settings.blind_after_seconds
    long = {name: one for name, one in app.transactions.held.items() if one.seconds >= limit}
    for name, one in long.items():
        if (name, one.offset) not in told:
            log.warning(
                "%s: a transaction has been open for %.0f s; what comes from offset %d on has to "
                "wait until its producer ends it",
                name,
                one.seconds,
                one.offset,
            )
    return {(name, one.offset) for name, one in long.items()}


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
    metrics.show_transactions({name: one.seconds for name, one in app.transactions.held.items()})
    for tally in app.tallying.states:
        metrics.horizon.labels(str(tally.partition)).set(tally.memory.horizon / 1000)
        metrics.overflowed.labels(str(tally.partition)).set(tally.memory.overflowed)
