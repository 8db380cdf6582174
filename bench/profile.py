"""Where a worker's time goes: the profiler's account of one catch-up.

The profiler makes short functions look dearer than they are: compare shares, not seconds.
"""

from __future__ import annotations

import pstats
from typing import Final

from bench import throughput
from bench.stage import Stage

LINES: Final = 45


def profile(stage: Stage) -> None:
    """Have a worker catch up under the profiler, and print its account by own time."""
    stage.build()
    throughput.fill(stage, throughput.QUICK)
    file = stage.folder / "worker.prof"
    with stage.worker(profile=file) as worker:
        throughput.catch_up(stage, worker, throughput.QUICK.events)
    for order in ("tottime", "cumulative"):
        pstats.Stats(str(file)).strip_dirs().sort_stats(order).print_stats(LINES)
