"""How a measured process of ours says how far it has come: a line per look."""

from __future__ import annotations

import time
from collections.abc import Iterable

from bench.samples import Sample


class Progress:
    """Writes ``events CPU-seconds seconds`` on the standard output."""

    def __init__(self) -> None:
        self.show(0)

    def show(self, events: int) -> None:
        """Say that *events* have been done by now."""
        # A line of its own, whatever a framework's spinner has written on the last one.
        print("\n", events, time.process_time(), time.monotonic(), flush=True)


def samples(lines: Iterable[str]) -> list[Sample]:
    """Return what such a process wrote, when it has ended."""
    rows = (line.split() for line in lines)
    return [Sample(*map(float, row)) for row in rows if row and row[0].isdigit()]
