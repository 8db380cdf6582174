"""Readiness is followed minute by minute, and a restart costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from governance import handlers
from governance.desk import Desk
from governance.readiness_watch import ReadinessWatch
from tests.desks import NOON, SetClock, desk_at

MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a desk over a new installation's database, at noon."""
    desk = desk_at(f"sqlite:///{tmp_path / 'governance.db'}")
    yield desk
    desk.store.close()


def watch(desk: Desk, clock: SetClock, *, stopping: bool = False) -> ReadinessWatch:
    """Return a watch that waits by moving the clock."""
    return ReadinessWatch(
        replace(desk, clock=clock),
        wait=lambda seconds: clock.pass_(timedelta(seconds=seconds)),
        is_stopping=lambda: stopping,
    )


def kept(desk: Desk) -> list[int]:
    """Return the minutes after noon of the assessments that were kept."""
    marks = handlers.list_scores(desk, NOON, NOON + timedelta(days=1), limit=100)
    return [(mark.timestamp - NOON) // MINUTE for mark in marks]


def test_a_new_installation_is_assessed_at_once(desk: Desk) -> None:
    """Its metrics are there from the first minute on."""
    watch(desk, SetClock(), stopping=True).turn()

    assert kept(desk) == [0]


def test_after_a_restart_prometheus_has_a_minute(desk: Desk) -> None:
    """What was scraped before is found again before readiness is assessed."""
    handlers.assess(desk)
    clock = SetClock(NOON + timedelta(hours=2))
    watch(desk, clock).turn()

    assert kept(desk) == [0, 121]


def test_only_what_moved_is_kept(desk: Desk) -> None:
    """Ten quiet minutes leave one assessment, a scrape makes it two."""
    clock = SetClock()
    following = watch(desk, clock)
    for _ in range(10):
        following.turn()
    desk.scrapes.note(clock.now)
    following.turn()

    assert kept(desk) == [0, 11]
