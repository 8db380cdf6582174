"""A thread that survives its turns."""

import logging
import threading

import pytest

from governance.loop import Loop


def test_a_failing_turn_is_said_once_reset_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Trouble shows while it lasts, its remains are let go of, and the thread goes on."""
    worked = threading.Event()
    seen: list[str | None] = []
    resets: list[str | None] = []

    def turn() -> None:
        if len(resets) < 2:
            raise OSError("no route")
        seen.append(loop.trouble)
        worked.set()
        loop.ask_to_stop()

    loop = Loop("tried", turn, reset=lambda: resets.append(loop.trouble))
    with caplog.at_level(logging.INFO):
        loop.start()
        assert worked.wait(30)
        assert loop.join(30)
    assert seen == ["OSError: no route"]
    assert loop.trouble is None
    assert len([line for line in caplog.messages if "failed and will try again" in line]) == 1
    assert "tried works again" in caplog.messages


def test_stopping_lets_go_of_everything() -> None:
    """The last thing that the thread does is its reset."""
    closed, took = threading.Event(), threading.Event()
    loop = Loop("ended", took.set, reset=closed.set)
    loop.start()
    assert took.wait(30)
    loop.ask_to_stop()
    assert loop.join(30)
    assert closed.is_set()


def test_a_loop_that_was_never_started_has_ended() -> None:
    """Stopping a service whose start failed waits for nobody."""
    assert Loop("never", lambda: None).join(0)
