"""A thread that survives its turns."""

import logging
import threading

import pytest
from kafka.errors import KafkaTimeoutError

from governance.loop import Loop
from schemas.errors import Standby, Unavailable


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
    assert len([line for line in caplog.messages if "tried failed and will try again" in line]) == 1
    assert "tried works again" in caplog.messages


@pytest.mark.parametrize(
    ("error", "said", "traced"),
    [
        (KafkaTimeoutError("no broker"), "KafkaTimeoutError: no broker", False),
        (Unavailable("database", "it is locked"), "Unavailable: database: it is locked", False),
        (ValueError("what is this"), "ValueError: what is this", True),
    ],
)
def test_only_what_nobody_expects_is_traced(
    error: Exception, said: str, traced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody who is away gets one readable line; a mistake of ours says where it is."""

    def turn() -> None:
        loop.ask_to_stop()
        raise error

    loop = Loop("tried", turn)
    loop.start()
    assert loop.join(30)
    [record] = [one for one in caplog.records if one.name == "governance.loop"]
    assert record.getMessage() == f"tried failed and will try again: {said}"
    assert (record.exc_info is not None) is traced


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


def test_a_loop_rests_while_another_service_does_its_work() -> None:
    """It lets go of what it held, once, says nothing of it, and goes on when it may run again."""
    steps: list[str] = []
    may_run, rested, again = threading.Event(), threading.Event(), threading.Event()
    may_run.set()

    def turn() -> None:
        steps.append("turn")
        if "rest" in steps:
            again.set()
            loop.ask_to_stop()
            return
        may_run.clear()
        raise Standby("another")

    def rest() -> None:
        steps.append("rest")
        rested.set()

    loop = Loop("led", turn, reset=lambda: steps.append("reset"), rest=rest, may_run=may_run.is_set)
    loop.start()
    assert rested.wait(30)
    assert loop.trouble is None
    may_run.set()
    assert again.wait(30)
    assert loop.join(30)
    assert steps == ["turn", "rest", "turn", "reset"]
