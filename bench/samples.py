"""How far a process had come at what cost, and the rate that follows from it.

events ──────────────────────────►
|start|        measured        |end|       the first and the last tenth are left out:
0     10 %                    90 %  100 %  imports, connections, caches, stragglers
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MARGIN: Final = 0.1
"""Share of the events at either end that no rate stands on."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process: events done, CPU seconds used, and a monotonic time in seconds."""

    events: float
    cpu: float
    wall: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Events done over CPU seconds of the process, and over seconds on the clock."""

    events: float
    cpu: float
    wall: float

    @property
    def per_core(self) -> float:
        """Return events per CPU second: what one core, had the process all of it, would do."""
        return self.events / self.cpu

    @property
    def per_second(self) -> float:
        """Return events per second on the clock, in the company of whatever else was running."""
        return self.events / self.wall


def middle(samples: Sequence[Sample], margin: float = MARGIN) -> Rate:
    """Return the rate between the first and the last *margin* of the events of *samples*."""
    total = samples[-1].events
    return between(at(samples, total * margin), at(samples, total * (1 - margin)))


def between(first: Sample, last: Sample) -> Rate:
    """Return the rate from one look to a later one."""
    return Rate(last.events - first.events, last.cpu - first.cpu, last.wall - first.wall)


def at(samples: Sequence[Sample], events: float) -> Sample:
    """Return where the process was at *events*, on the line between the looks around it."""
    previous = samples[0]
    for sample in samples[1:]:
        if sample.events >= events and sample.events > previous.events:
            share = (events - previous.events) / (sample.events - previous.events)
            return Sample(
                events,
                previous.cpu + share * (sample.cpu - previous.cpu),
                previous.wall + share * (sample.wall - previous.wall),
            )
        previous = sample
    return samples[-1]
