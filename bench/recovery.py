"""From ``kill -9`` of the only worker until judging goes on, under steady load.

    kill, start again ──► import ──► static membership ──► changelog ──► caught up ──► judged
    |◄──────────────────────────── what is measured ───────────────────────────────►|

It goes on when every partition has been judged beyond the moment of the kill, by a process that
was started at once, as a supervisor would, under the member id of the dead one.
"""

from __future__ import annotations

import json
import random
import time
from statistics import median
from typing import Final

from bench.processes import Measured
from bench.report import Line, Result
from bench.stage import Stage
from bench.web import get
from schemas.topics import TALLIES

RATE: Final = 1_000
KILLS: Final = 10
QUICK_KILLS: Final = 4
LOOK_EVERY: Final = 0.02
STEADY: Final = (4.0, 6.0)
"""Seconds of work between a recovery and the next kill: not in step with the flushes."""


def measure(stage: Stage, quick: bool) -> Result:
    """Kill the worker several times; return the seconds until judging went on."""
    kills = QUICK_KILLS if quick else KILLS
    stage.build()
    with stage.produce(RATE * 15 * (kills + 2), RATE):
        worker = stage.worker()
        _wait_until_judged(stage, worker, time.time())
        seconds = []
        for _ in range(kills):
            time.sleep(random.uniform(*STEADY))
            worker, took = _killed(stage, worker)
            seconds.append(took)
        worker.stop()
    return {
        "kills": kills,
        "eventsPerSecond": RATE,
        "seconds": {"p50": round(median(seconds), 2), "max": round(max(seconds), 2)},
    }


def _killed(stage: Stage, worker: Measured) -> tuple[Measured, float]:
    """Kill *worker* and start another; return it, and the seconds until it judges."""
    killed_at, began = time.time(), time.monotonic()
    worker.kill()
    successor = stage.worker()
    _wait_until_judged(stage, successor, killed_at)
    return successor, time.monotonic() - began


def _wait_until_judged(stage: Stage, worker: Measured, moment: float) -> None:
    """Return when *worker* has judged every partition beyond *moment* (seconds since 1970)."""
    while True:
        status, body = get(stage.worker_port, "/health")
        if status == 200:
            health = json.loads(body)
            age = health["frontierAgeSeconds"]
            owned = len(health["partitions"])
            if owned == TALLIES.partitions and age is not None and time.time() - age > moment:
                return
        worker.check()
        time.sleep(LOOK_EVERY)


def lines(found: Result) -> list[Line]:
    """Return the table's lines."""
    seconds = found["seconds"]
    return [
        Line(f"kill -9 to judging on, p50 of {found['kills']}", f"{seconds['p50']} s"),
        Line("kill -9 to judging on, the longest", f"{seconds['max']} s"),
    ]
