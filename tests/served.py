"""The API as a process of its own, for tests that lock its database, fill its disk or kill it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.ports import free_port

ROOT = Path(__file__).parent.parent
RUN = "from api.server import serve; from schemas.settings import load_settings as s; serve(s())"
PACE = threading.Event()
"""Never set: a server that starts is asked at most twenty times a second."""


@dataclass(frozen=True)
class Served:
    """A running API: where it answers, and its process."""

    url: str
    process: subprocess.Popen[bytes]

    def client(self) -> httpx2.Client:
        """Return a client that waits longer than any request may take."""
        limits = httpx2.Limits(max_connections=100)
        return httpx2.Client(base_url=self.url, timeout=120, limits=limits)

    def kill(self) -> None:
        """End it without any warning."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def served(
    folder: Path,
    *,
    within: Sequence[str] = (),
    run: Sequence[str] = ("-c", RUN),
    **environment: str,
) -> Iterator[Served]:
    """Run the API in *folder*, below the command *within* if one is given, until it answers.

    No Kafka is there unless *environment* names one.
    """
    port = free_port()
    command = [*within, sys.executable, *run]
    env = surroundings(port, **environment)
    with (folder / "stderr.txt").open("ab") as errors:
        process = subprocess.Popen(command, cwd=folder, env=env, stderr=errors)
    running = Served(f"http://localhost:{port}", process)
    try:
        wait_until_it_answers(running)
        yield running
    finally:
        running.kill()


def surroundings(port: int, **environment: str) -> dict[str, str]:
    """Return the environment of an API on *port*: ours, no Kafka, and what *environment* says."""
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return {
        **inherited,
        "PORT": str(port),
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "PYTHONPATH": str(ROOT),
        **environment,
    }


def wait_until_it_answers(running: Served) -> None:
    """Connect: the port is taken early, and the answer comes when the server is ready."""
    while running.process.poll() is None:
        try:
            httpx2.get(f"{running.url}/health", timeout=60)
        except httpx2.ConnectError:
            PACE.wait(0.05)
            continue
        return
    raise AssertionError(f"ended with {running.process.returncode}")
