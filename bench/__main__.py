"""Measure, print tables, write them to ``bench/results``: ``python -m bench [--quick]``."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from bench import endurance, latency, memory, operate, recovery, throughput
from bench.machine import describe
from bench.profile import profile
from bench.report import Line, Result, show, write
from bench.stage import Stage
from embedded.kafka import KafkaCluster

Measure = Callable[[Stage, bool], Result]
Lines = Callable[[Result], list[Line]]

MEASUREMENTS: Final[dict[str, tuple[Measure, Lines]]] = {
    "throughput": (throughput.measure, throughput.lines),
    "latency": (latency.measure, latency.lines),
    "recovery": (recovery.measure, recovery.lines),
    "memory": (memory.measure, memory.lines),
    "operate": (operate.measure, operate.lines),
    "endurance": (endurance.measure, endurance.lines),
}
"""In the order in which they run."""


def main() -> None:
    """Do what the command line asks for."""
    wanted = _arguments()
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        KafkaCluster(Path(folder) / "kafka", port=0) as kafka,
    ):
        if wanted.profile:
            profile(Stage(kafka, "profile", Path(folder) / "profile"))
        else:
            names = wanted.only or list(MEASUREMENTS)
            _measure(
                {name: Stage(kafka, name, Path(folder) / name) for name in names}, wanted.quick
            )


def _measure(stages: dict[str, Stage], quick: bool) -> None:
    """Measure on each stage what its name says, show it when it is done, and write the file."""
    machine, found = describe(), {}
    for name, stage in stages.items():
        measure, lines = MEASUREMENTS[name]
        print(f"measuring {name}", flush=True)
        load = os.getloadavg()[0]
        found[name] = {**measure(stage, quick), "loadAverageAtStart": round(load, 1)}
        show(name, lines(found[name]))
    is_complete = list(found) == list(MEASUREMENTS)
    file = write(
        found,
        machine=machine,
        name=_name(found, is_complete=is_complete, quick=quick),
        quick=quick,
    )
    print(f"written to bench/results/{file.name}")


def _name(found: Iterable[str], *, is_complete: bool, quick: bool) -> str:
    """Return what the file is called: a quick run never replaces what the documents quote."""
    name = "latest" if is_complete else "-".join(found)
    return f"{name}-quick" if quick else name


def _arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter runs, in about 12 minutes")
    parser.add_argument(
        "--only", action="append", choices=list(MEASUREMENTS), help="this one (may be repeated)"
    )
    parser.add_argument(
        "--profile", action="store_true", help="print where a worker's time goes, and end"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
