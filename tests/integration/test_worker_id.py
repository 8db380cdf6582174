"""Two workers under one id on a real Kafka: they never fight, and the dead are replaced at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from embedded.exits import Exit
from tests.integration.stage import PATIENCE, Stage
from tests.integration.workers import Worker

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.fixture
def stage(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    """Return topics of our own."""
    with Stage(kafka, topic_prefix, tmp_path) as stage:
        yield stage


def elsewhere(worker: Worker) -> Worker:
    """Return another worker with the same id, in a folder of its own as on another machine."""
    return replace(worker, folder=worker.folder / "elsewhere", process=None, lives=0)


def status(worker: Worker) -> int:
    """Return how *worker* ends by itself."""
    assert worker.process is not None
    return worker.process.wait(timeout=PATIENCE)


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_a_second_worker_with_the_id_is_refused(stage: Stage, place: str) -> None:
    """It ends by name with the code of a setting; the first one goes on as if nothing had been."""
    with stage.worker() as first:
        stage.wait_judged()
        second = elsewhere(first) if place == "elsewhere" else replace(first, process=None)
        with second:
            assert status(second) == Exit.SETTING
            assert first.process is not None
            said = f"'{first.name}' is the id of a worker that runs: process {first.process.pid} on"
            assert said in second.said()
            assert "Traceback" not in second.said()
        stage.wait_judged()
        assert first.process.poll() is None
        assert "Fenced" not in first.said()


def test_a_worker_that_stood_still_gives_way_by_name(stage: Stage) -> None:
    """Another has taken its id: it ends with a code of its own, and does not come back."""
    with stage.worker() as sleeper:
        stage.wait_judged()
        sleeper.pause()
        with elsewhere(sleeper) as heir:
            stage.wait_judged()
            sleeper.wake()
            assert status(sleeper) == Exit.TAKEN
            assert "another worker has taken the id" in sleeper.said()
            assert "Traceback" not in sleeper.said().split("another worker has taken")[-1]
            sleeper.start()
            assert status(sleeper) == Exit.SETTING
            stage.wait_judged()
            assert heir.process is not None
            assert heir.process.poll() is None


def test_a_worker_that_was_killed_is_back_as_fast_as_it_starts(stage: Stage) -> None:
    """It does not wait for the end of its own session, nor to see that it is dead."""
    with stage.worker(GOVERNANCE_WORKER_SESSION_SECONDS="120") as worker:
        stage.wait_judged()
        worker.kill()
        began = time.monotonic()
        worker.start()
        stage.wait_judged()
        assert time.monotonic() - began < 100
        assert "looking whether" not in worker.said()
