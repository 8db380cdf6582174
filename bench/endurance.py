"""Whether a worker is as fast, and as small, after half an hour as after a minute.

    steady load ─────────────────────────────────────────────►
        1 min: bursts      10 min: size       30 min: bursts

A burst is far more than the steady load, so the worker falls behind and runs as fast as it can;
its events over its CPU seconds are compared. Of three bursts the median counts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.processes import Measured
from bench.report import Line, Result
from bench.samples import Sample, between
from bench.stage import Stage
from bench.web import metrics

STEADY: Final = 2_000
"""Events a second all the time."""
BURST: Final = 300_000
BURST_RATE: Final = 150_000
"""Events of a burst, and how many a second are appended: more than a worker can take."""
BURSTS: Final = 3
FIRST_SHARD: Final = 1_000
"""Where the numbering of the bursts begins, so that their ids are their own."""

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
        sizes, rates = {}, {}
        for minute in (plan.first, plan.between, plan.last):
            time.sleep(max(began + 60 * minute - time.monotonic(), 0))
            worker.check()
            sizes[minute] = worker.rss
            if minute != plan.between:
                rates[minute] = _bursts(stage, worker, int(FIRST_SHARD * (1 + minute)))
    return {
        "minutes": plan.last,
        "steadyEventsPerSecond": STEADY,
        "eventsPerCpuSecond": {f"{minute:g} min": round(rates[minute]) for minute in rates},
        "ratio": round(rates[plan.last] / rates[plan.first], 3),
        "megabytes": {f"{minute:g} min": round(size / 1e6) for minute, size in sizes.items()},
    }


def _bursts(stage: Stage, worker: Measured, shard: int) -> float:
    """Return the median of the events per CPU second of a few bursts."""
    return median(_burst(stage, worker, shard + number) for number in range(BURSTS))


def _burst(stage: Stage, worker: Measured, shard: int) -> float:
    """Return the events per CPU second with which the worker takes a burst."""
    before = _look(stage, worker)
    with stage.produce(BURST, BURST_RATE, shard) as producer:
        while (after := _look(stage, worker)).events < before.events + BURST:
            worker.check()
            time.sleep(0.1)
        producer.wait()
    while not stage.is_sighted():
        time.sleep(0.1)
    return between(before, after).per_core


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
        *(Line(f"memory of the worker after {when}", f"{size} MB") for when, size in sizes),
    ]
