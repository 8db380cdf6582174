"""``governance up`` as a person would run it: in a folder of its own, on other ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.request import urlopen

from schemas.addresses import in_url

COMMAND: Final = Path(sys.executable).with_name("governance")
PATIENCE: Final = 120.0
"""Seconds for whatever must happen; several times what it takes on a busy machine."""


class Stack:
    """One run of ``governance up`` in *folder*; leaving the ``with`` block kills what is left.

    *settings* are environment variables of it, and of every command that is run beside it.
    """

    def __init__(self, folder: Path, *, scenario: str, port: int, **settings: str) -> None:
        self.folder = folder
        self.api = f"http://{in_url(settings.get('HOST', 'localhost'))}:{port}"
        self._scenario = scenario
        self._port = port
        self._environment = {**environment(), **settings}
        self._said = folder / f"said-{scenario}-{time.monotonic_ns()}.txt"

    def __enter__(self) -> Self:
        with self._said.open("wb") as output:
            self.process = subprocess.Popen(
                [COMMAND, "up", "--scenario", self._scenario, "--port", str(self._port)],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def said(self) -> str:
        """Return everything that it printed."""
        return self._said.read_text(encoding="utf-8")

    def end(self, how: signal.Signals) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def read(self, path: str) -> Any:
        """Return what the API answers."""
        with urlopen(f"{self.api}{path}", timeout=PATIENCE) as answer:  # noqa: S310 - our own API
            return json.load(answer)

    def wait_until_up(self) -> None:
        """Return when it says that everything is up."""
        self.wait(lambda: "Everything is up" in self.said, "it is not up")

    def wait(self, holds: Callable[[], Any], otherwise: str) -> None:
        """Return when *holds*; fail with all that was said when the time is over, or it ends."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert self.process.poll() is None, f"it ended:\n{self.said}"
            assert time.monotonic() < deadline, f"{otherwise}:\n{self.said}"
            time.sleep(0.2)

    def children(self) -> dict[int, str]:
        """Return every process that descends from it, with its command line."""
        parents = dict(_parents())
        found: dict[int, str] = {}
        row = {self.process.pid}
        while row:
            row = {pid for pid, parent in parents.items() if parent in row}
            found |= {pid: _command_line(pid) for pid in row}
        return found

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command in the same folder."""
        return subprocess.run(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def shell(self, script: str) -> str:
        """Run a script in the same folder, which must succeed; return what it printed."""
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


def environment() -> dict[str, str]:
    """Return our variables without what would point the stack at something else."""
    ours = ("KAFKA_BOOTSTRAP", "DATABASE_URL", "GOVERNANCE_", "PORT", "HOST")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    return {**kept, "GOVERNANCE_WORKER_METRICS_PORT": "0", "NO_COLOR": "1"}


def is_alive(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    return any(pid == known for known, _ in _parents())


def _parents() -> list[tuple[int, int]]:
    """Return ``(pid, parent)`` of every process that is no zombie."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if state != "Z":
            found.append((int(folder.name), int(parent)))
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
