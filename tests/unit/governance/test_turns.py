"""Turns: one at a time, and a lowering before everybody who waited longer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from governance.store.turns import Turns
from schemas.errors import Unavailable

LONG = timedelta(seconds=60)


def waiting(turns: Turns, done: Callable[[], None], *, lowers: bool) -> threading.Thread:
    """Start somebody who waits for the turn and then does something."""

    def wait() -> None:
        with turns.take(LONG, lowers=lowers):
            done()

    thread = threading.Thread(target=wait)
    known = len(turns._free._waiters)  # type: ignore[attr-defined]
    thread.start()
    while len(turns._free._waiters) == known:  # type: ignore[attr-defined]
        thread.join(0.001)
    return thread


def test_a_lowering_goes_before_everybody_who_waits() -> None:
    """Twenty ordinary writers wait; the lowerings that come after them are the first."""
    turns, order = Turns(), list[str]()
    with turns.take(LONG):
        crowd = [waiting(turns, lambda: order.append("edit"), lowers=False) for _ in range(20)]
        crowd += [waiting(turns, lambda: order.append("kill"), lowers=True) for _ in range(2)]
    for thread in crowd:
        thread.join(30)
    assert order == ["kill"] * 2 + ["edit"] * 20


def test_a_lowering_that_gives_up_holds_nobody_back() -> None:
    """Once its patience is over, ordinary writers go on."""
    turns, order = Turns(), list[str]()
    with turns.take(LONG):
        edit = waiting(turns, lambda: order.append("edit"), lowers=False)
        with pytest.raises(Unavailable), turns.take(timedelta(), lowers=True):
            order.append("never")
    edit.join(30)
    assert order == ["edit"]
