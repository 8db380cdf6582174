"""The benchmarks' page quotes the results that are committed beside it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
OPERATE = json.loads((ROOT / "bench/results/operate.json").read_text(encoding="utf-8"))


def quoted(pattern: str) -> list[float]:
    """Return the numbers that the page quotes where *pattern* matches, in its order."""
    match = re.search(pattern, PAGE)
    assert match is not None, pattern
    return [float(number) for number in match.groups()]


def test_the_cycles_are_those_of_the_committed_run() -> None:
    """Median and first cycle on both databases, and the medians while 1,000 events wait."""
    runs: dict[str, Any] = OPERATE["measurements"]["operate"]
    cycles = [runs[name]["runCycle"] for name in ("sqlite", "postgresql")]
    storms = [runs[name]["storm"]["runCycle"] for name in ("sqlite", "postgresql")]

    found = quoted(r"a cycle took (\d+) ms \(the first after a start (\d+)\)") + quoted(
        r"on PostgreSQL (\d+) \((\d+)\); with 1,000"
    )

    assert found == [int(number) for c in cycles for number in (c["p50"], round(c["first"]))]
    waiting = quoted(r"with 1,000 events waiting (\d+) and (\d+)")
    assert waiting == [int(storm["p50"]) for storm in storms]


def test_what_the_service_takes_is_that_of_the_committed_run() -> None:
    """Memory before and after, and the share of a core while nobody asks."""
    run = OPERATE["measurements"]["operate"]["sqlite"]

    grew = quoted(r"grew from (\d+) to (\d+) MiB")
    share = quoted(r"took ([\d.]+) % of a core")

    assert grew == [run["residentMiB"]["before"], run["residentMiB"]["after"]]
    assert share == [round(run["idleCpuSecondsPerMinute"] / 60 * 100, 1)]
