"""Events per second of one worker, beside an ordinary Faust agent and a bare consumer.

All read the same topic on the same broker, one after the other and in turns, since the machine
may be busier at one time than at another. CPU seconds of the process are the honest basis on
shared cores; rates by the clock are given too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.load import TYPES, mean_size
from bench.processes import Measured
from bench.progress import samples
from bench.report import Line, Result
from bench.samples import Rate, Sample, middle
from bench.stage import Stage
from bench.web import metrics

LOOK_EVERY: Final = 0.2
PRODUCERS: Final = 2

_RECORDS: Final = 'simcorp_governance_worker_records_total{agent="command-events"}'
_EVENTS: Final = "simcorp_governance_worker_events_total"
_ACTIONS: Final = "simcorp_governance_worker_actions_total"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: events in the topic, appended at *density* a second, and the turns."""

    events: int
    density: int
    faust_events: int
    turns: tuple[str, ...]


FULL: Final = Plan(
    2_000_000, 80_000, 60_000, ("raw", "ours", "faust", "raw", "ours", "faust", "raw", "ours")
)
QUICK: Final = Plan(600_000, 80_000, 20_000, ("raw", "ours", "faust", "raw", "ours"))


def fill(stage: Stage, plan: Plan) -> float:
    """Append the events; return the seconds of the log that they take."""
    share, rate = plan.events // PRODUCERS, plan.density / PRODUCERS
    began = time.monotonic()
    producers = [stage.produce(share, rate, shard) for shard in range(PRODUCERS)]
    for producer in producers:
        producer.wait()
    return time.monotonic() - began


def measure(stage: Stage, quick: bool) -> Result:
    """Fill the topic, let everybody read it in turns, and return rates and ratios."""
    plan = QUICK if quick else FULL
    stage.build()
    seconds = fill(stage, plan)
    rates: dict[str, list[Rate]] = {"ours": [], "faust": [], "raw": []}
    for turn, who in enumerate(plan.turns):
        rate = _RUNS[who](stage, plan, turn)
        rates[who].append(rate)
        print(f"  {who:5} {rate.per_core:10,.0f} /core-s {rate.per_second:10,.0f} /s", flush=True)
    return _result(plan, seconds, rates)


def run_worker(stage: Stage, plan: Plan, turn: int) -> Rate:
    """Let a worker catch up with the whole log, with nothing stored before."""
    stage.clear()
    with stage.worker() as worker:
        looks = catch_up(stage, worker, plan.events)
    return middle(looks)


def catch_up(stage: Stage, worker: Measured, events: int) -> list[Sample]:
    """Watch a new worker until it has counted *events* and judged them all; return the looks."""
    looks = [Sample(0, 0, time.monotonic())]
    while looks[-1].events < events:
        time.sleep(LOOK_EVERY)
        worker.check()
        found = metrics(stage.worker_port)
        looks.append(Sample(found.get(_RECORDS, 0), worker.cpu, time.monotonic()))
    while found.get(_EVENTS, 0) < events or not stage.is_sighted():
        time.sleep(LOOK_EVERY)
        worker.check()
        found = metrics(stage.worker_port)
    assert found[_EVENTS] == events, found
    assert found[_ACTIONS] >= len(TYPES), found
    return looks


def run_faust(stage: Stage, plan: Plan, turn: int) -> Rate:
    """Let an ordinary agent count some of the events."""
    name = f"{stage.prefix}plain-{turn}"
    with stage.peer("bench.plain_faust", plan.faust_events, name) as process:
        return middle(samples(process.output))


def run_raw(stage: Stage, plan: Plan, turn: int) -> Rate:
    """Let a bare consumer read all events."""
    with stage.peer("bench.raw_aiokafka", plan.events, f"{stage.prefix}raw-{turn}") as process:
        return middle(samples(process.output))


_RUNS: Final = {"ours": run_worker, "faust": run_faust, "raw": run_raw}


def _result(plan: Plan, seconds: float, rates: dict[str, list[Rate]]) -> Result:
    """Return medians, ratios on both bases, and what stands behind them."""
    cores = {who: median(rate.per_core for rate in found) for who, found in rates.items()}
    clock = {who: median(rate.per_second for rate in found) for who, found in rates.items()}
    return {
        "log": {
            "events": plan.events,
            "eventsPerSecondWhenWritten": round(plan.events / seconds),
            "bytesPerEvent": round(mean_size()),
            "commandTypes": len(TYPES),
        },
        "perCpuSecond": {who: round(value) for who, value in cores.items()},
        "perSecond": {who: round(value) for who, value in clock.items()},
        "runsPerCpuSecond": {
            who: [round(rate.per_core) for rate in found] for who, found in rates.items()
        },
        "ratiosByCpu": _ratios(cores),
        "ratiosByClock": _ratios(clock),
    }


def _ratios(medians: dict[str, float]) -> dict[str, float]:
    """Return what one worker does for each event that the others do."""
    return {
        "vs_plain_faust": round(medians["ours"] / medians["faust"], 2),
        "vs_raw_aiokafka": round(medians["ours"] / medians["raw"], 3),
    }


def lines(found: Result) -> list[Line]:
    """Return the table's lines."""
    names = {"ours": "tally + judge, one worker", "faust": "Faust agent, table", "raw": "aiokafka"}
    cores, clock = found["perCpuSecond"], found["perSecond"]
    by_cpu, by_clock = found["ratiosByCpu"], found["ratiosByClock"]
    return [
        Line("events in the topic", f"{found['log']['events']:,}", "2,000,000"),
        *(
            Line(f"{name}: events per CPU second (per second)", f"{cores[who]:,} ({clock[who]:,})")
            for who, name in names.items()
        ),
        Line(
            "ours / Faust agent, by CPU (by the clock)",
            f"{by_cpu['vs_plain_faust']} ({by_clock['vs_plain_faust']})",
            ">= 30",
        ),
        Line(
            "ours / aiokafka, by CPU (by the clock)",
            f"{by_cpu['vs_raw_aiokafka']} ({by_clock['vs_raw_aiokafka']})",
            ">= 0.25",
        ),
    ]
