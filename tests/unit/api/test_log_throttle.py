"""The log's throttle: a flood of lines of one kind is some lines and a count."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from api.log_throttle import AT_ONCE, KINDS, PAUSE, Throttle, ThrottleFilter, left_out_before
from api.logs import start_logs
from cli.logs import log_to_stderr
from schemas.settings import Settings


class Watch:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Put back the handlers that the tests' own log had."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_flood_is_some_lines_and_a_count() -> None:
    """The first ones are written, then one each pause, which says how many came between."""
    watch = Watch()
    throttle = Throttle(watch)
    first = [throttle.take(("k",)) for _ in range(1_000)]
    watch.now += PAUSE

    assert first == [0] * AT_ONCE + [None] * (1_000 - AT_ONCE)
    assert throttle.take(("k",)) == 1_000 - AT_ONCE
    assert throttle.take(("k",)) is None
    assert throttle.take(("another",)) == 0


def test_a_kind_that_was_silent_is_written_at_once_again() -> None:
    """What happens now and then is never held back."""
    watch = Watch()
    throttle = Throttle(watch)
    for _ in range(100):
        watch.now += PAUSE
        assert throttle.take(("k",)) == 0


def test_what_is_remembered_is_bounded() -> None:
    """Whoever can make kinds makes us forget the oldest, and nothing grows."""
    throttle = Throttle(lambda: 0.0)
    for number in range(KINDS + 1):
        throttle.take((number,))

    assert len(throttle._buckets) == KINDS


def test_two_handlers_write_the_same_lines() -> None:
    """Asked twice about one record, the filter counts it once."""
    chosen = ThrottleFilter(Throttle(lambda: 0.0))
    records = [logging.makeLogRecord({"levelno": logging.ERROR, "msg": "no"}) for _ in range(20)]
    asked = [(chosen.filter(record), chosen.filter(record)) for record in records]

    assert asked == [(True, True)] * AT_ONCE + [(False, False)] * (20 - AT_ONCE)
    assert {left_out_before(record) for record in records} == {0}


@pytest.mark.usefixtures("logging_restored")
def test_the_file_stays_small_and_says_how_many(tmp_path: Path) -> None:
    """Our lines and the libraries' are held back alike; what is said at level info is not."""
    watch = Watch()
    log = tmp_path / "governance.log"
    start_logs(Settings(log_file=log, log_link=log), Throttle(watch))
    ours, theirs = structlog.get_logger("ours"), logging.getLogger("theirs")
    for number in range(1_000):
        ours.warning("no", number=number)
        theirs.error("accept failed\nsocket %s", number)
        ours.info("decided", number=number)
    watch.now += PAUSE
    ours.warning("no", number=1_000)
    theirs.error("accept failed\nsocket %s", 1_000)
    lines = [json.loads(line) for line in log.read_text().splitlines()]

    assert sum(line["event"] == "decided" for line in lines) == 1_000
    for name in ("ours", "theirs"):
        found = [line for line in lines if line["logger"] == name and line["level"] != "info"]
        assert len(found) == AT_ONCE + 1
        assert [line.get("left_out") for line in found[-2:]] == [None, 1_000 - AT_ONCE]


@pytest.mark.usefixtures("logging_restored")
def test_a_worker_says_how_many_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Its lines are plain, and end with the count."""
    watch = Watch()
    log_to_stderr(Settings(), Throttle(watch))
    for _ in range(100):
        logging.getLogger("streams").warning("the broker is %s", "away")
    watch.now += PAUSE
    logging.getLogger("streams").warning("the broker is %s", "away")
    lines = capsys.readouterr().err.splitlines()

    assert len(lines) == AT_ONCE + 1
    assert lines[-1].endswith("the broker is away (90 lines like this were left out before)")
