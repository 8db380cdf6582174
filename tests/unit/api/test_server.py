"""The process: its port, its files, its signals. It runs as it would under a service manager."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.server import listening, pid_file, serve
from governance.store import Store
from schemas.errors import BadSetting
from schemas.settings import Settings
from tests.ports import free_port

PACE = threading.Event()
"""Never set: a server that starts is asked at most twenty times a second."""
RUN = "from api.server import serve; from schemas.settings import load_settings as s; serve(s())"


@contextmanager
def _running(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server in *folder* until it answers."""
    env = {
        **os.environ,
        "PORT": str(port),
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    process = subprocess.Popen([sys.executable, "-c", RUN], cwd=folder, env=env)
    try:
        _wait_until_it_answers(process, port)
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    """Connect: the port is taken early, and the answer comes when the server is ready."""
    while process.poll() is None:
        try:
            httpx2.get(f"http://localhost:{port}/health", timeout=60)
        except httpx2.ConnectError:
            PACE.wait(0.05)
            continue
        return
    raise AssertionError(f"ended with {process.returncode}")


def _add_rules(port: int, person: int, answered: list[str]) -> None:
    """Add one rule after the other, noting those that were answered, until nobody answers."""
    for number in count():
        name = f"rule {number} of {person}"
        rule = {"name": name, "condition": "errorRate > 0.5", "window": "5m"}
        wanted = {**rule, "action": "alert_only", "alertSeverity": "low"}
        try:
            answer = httpx2.post(
                f"http://localhost:{port}/api/circuit-breaker/rules", json=wanted, timeout=60
            )
        except httpx2.TransportError:
            return
        assert answer.status_code == 201, answer.text
        answered.append(name)


def _wait_for(log: Path, event: str) -> dict[str, Any]:
    """Return the first line of an event, once it is there; the time limit ends it otherwise."""
    while True:
        for line in _lines(log):
            if line["event"] == event:
                return line
        PACE.wait(0.05)


def _lines(path: Path) -> list[dict[str, Any]]:
    """Return every line that is whole: another one may be on its way."""
    whole = path.read_text().rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def test_it_survives_rotation_and_ends_in_good_order(tmp_path: Path) -> None:
    """The runbook's move, touch and ``kill -USR1`` lose no line; SIGTERM ends it with 0.

    The pid file is there for as long as the process is, the log is one JSON object a line, and
    what else people signal does not end it.
    """
    log, moved = tmp_path / "governance.log", tmp_path / "governance.log.20261123"
    port = free_port()
    with _running(tmp_path, port) as process:
        assert (tmp_path / "governance.pid").read_text() == f"{process.pid}\n"
        assert (tmp_path / "logs" / "governance.log").samefile(log)
        log.rename(moved)
        log.touch()
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
            process.send_signal(number)
        assert httpx2.get(f"http://localhost:{port}/health", timeout=60).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0

    before, after = ([line["event"] for line in _lines(path)] for path in (moved, log))
    assert "Starting periodic governance metrics updates" in before
    assert after[-1] == "stopped"
    assert not (tmp_path / "governance.pid").exists()


def test_what_was_answered_before_the_end_is_kept(tmp_path: Path) -> None:
    """SIGTERM amid changes: each one that was answered is stored, and waits to be told to Kafka."""
    answered: list[str] = []
    port = free_port()
    with _running(tmp_path, port) as process, ThreadPoolExecutor(4) as people:
        changing = [people.submit(_add_rules, port, person, answered) for person in range(4)]
        while len(answered) < 40:
            PACE.wait(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        for person in changing:
            person.result()

    with (
        closing(Store(f"sqlite:///{tmp_path}/var/governance.db")) as store,
        store.reading() as unit,
    ):
        stored = set(unit.rules.names())
        waiting = {row.key for row in unit.outbox.unpublished(10_000)}
    assert set(answered) <= stored
    assert {f"{name}@1" for name in answered} <= waiting


def test_settings_are_read_again_unless_they_are_wrong(tmp_path: Path) -> None:
    """SIGHUP takes over a new log level, says what waits for a restart, and refuses nonsense.

    A name that sets nothing is warned of.
    """
    log, settings = tmp_path / "governance.log", tmp_path / ".env"
    port = free_port()
    with _running(tmp_path, port) as process:
        settings.write_text("LOG_LEVEL=warning\nGOVERNANCE_PROPOSAL_DAYS=0\n")
        process.send_signal(signal.SIGHUP)
        refused = _wait_for(log, "the settings were not read again: the old ones stay")
        settings.write_text("LOG_LEVEL=debug\nGOVERNANCE_PROPOSAL_DAYS=7\nGOVERNANCE_AUHT=x\n")
        process.send_signal(signal.SIGHUP)
        unknown = _wait_for(log, "a variable is no setting")
        taken = _wait_for(log, "the settings were read again")
        assert httpx2.get(f"http://localhost:{port}/health", timeout=60).status_code == 200

    assert refused["level"] == "error"
    assert "GOVERNANCE_AUHT" in unknown["problem"]
    assert "GOVERNANCE_PROPOSAL_DAYS" in refused["problem"]
    assert taken["log_level"] == "debug"
    assert taken["waits_for_a_restart"] == ["GOVERNANCE_PROPOSAL_DAYS"]


def test_a_second_start_leaves_the_first_alone(tmp_path: Path) -> None:
    """A taken port is named before any file of the running service is touched."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(
            kafka_bootstrap_servers="127.0.0.1:1",
            port=taken.getsockname()[1],
            pid_file=tmp_path / "governance.pid",
            db_path=tmp_path / "governance.db",
            log_file=tmp_path / "governance.log",
        )
        with pytest.raises(BadSetting, match=r"PORT: cannot listen on 127\.0\.0\.1:\d+"):
            serve(settings)

    assert list(tmp_path.iterdir()) == []


def test_nothing_is_served_beyond_this_machine(tmp_path: Path) -> None:
    """Without authentication, an address that others can reach is refused by name."""
    settings = Settings(host="0.0.0.0", pid_file=tmp_path / "governance.pid")

    with pytest.raises(BadSetting, match="HOST"):
        serve(settings)


def test_the_other_loopback_is_served_too() -> None:
    """``HOST=::1`` listens on IPv6."""
    settings = Settings(host="::1").model_copy(update={"port": 0})

    with listening(settings) as listener:
        assert listener.family == socket.AF_INET6


def test_answers_are_sent_at_once() -> None:
    """The end of an answer does not wait for the client to confirm its beginning."""
    settings = Settings().model_copy(update={"port": 0})

    with listening(settings) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_pid_file_goes_whatever_happens(tmp_path: Path) -> None:
    """An error on the way leaves no pid file behind that names nobody."""
    path = tmp_path / "governance.pid"

    with pytest.raises(ZeroDivisionError), pid_file(path):
        assert path.read_text().strip() == str(os.getpid())
        raise ZeroDivisionError
    assert not path.exists()


def test_a_full_disk_is_not_a_wrong_setting(tmp_path: Path) -> None:
    """A full disk is no fault of the setting, and leaves no file behind."""
    path = tmp_path / "governance.pid"
    path.symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left"), pid_file(path):
        pass
    path.unlink()


def test_a_device_is_no_file_to_remove(tmp_path: Path) -> None:
    """`/dev/null` as the PID file means none, and is there afterwards."""
    path = tmp_path / "governance.pid"
    path.symlink_to("/dev/null")

    with pid_file(path):
        pass
    assert path.is_symlink()


@pytest.mark.parametrize(
    ("field", "place", "fault"),
    [
        ("pid_file", "folder", "it is a folder"),
        ("pid_file", "absent/governance.pid", "its folder is not there"),
        ("pid_file", "file/governance.pid", "what should be its folder is a file"),
        ("log_file", "folder", "it is a folder"),
        ("log_file", "file/governance.log", "what should be its folder is a file"),
    ],
)
def test_a_file_that_cannot_be_written_is_a_wrong_setting(
    tmp_path: Path, field: str, place: str, fault: str
) -> None:
    """The variable is named with what to do; the port is free again, and no file of ours stays."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    settings = Settings(
        kafka_bootstrap_servers="127.0.0.1:1",
        port=free_port(),
        db_path=tmp_path / "governance.db",
        log_file=tmp_path / "governance.log",
        pid_file=tmp_path / "governance.pid",
    ).model_copy(update={field: tmp_path / place})

    with pytest.raises(BadSetting, match=fault) as refused:
        serve(settings)

    assert refused.value.setting == f"GOVERNANCE_{field.upper()}"
    assert "name a" in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    with listening(settings):
        pass


def test_a_mistyped_setting_is_in_the_log_from_the_start(tmp_path: Path) -> None:
    """Who meant `token` and got `open` reads so, and reads nothing of the value."""
    (tmp_path / ".env").write_text("GOVERNANCE_AUHT=hidden\n")
    with _running(tmp_path, free_port()):
        found = _wait_for(tmp_path / "governance.log", "a variable is no setting")

    assert "did you mean GOVERNANCE_AUTH?" in found["problem"]
    assert "hidden" not in (tmp_path / "governance.log").read_text()
