"""The watchdog barks at what stands still, by a clock that the test holds."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from streams.watchdog import Watchdog

Wait = Callable[[float], None]


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Return what lets time pass for the watchdog."""
    moments = [100.0]
    clock = SimpleNamespace(monotonic=lambda: moments[-1])
    monkeypatch.setattr("streams.watchdog.time", clock)
    return lambda seconds: moments.append(moments[-1] + seconds)


def test_a_partition_that_stands_for_too_long_is_stuck(wait: Wait) -> None:
    """At the limit it is not yet; after it, it is, and only it."""
    dog = Watchdog(30)
    dog.stuck({"tallies/0": 5, "tallies/1": 5})
    wait(30)
    assert dog.stuck({"tallies/0": 5, "tallies/1": 6}) == []
    wait(1)
    assert dog.stuck({"tallies/0": 5, "tallies/1": 6}) == ["tallies/0"]


def test_any_progress_starts_the_time_anew(wait: Wait) -> None:
    """Slow is not stuck, and neither is going back to read again."""
    dog = Watchdog(30)
    for pos in (5, 6, 7, 2):
        assert dog.stuck({"tallies/0": pos}) == []
        wait(29)


def test_a_partition_that_comes_back_has_its_time_again(wait: Wait) -> None:
    """What another worker did with it meanwhile is not held against us."""
    dog = Watchdog(30)
    dog.stuck({"tallies/0": 5})
    dog.stuck({})
    wait(31)
    assert dog.stuck({"tallies/0": 5}) == []
