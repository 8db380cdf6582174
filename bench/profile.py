"""Where a worker's time goes: the profiler's account of one catch-up.

The profiler makes short functions look dearer than they are: compare shares, not seconds.
"""

from __future__ import annotations

import pstats
from typing import Final

from bench import throughput
from bench.stage import Stage

LINES: Final = 45


def profile(stage: Stage, plan: throughput.Plan) -> None:
    """Have a worker catch up under the profiler, and print its account by own time."""
    throughput.fill(stage, plan)
    file = stage.folder / "worker.prof"
    throughput.run_worker(stage, plan, 0, "--profile", str(file))
    for order in ("tottime", "cumulative"):
        pstats.Stats(str(file)).strip_dirs().sort_stats(order).print_stats(LINES)
