"""The log tells the story: each thing that happened is one line, said once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from governance import handlers
from governance.chronicle import Chronicle
from governance.desk import Desk
from governance.feed import Feed
from tests.desks import NOON, alert, desk_at, trip


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a desk at noon."""
    desk = desk_at(f"sqlite:///{tmp_path / 'governance.db'}")
    yield desk
    desk.store.close()


@pytest.fixture
def chronicle(desk: Desk) -> Chronicle:
    """Return a chronicle that begins now, after something that happened before."""
    handlers.apply_action(desk, trip("LONG_AGO"))
    chronicle = Chronicle(Feed(desk.store))
    chronicle.begin()
    return chronicle


def lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what the chronicle said; threads of other tests may speak meanwhile."""
    return [one for one in caplog.records if one.name == "governance.chronicle"]


def test_a_trip_and_what_it_did_are_a_line_each(
    desk: Desk, chronicle: Chronicle, caplog: pytest.LogCaptureFixture
) -> None:
    """Grave things are warnings, others are not, and nothing from before is said again."""
    handlers.apply_action(desk, trip("SET_FAN"))
    handlers.apply_action(desk, alert("SET_POWER"))
    with caplog.at_level(logging.INFO):
        chronicle.turn()

    said = [(one.levelname, vars(one)["type"]) for one in lines(caplog)]
    assert said == [
        ("WARNING", "governance.breaker.tripped"),
        ("WARNING", "governance.command_type.paused"),
        ("INFO", "governance.breaker.tripped"),
    ]
    first = lines(caplog)[0]
    assert "SET_FAN" in first.getMessage()
    assert vars(first)["event_id"] == trip("SET_FAN").id


def test_each_line_is_said_once(
    desk: Desk, chronicle: Chronicle, caplog: pytest.LogCaptureFixture
) -> None:
    """The next turn goes on behind the last line."""
    with caplog.at_level(logging.INFO):
        for command_type in ("SET_FAN", "SET_DRUM"):
            handlers.apply_action(desk, alert(command_type))
            chronicle.turn()

    assert len(lines(caplog)) == 2
    assert "SET_DRUM" in lines(caplog)[1].getMessage()


def test_what_the_lookout_says_is_not_said_twice(
    desk: Desk, chronicle: Chronicle, caplog: pytest.LogCaptureFixture
) -> None:
    """Blindness is in the log already."""
    handlers.tell_blind(desk, NOON, reason="nobody reports")
    with caplog.at_level(logging.INFO):
        chronicle.turn()

    assert not lines(caplog)
