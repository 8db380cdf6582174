"""The command as people call it: one clear line and an exit code, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from embedded.exits import Exit

COMMAND = Path(sys.executable).with_name("governance")
HEAVY = ("faust", "aiokafka", "kafka", "fastapi", "sqlalchemy", "durable", "jgo", "rich.table")

ACT = {
    "id": "act-1",
    "summary": "resume SET_FAN",
    "signatures": [{"person": "anna", "role": None}],
    "askedAt": "2026-11-23T09:14:05Z",
    "expiresAt": "2026-11-26T09:14:05Z",
}
GOOD = {
    "id": "e-1",
    "kind": "command",
    "occurredAt": "2026-11-23T09:14:05Z",
    "commandId": "c",
    "commandType": "T",
    "status": "succeeded",
}


def run(
    folder: Path, *arguments: str, given: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in an empty folder with only *variables* set."""
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        input=given,
        env={"PATH": os.environ["PATH"], "NO_COLOR": "1", **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def api() -> Iterator[str]:
    """Return the address of an API that knows a few answers."""
    answers: dict[str, tuple[int, Any]] = {
        "/api/circuit-breaker/events/unresolved": (200, []),
        "/api/circuit-breaker/rules": (503, {"detail": "database: it is busy"}),
        "/api/governance/joint-acts": (200, [ACT]),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, {"detail": "no such address"}))
            if self.path == "/api/circuit-breaker/events?limit=20":
                known = self.headers["Authorization"] == "Bearer secret"
                status, body = (200, []) if known else (401, {"detail": "who are you?"})
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_starting_costs_no_heavy_import(tmp_path: Path) -> None:
    """A worker that was killed is back soon: each command imports what it needs when it runs."""
    asked = f"import sys, cli.main; print([name for name in {HEAVY!r} if name in sys.modules])"
    said = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["worker", "api", "topics", "demo"])
def test_without_a_kafka_the_ways_to_one_are_named(tmp_path: Path, command: str) -> None:
    """The error names the variable and the command that start one, in one line."""
    ended = run(tmp_path, command)

    assert ended.returncode == Exit.SETTING
    assert "KAFKA_BOOTSTRAP_SERVERS" in ended.stderr
    assert "governance up" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    """The line names the variable and what is wrong with it."""
    ended = run(tmp_path, "config", "show", GOVERNANCE_EVENT_PARTITIONS="many")

    assert ended.returncode == Exit.SETTING
    assert ended.stderr.startswith("governance: GOVERNANCE_EVENT_PARTITIONS: ")
    assert len(ended.stderr.splitlines()) == 1


def test_a_worker_is_not_opened_to_the_network(tmp_path: Path) -> None:
    """Without authentication a host beyond loopback is refused, by name."""
    ended = run(tmp_path, "worker", KAFKA_BOOTSTRAP_SERVERS="k:1", GOVERNANCE_WORKER_HOST="0.0.0.0")
    assert ended.returncode == Exit.SETTING
    assert "GOVERNANCE_WORKER_HOST" in ended.stderr


def test_settings_are_shown_with_their_source(tmp_path: Path) -> None:
    """JSON holds every setting, and which Kafka commands would use."""
    ended = run(tmp_path, "config", "show", "--json", KAFKA_BOOTSTRAP_SERVERS="k:9092")

    shown = json.loads(ended.stdout)
    assert shown["kafkaInUse"] == "k:9092"
    assert shown["running"] is None
    kafka = next(r for r in shown["settings"] if r["variable"] == "KAFKA_BOOTSTRAP_SERVERS")
    assert kafka["source"] == "environment: KAFKA_BOOTSTRAP_SERVERS"


def test_an_unknown_variable_is_shown_without_its_value(tmp_path: Path) -> None:
    """A mistyped setting is named with the nearest one, to people and to programs."""
    strays = {"GOVERNANCE_AUHT": "hunter2"}
    shown = run(tmp_path, "config", "show", **strays)
    told = run(tmp_path, "config", "show", "--json", **strays)

    assert "Warning: GOVERNANCE_AUHT is no setting" in shown.stdout
    assert json.loads(told.stdout)["unknown"] == [
        {"variable": "GOVERNANCE_AUHT", "nearest": "GOVERNANCE_AUTH"}
    ]
    assert "hunter2" not in shown.stdout + told.stdout


def test_up_tells_of_an_unknown_variable_before_it_starts_anything(
    tmp_path: Path, api: str
) -> None:
    """Whoever watches it start reads that what they set does nothing; here a port is taken."""
    taken = api.rpartition(":")[2]
    ended = run(tmp_path, "up", GOVERNANCE_AUHT="hunter2", PORT=taken)

    assert ended.returncode == Exit.SETTING
    assert "! GOVERNANCE_AUHT is no setting" in ended.stdout
    assert "hunter2" not in ended.stdout + ended.stderr


def test_a_worker_logs_an_unknown_variable(tmp_path: Path) -> None:
    """It is the first line that needs a look, whether Kafka answers or not."""
    variables = {"GOVERNANCE_AUHT": "hunter2", "GOVERNANCE_WORKER_METRICS_PORT": "0"}
    worker = subprocess.Popen(
        [COMMAND, "worker", "--assume-topics"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", **variables},
        stderr=subprocess.PIPE,
        text=True,
    )
    with worker:
        assert worker.stderr is not None
        warned = next(line for line in worker.stderr if "WARNING" in line)
        worker.kill()
    assert "did you mean GOVERNANCE_AUTH?" in warned
    assert "hunter2" not in warned


def test_bad_lines_are_named_and_nothing_is_sent(tmp_path: Path) -> None:
    """Before a connection is opened the file is known to be good, or every bad line is said."""
    lines = [json.dumps(GOOD), "", json.dumps(GOOD | {"status": "exploded"}), "{"]
    ended = run(tmp_path, "produce", "-", given="\n".join(lines), KAFKA_BOOTSTRAP_SERVERS="x:1")

    assert ended.returncode == Exit.NOT_DONE
    first, second, last = ended.stderr.splitlines()
    assert first.startswith("line 3: unknown_status: ")
    assert second.startswith("line 4: not_json: ")
    assert "2 of 3 lines are bad" in last
    assert "--unchecked" in last


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No traceback for a mistyped name."""
    ended = run(tmp_path, "produce", "event.json", KAFKA_BOOTSTRAP_SERVERS="x:1")
    assert ended.returncode == Exit.NOT_DONE
    assert "no readable file named 'event.json'" in ended.stderr


def test_an_api_that_is_not_there_is_said_to_be_away(tmp_path: Path) -> None:
    """The line says how to start it, and the code that a retry may work."""
    ended = run(tmp_path, "state", "--url", "http://127.0.0.1:9")
    assert ended.returncode == Exit.UNAVAILABLE
    assert "governance up" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_answers_of_the_api_are_passed_on(tmp_path: Path, api: str) -> None:
    """Nothing to do reads as such; a problem is told in the API's own words."""
    clear = run(tmp_path, "events", "--url", api)
    assert (clear.returncode, clear.stdout) == (0, "All clear.\n")
    assert json.loads(run(tmp_path, "events", "--url", api, "--json").stdout) == []

    busy = run(tmp_path, "rules", "--url", api)
    assert busy.returncode == Exit.UNAVAILABLE
    assert busy.stderr == "governance: API: database: it is busy\n"

    gone = run(tmp_path, "state", "--url", api)
    assert gone.returncode == Exit.NOT_DONE


def test_what_waits_says_how_it_is_signed(tmp_path: Path, api: str) -> None:
    """Whoever finds an act in the list knows what to do with it; programs get the list alone."""
    shown = run(tmp_path, "acts", "--url", api)

    assert "act-1" in shown.stdout
    assert "governance acts sign ID" in shown.stderr
    assert json.loads(run(tmp_path, "acts", "--url", api, "--json").stdout) == [ACT]


def test_an_api_that_is_down_is_one_plain_line(tmp_path: Path) -> None:
    """The reason is the system's word for it, and the ways out are named."""
    ended = run(tmp_path, "state", "--url", "http://127.0.0.1:1")

    assert ended.returncode == Exit.UNAVAILABLE
    assert "(Connection refused)" in ended.stderr
    assert "governance up" in ended.stderr


def test_the_token_of_the_settings_is_sent(tmp_path: Path, api: str) -> None:
    """Where the API asks who asks, GOVERNANCE_TOKEN answers."""
    asked = ("events", "--all", "--url", api)
    assert "who are you?; set GOVERNANCE_TOKEN" in run(tmp_path, *asked).stderr
    assert run(tmp_path, *asked, GOVERNANCE_TOKEN="secret").stdout == "No breaker event.\n"


def test_a_wrong_command_line_is_a_usage_error(tmp_path: Path) -> None:
    """Unknown scenarios are refused with those that there are."""
    ended = run(tmp_path, "up", "--scenario", "calm")
    assert ended.returncode == Exit.USAGE
    assert "healthy" in ended.stderr


def test_the_version_is_shown(tmp_path: Path) -> None:
    """--version names the product and its version."""
    assert run(tmp_path, "--version").stdout.startswith("governance 0.")
