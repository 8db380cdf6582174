"""The run file tells other commands what runs here, and nothing once it does not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.places import api_of, check_member, kafka_of
from embedded.runfile import RunFile, Running
from schemas.errors import BadSetting, Unavailable
from schemas.settings import Settings

RUNNING = Running(
    pid=1,
    started_at=datetime(2026, 11, 23, 9, tzinfo=UTC),
    scenario="none",
    kafka="127.0.0.1:20000",
    api="http://localhost:4100",
    worker_id="box-0",
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of an installation without a Kafka of its own."""
    return Settings(
        data_dir=tmp_path,
        kafka_bootstrap_servers=None,
        worker_id="box-0",
        host="127.0.0.1",
        port=4007,
    )


def test_what_runs_is_found_while_it_runs(settings: Settings) -> None:
    """The file is believed while its writer lives, and gone afterwards."""
    file = RunFile(settings)
    with file.claimed():
        assert file.read() is None
        file.write(RUNNING)
        assert RunFile(settings).read() == RUNNING
    assert RunFile(settings).read() is None
    assert not file.path.exists()


def test_a_file_that_a_killed_up_left_behind_is_not_believed(settings: Settings) -> None:
    """Nobody holds the lock, so nothing runs, whatever the file says."""
    file = RunFile(settings)
    file.path.parent.mkdir(parents=True)
    file.write(RUNNING)
    assert file.read() is None


def test_a_data_folder_that_cannot_be_made_is_named(settings: Settings) -> None:
    """What should be its folder is a file: the setting says so, and nothing is begun."""
    (settings.data_dir / "file").touch()
    wrong = settings.model_copy(update={"data_dir": settings.data_dir / "file" / "var"})
    refused = pytest.raises(BadSetting, match=r"^GOVERNANCE_DATA_DIR: cannot write")
    with refused, RunFile(wrong).claimed():
        raise AssertionError


def test_one_up_at_a_time(settings: Settings) -> None:
    """A second one is refused at once, is told of the first, and leaves its file alone."""
    with RunFile(settings).claimed():
        RunFile(settings).write(RUNNING)
        with pytest.raises(Unavailable, match="process 1, http://localhost:4100"):
            RunFile(settings).claimed().__enter__()
        assert RunFile(settings).read() == RUNNING


def test_commands_use_the_kafka_and_the_api_that_run_here(settings: Settings) -> None:
    """Named ones win, then those of the run file, then the error names the ways."""
    with pytest.raises(BadSetting, match=r"KAFKA_BOOTSTRAP_SERVERS.*governance up"):
        kafka_of(settings)
    assert api_of(settings, None) == "http://localhost:4007"
    with RunFile(settings).claimed():
        RunFile(settings).write(RUNNING)
        assert kafka_of(settings) == "127.0.0.1:20000"
        assert api_of(settings, None) == "http://localhost:4100"
        named = settings.model_copy(update={"kafka_bootstrap_servers": "k:9092"})
        assert kafka_of(named) == "k:9092"
        assert api_of(settings, "http://box:1/") == "http://box:1"


def test_a_second_worker_needs_an_id_of_its_own(settings: Settings) -> None:
    """Two static members with one id would throw each other out."""
    check_member(settings)
    with RunFile(settings).claimed():
        RunFile(settings).write(RUNNING)
        with pytest.raises(BadSetting, match="GOVERNANCE_WORKER_ID"):
            check_member(settings)
        check_member(settings.model_copy(update={"worker_id": "box-1"}))
