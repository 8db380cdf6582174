"""What the supervisor checks before it starts anything, and how commands end."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded.exits import HOPELESS, Exit, exit_of
from embedded.provision import wanted_topics
from embedded.sending import key_of_bytes
from embedded.signals import ENDING, interrupted
from embedded.up import check_files, check_logs
from embedded.vacancy import check_ports, is_free
from schemas.errors import BadSetting, GovernanceError, NotFound, Unavailable
from schemas.settings import Settings
from schemas.topics import TOPICS
from streams.exits import EXIT_BROKEN, EXIT_STALLED
from tests.ports import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_taken_port_is_refused_by_the_name_of_its_setting(taken: int) -> None:
    """The error says which variable chooses another port, and who can be asked about this one."""
    assert not is_free("127.0.0.1", taken)
    with pytest.raises(BadSetting, match=rf"^PORT: .*lsof -i :{taken}"):
        check_ports(Settings(port=taken, worker_metrics_port=0))
    with pytest.raises(BadSetting, match=r"^GOVERNANCE_WORKER_METRICS_PORT: "):
        check_ports(Settings(port=free_port(), worker_metrics_port=taken))


@pytest.mark.parametrize(
    ("field", "variable"),
    [
        ("pid_file", "GOVERNANCE_PID_FILE"),
        ("log_file", "GOVERNANCE_LOG_FILE"),
        ("db_path", "GOVERNANCE_DB_PATH"),
    ],
)
def test_a_file_that_can_be_none_is_named_before_anything_starts(
    tmp_path: Path, field: str, variable: str
) -> None:
    """A pipe would be waited for by the child, and Kafka would have been started for nothing."""
    os.mkfifo(tmp_path / "pipe")
    files: dict[str, Any] = dict.fromkeys(("pid_file", "log_file", "db_path"), tmp_path / "file")
    check_files(Settings(**files))
    with pytest.raises(BadSetting, match=f"{variable}: .*it is a pipe"):
        check_files(Settings(**{**files, field: tmp_path / "pipe"}))
    with pytest.raises(BadSetting, match=f"{variable}: "):
        check_files(Settings(**{**files, field: tmp_path / "pipe" / "x"}))


def test_free_ports_are_fine() -> None:
    """Port 0 of the worker is whatever is free."""
    check_ports(Settings(port=free_port(), worker_metrics_port=0))


def test_topics_are_as_wide_as_the_settings_ask() -> None:
    """Each changelog has as many partitions as the topic whose state it keeps."""
    wide = wanted_topics(Settings(event_partitions=3, tally_partitions=2))
    width = {topic.name: topic.partitions for topic in wide}

    assert width["command-events"] == width["tally-changelog"] == 3
    assert width["tallies"] == width["judge-changelog"] == 2
    assert [topic.name for topic in wide] == [topic.name for topic in TOPICS]
    assert width["breaker-actions"] == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadSetting("PORT", "taken"), Exit.SETTING),
        (Unavailable("Kafka", "away"), Exit.UNAVAILABLE),
        (NotFound("rule", "x"), Exit.NOT_DONE),
    ],
)
def test_an_error_has_an_exit_code(error: GovernanceError, code: Exit) -> None:
    """Scripts can tell a wrong setting from a part that is away."""
    assert exit_of(error) is code


def test_a_worker_that_left_is_worth_another_try() -> None:
    """The worker's own codes are in the table, and do not stop the supervisor."""
    assert {Exit.BROKEN, Exit.STALLED} == {EXIT_BROKEN, EXIT_STALLED}
    assert not HOPELESS & {EXIT_BROKEN, EXIT_STALLED, Exit.UNAVAILABLE}
    assert Exit.SETTING in HOPELESS


@pytest.mark.parametrize("number", ENDING)
def test_whatever_asks_us_to_end_interrupts(number: signal.Signals) -> None:
    """Ctrl-C, a service manager and a closed terminal end it alike; handlers are put back."""
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interrupted():
        os.kill(os.getpid(), number)
        signal.pause()
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b'{"id": "e-1", "commandType": "SET_FAN"}', b"SET_FAN"),
        (b'{"id": "e-1"}', b"e-1"),
        (b'{"commandType": 7}', None),
        (b"[]", None),
        (b"\xff", None),
    ],
)
def test_whatever_it_is_has_the_key_that_it_names(value: bytes, key: bytes | None) -> None:
    """A bad record goes where a good one of its type would; one that names nothing anywhere."""
    assert key_of_bytes(value) == key


def test_logs_that_cannot_be_written_are_refused_before_anything_starts(tmp_path: Path) -> None:
    """The setting that chooses their folder is named; where they can be, nothing is said."""
    (tmp_path / "file").touch()
    with pytest.raises(BadSetting, match=r"^GOVERNANCE_LOG_FILE: .*file/logs/api\.log"):
        check_logs(Settings(log_file=tmp_path / "file" / "logs" / "governance.log"))
    check_logs(Settings(log_file=tmp_path / "logs" / "governance.log"))
