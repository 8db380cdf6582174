"""The whole product on one machine, as ``make run`` starts it."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.e2e.stack import COMMAND, PATIENCE, Stack, is_alive
from tests.ports import free_port, has_ipv6

pytestmark = pytest.mark.integration

UNRESOLVED = "/api/circuit-breaker/events/unresolved"
EVENTS = "/api/circuit-breaker/events?limit=100"
STATE = "/api/governance/state"
README = Path(__file__).parents[2] / "README.md"
TRUE_EVERY_TIME = (
    '{"success":true,"already":false}',
    "condition: 'errorrate' is not a metric; did you mean errorRate?",
    "sent 7 records to governance.command-events",
)
"""Answers in the README that hold no number of a single run."""
PAUSED = re.compile(r"SET_FAN failed (?:[3-9]|\d\d+) times within 5m: paused")
"""Three failures trip it; on a busy machine more may lie in the same second."""
LOOPBACK = "::1" if has_ipv6() else "127.0.0.1"
ODD_PLACE = {
    **dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:9"),
    **dict.fromkeys(("no_proxy", "NO_PROXY"), ""),
    **dict.fromkeys(("HOST", "GOVERNANCE_WORKER_HOST"), LOOPBACK),
    "PYTHONIOENCODING": "ascii",
    "LC_ALL": "C",
}
"""A proxy that cannot reach our loopback interface, and what else people's machines are like."""
STORY = 90.0
"""Seconds in which the incident must have happened, from the moment that all is up."""


def test_an_incident_is_contained_and_the_next_start_goes_on(tmp_path: Path) -> None:
    """A failing type is paused, autonomy goes back to L3, and a stop and a start lose nothing."""
    with Stack(tmp_path, scenario="incident", port=free_port()) as stack:
        stack.wait_until_up()
        began = time.monotonic()
        stack.wait(lambda: tripped(stack) >= {"pause_command_type", "revert_to_l3"}, "no trip")
        assert time.monotonic() - began < STORY
        stack.wait(lambda: PAUSED.search(stack.said), "untold")
        stack.wait(lambda: "autonomy is back at L3 (High Error Rate)" in stack.said, "untold")
        stack.wait(lambda: "Critical Incident Detected" in stack.said, "untold")

        state = stack.read(STATE)
        assert state["currentPhase"] == "L3"
        assert "SET_FAN" in state["pausedCommandTypes"]
        events = stack.read(UNRESOLVED)
        assert stack.command("state").stdout.startswith("phase      L3")
        assert "SET_FAN" in stack.command("events").stdout
        children = stack.children()
        assert_one_of_each(children, "kafka.Kafka", "cli worker", "cli api", "cli demo")
        assert_the_readme_is_true(stack)

        assert stack.end(signal.SIGINT) == 0
        assert not [line for pid, line in children.items() if is_alive(pid)]
        assert not (tmp_path / "var/run/up.json").exists()
        assert not (tmp_path / "governance.pid").exists()

    with Stack(tmp_path, scenario="none", port=free_port()) as stack:
        stack.wait_until_up()
        assert stack.read(STATE)["currentPhase"] == "L3"
        assert stack.read(STATE)["autonomyEpoch"] >= state["autonomyEpoch"]
        assert "SET_DRUM" in stack.read(STATE)["pausedCommandTypes"]
        assert {event["id"] for event in events} <= {event["id"] for event in stack.read(EVENTS)}
        stack.wait(lambda: "breaker events from before are unresolved" in stack.said, "untold")

        children = stack.children()
        assert stack.end(signal.SIGTERM) == 0
        assert not [line for pid, line in children.items() if is_alive(pid)]


def test_what_is_killed_comes_back_and_nothing_outlives_us(tmp_path: Path) -> None:
    """A killed worker and a killed API serve again; a killed ``up`` takes everything with it.

    So it is in a folder as people call them, behind a company's proxy, on a terminal that has
    hardly any letters, and with the API and the worker on IPv6.
    """
    folder = tmp_path / "Rösterei, Halle 2\\100% #1"
    folder.mkdir()
    with Stack(folder, scenario="none", port=free_port(), **ODD_PLACE) as stack:
        stack.wait_until_up()
        assert "+ Kafka" in stack.said
        assert stack.command("state").stdout.startswith("phase      L3")
        assert (folder / "var/kafka/node-1/data/meta.properties").is_file()
        assert [entry.name for entry in tmp_path.iterdir()] == [folder.name]
        for part in ("worker", "api"):
            os.kill(pid_of(stack, part), signal.SIGKILL)
            wait_until_back(stack, part)

        second = stack.command("up")
        assert second.returncode == 69
        assert f"process {stack.process.pid}" in second.stderr

        children = stack.children()
        stack.end(signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while any(map(is_alive, children)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert "Running here: nothing" in stack.command("config", "show").stdout


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    """Nothing is left in the folder but the place of the run file."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        Stack(tmp_path, scenario="none", port=taken.getsockname()[1]) as stack,
    ):
        assert stack.process.wait(PATIENCE) == 78
        assert "PORT: port" in stack.said
        assert "Traceback" not in stack.said
    assert not (tmp_path / "var/kafka").exists()


def test_another_service_on_our_port_is_not_taken_for_ours(tmp_path: Path) -> None:
    """It took the port while Kafka was starting, and answers: the API is not said to be up."""
    port = free_port()
    with Stack(tmp_path, scenario="none", port=port) as stack:
        stack.wait(lambda: "starting Kafka" in stack.said, "it looks at nothing")
        with answering(port):
            assert stack.process.wait(PATIENCE) == 78
        assert f"PORT: cannot listen on 127.0.0.1:{port}" in stack.said
        assert "✓ API" not in stack.said
        assert not stack.children()


@contextmanager
def answering(port: int) -> Iterator[None]:
    """Run a service that answers every question with an empty object."""
    with ThreadingHTTPServer(("127.0.0.1", port), Another) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


class Another(BaseHTTPRequestHandler):
    """Whoever else has the port."""

    def do_GET(self) -> None:
        """Say nothing, in JSON."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")


def assert_the_readme_is_true(stack: Stack) -> None:
    """Run the commands of the five-minute tour as they stand there, all in one shell."""
    tour = README.read_text(encoding="utf-8").split("## Five minutes")[1].split("## The command")[0]
    script = "\n".join(re.findall(r"```bash\n(.*?)```", tour, flags=re.DOTALL))
    said = stack.shell(
        script.replace("http://localhost:4007", stack.api)
        .replace(".venv/bin/governance", str(COMMAND))
        .replace("examples/", f"{README.parent}/examples/")
    )
    for answer in TRUE_EVERY_TIME:
        assert f"# {answer}" in tour
        assert answer in said
    stack.wait(lambda: "OPEN_VALVE failed 3 times within 5m: paused" in stack.said, "untold")


def tripped(stack: Stack) -> set[str]:
    """Return the actions of the unresolved events."""
    return {event["action"] for event in stack.read(UNRESOLVED)}


def is_judging(stack: Stack) -> bool:
    """Tell whether the API answers and sees the stream."""
    try:
        return bool(stack.read("/ready")["checks"]["stream"]["status"] == "healthy")
    except OSError:
        return False


def wait_until_back(stack: Stack, part: str) -> None:
    """Return when the end of *part* was said, it runs again, and the stream is seen."""
    stack.wait(lambda: f"{part} ended" in stack.said, "it was not noticed")
    stack.wait(lambda: pid_of(stack, part), f"{part} stays away")
    stack.wait(lambda: is_judging(stack), "the stream stays blind")


def pid_of(stack: Stack, part: str) -> int:
    """Return the process of a part, or 0."""
    return next((pid for pid, line in stack.children().items() if f"cli {part}" in line), 0)


def assert_one_of_each(children: dict[int, str], *parts: str) -> None:
    """See that every part is one process."""
    for part in parts:
        assert sum(part in line for line in children.values()) == 1, (part, children)
