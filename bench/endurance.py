"""Whether a worker is as fast, and as small, after half an hour as after a minute.

    steady load ─────────────────────────────────────────────►
        1 min: bursts      10 min: size       30 min: bursts

For a burst the worker is halted while events are appended, and then catches up as fast as it
can; its events over its CPU seconds are compared. Of five bursts the median counts. The machine
may be slower at one time than at another, so a fixed piece of work is timed during each burst.
"""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import mean, median
from typing import Final

from bench.load import Load
from bench.processes import Measured
from bench.report import Line, Result
from bench.samples import MARGIN, Sample, at, between
from bench.stage import Stage
from bench.web import metrics

STEADY: Final = 2_000
"""Events a second all the time."""
BURST: Final = 200_000
"""Events of a burst: few enough that the halt is shorter than the group's session."""
AS_FAST_AS_POSSIBLE: Final = 1_000_000
BURSTS: Final = 5
FIRST_SHARD: Final = 1_000
"""Where the numbering of the bursts begins, so that their ids are their own."""

LOOK_EVERY: Final = 0.1
PIECE: Final = 1_000
"""Events in the fixed piece of work: it takes a few milliseconds."""

_RECORDS: Final = 'simcorp_governance_worker_records_total{agent="command-events"}'


@dataclass(frozen=True, slots=True)
class Plan:
    """Minutes after the start: the first bursts, a look at the size, the last bursts."""

    first: float
    between: float
    last: float


FULL: Final = Plan(1, 10, 30)
QUICK: Final = Plan(0.25, 0.75, 1.5)


def measure(stage: Stage, quick: bool) -> Result:
    """Load a worker steadily, and measure bursts and its size early and late."""
    plan = QUICK if quick else FULL
    stage.build()
    count = int(STEADY * 60 * (plan.last + 5))
    with stage.produce(count, STEADY), stage.worker() as worker:
        began = time.monotonic()
        sizes, bursts = {}, {}
        for minute in (plan.first, plan.between, plan.last):
            time.sleep(max(began + 60 * minute - time.monotonic(), 0))
            worker.check()
            sizes[minute] = worker.rss
            if minute != plan.between:
                shard = int(FIRST_SHARD * (1 + minute))
                bursts[minute] = [_burst(stage, worker, shard + n) for n in range(BURSTS)]
    rates = {minute: median(rate for rate, _ in found) for minute, found in bursts.items()}
    speeds = {minute: median(speed for _, speed in found) for minute, found in bursts.items()}
    ratio = rates[plan.last] / rates[plan.first]
    return {
        "minutes": plan.last,
        "steadyEventsPerSecond": STEADY,
        "eventsPerCpuSecond": {f"{minute:g} min": round(rate) for minute, rate in rates.items()},
        "machineSpeed": {f"{minute:g} min": round(speed) for minute, speed in speeds.items()},
        "ratio": round(ratio, 3),
        "ratioAtEqualSpeed": round(ratio * speeds[plan.first] / speeds[plan.last], 3),
        "megabytes": {f"{minute:g} min": round(size / 1e6) for minute, size in sizes.items()},
    }


def _burst(stage: Stage, worker: Measured, shard: int) -> tuple[float, float]:
    """Return the events per CPU second with which the worker catches up, and our own speed."""
    _append_behind(stage, worker, shard)
    looks, speeds = [_look(stage, worker)], [speed()]
    while looks[-1].events < looks[0].events + BURST * (1 - MARGIN):
        worker.check()
        time.sleep(LOOK_EVERY)
        looks.append(_look(stage, worker))
        speeds.append(speed())
    rate = between(at(looks, looks[0].events + BURST * MARGIN), looks[-1]).per_core
    while not stage.is_sighted():
        worker.check()
        time.sleep(LOOK_EVERY)
    return rate, mean(speeds)


def _append_behind(stage: Stage, worker: Measured, shard: int) -> None:
    """Append a burst while *worker* is halted."""
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        with stage.produce(BURST, AS_FAST_AS_POSSIBLE, shard) as producer:
            producer.wait()
    finally:
        os.kill(worker.pid, signal.SIGCONT)


def speed() -> float:
    """Return how often this process can do a fixed piece of work in a CPU second."""
    values = [value for _, value in Load().take(PIECE, datetime.now(UTC))]
    began = time.process_time()
    for value in values:
        json.loads(value)
    return 1 / (time.process_time() - began)


def _look(stage: Stage, worker: Measured) -> Sample:
    """Return how far the worker has come."""
    return Sample(metrics(stage.worker_port).get(_RECORDS, 0), worker.cpu, time.monotonic())


def lines(found: Result) -> list[Line]:
    """Return the table's lines."""
    rates = found["eventsPerCpuSecond"].items()
    sizes = found["megabytes"].items()
    return [
        *(Line(f"events per CPU second after {when}", f"{rate:,}") for when, rate in rates),
        Line("late / early", f"{found['ratio']:.1%}", ">= 95 %"),
        Line("late / early, at equal speed of the machine", f"{found['ratioAtEqualSpeed']:.1%}"),
        *(Line(f"memory of the worker after {when}", f"{size} MB") for when, size in sizes),
    ]
