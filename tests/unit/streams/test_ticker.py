"""Who is ticked, and when: at the moments of a clock that the test holds."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from streams.ticker import BUSY, IDLE, IDLE_AFTER, Ticker


@dataclass
class Clock:
    """What `time.monotonic` says."""

    now: float = 100.0

    def __call__(self) -> float:
        """Return the moment."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass, and a little more than that."""
        self.now += seconds + 0.001


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock that the ticker reads."""
    clock = Clock()
    monkeypatch.setattr("streams.ticker.time", SimpleNamespace(monotonic=clock))
    return clock


def test_a_partition_is_ticked_when_it_has_been_quiet(clock: Clock) -> None:
    """Not when it is first seen, and not before its time."""
    ticker = Ticker()
    assert ticker.due([(0, 7, 7)], 1) == []
    clock.wait(BUSY / 2)
    assert ticker.due([(0, 7, 7)], 1) == []
    clock.wait(BUSY / 2)
    assert ticker.due([(0, 7, 7)], 1) == [0]


def test_a_busy_partition_needs_no_tick(clock: Clock) -> None:
    """Whatever moves its position moves its clock."""
    ticker = Ticker()
    for pos in range(10):
        assert ticker.due([(0, pos, pos)], pos) == []
        clock.wait(BUSY)


def test_one_tick_is_sent_while_it_is_under_way(clock: Clock) -> None:
    """Between sending it and reading it another quiet spell must pass."""
    ticker = Ticker()
    ticker.due([(0, 7, 7)], 1)
    clock.wait(BUSY)
    assert ticker.due([(0, 7, 7)], 1) == [0]
    assert ticker.due([(0, 7, 7)], 1) == []


@pytest.mark.parametrize(("end", "ticked"), [(8, []), (7, [0]), (6, [0]), (None, [0])])
def test_a_partition_with_a_backlog_is_not_ticked(
    clock: Clock, end: int | None, ticked: list[int]
) -> None:
    """Its clock moves by itself when it is read; without any knowledge of its end it is ticked."""
    ticker = Ticker()
    ticker.due([(0, 7, end)], 1)
    clock.wait(BUSY)
    assert ticker.due([(0, 7, end)], 1) == ticked


def test_ticks_are_rarer_when_nothing_happens_anywhere(clock: Clock) -> None:
    """After a few seconds without an event ticks come once a second."""
    ticker = Ticker()
    ticker.due([(0, 7, 7)], 1)
    clock.wait(IDLE_AFTER)
    assert ticker.due([(0, 8, 8)], 1) == []
    clock.wait(BUSY)
    assert ticker.due([(0, 8, 8)], 1) == []
    clock.wait(IDLE)
    assert ticker.due([(0, 8, 8)], 1) == [0]


def test_one_event_anywhere_wakes_all_partitions(clock: Clock) -> None:
    """Quiet partitions follow at once, so that what is counted elsewhere is soon judged."""
    ticker = Ticker()
    ticker.due([(0, 7, 7), (1, 3, 3)], 1)
    clock.wait(IDLE_AFTER)
    ticker.due([(0, 7, 7), (1, 3, 3)], 1)
    clock.wait(BUSY)
    assert ticker.due([(0, 8, 8), (1, 3, 3)], 2) == [1]
