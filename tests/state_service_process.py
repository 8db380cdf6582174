"""The state service as a process of its own, for tests that kill it.

Run with ``python -m``, it imports everything once and then forks a fresh service for each line
that it reads, so that twenty kills do not wait for twenty imports. It answers each line with
the new process's id, and reaps whoever died before.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, Self

from governance.service import StateService
from schemas.settings import load_settings

ROOT = Path(__file__).parent.parent


class StateServiceProcess:
    """Starts, kills and stops state services, one at a time; for the tests' side."""

    def __init__(self, **environment: str) -> None:
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.state_service_process"],
            cwd=ROOT,
            env=_without_database(os.environ) | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._child: int | None = None

    def __enter__(self) -> Self:
        """Return self; the nursery is ready when it answers the first start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill what still runs."""
        if self._child is not None:
            self.kill()
        self._nursery.kill()
        self._nursery.communicate()

    def start(self) -> None:
        """Start a service; return as soon as its process is there."""
        self._child = int(self._ask("start"))

    def kill(self) -> None:
        """End the service without any warning, and wait until it is gone."""
        assert self._child is not None
        os.kill(self._child, signal.SIGKILL)
        self._ask("reap")
        self._child = None

    @property
    def pid(self) -> int | None:
        """Return the process of the service that was started last, or None after its end."""
        return self._child

    def pause(self) -> None:
        """Stop the service where it is, as a machine that hangs does."""
        assert self._child is not None
        os.kill(self._child, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on from there."""
        assert self._child is not None
        os.kill(self._child, signal.SIGCONT)

    def stop(self) -> int:
        """Ask the service to end, wait for it, and return its exit code."""
        assert self._child is not None
        os.kill(self._child, signal.SIGTERM)
        self._child = None
        return int(self._ask("reap"))

    def _ask(self, what: str) -> str:
        """Send one line and return the answer."""
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(f"{what}\n")
        self._nursery.stdin.flush()
        answer = self._nursery.stdout.readline()
        assert answer, "the nursery died"
        return answer


def _without_database(environment: Mapping[str, str]) -> dict[str, str]:
    """Return *environment* without a database of its own."""
    return {name: value for name, value in environment.items() if name != "DATABASE_URL"}


def serve() -> None:
    """Be a state service until SIGTERM."""
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    service = StateService(load_settings())
    service.start()
    while not asked.wait(0.2):
        pass
    service.stop()


def _serve_and_exit() -> NoReturn:
    """Serve, and never return into the nursery."""
    code = 1
    try:
        serve()
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


def nurse() -> None:
    """Fork a service or reap one, for each line that is read."""
    child = 0
    for line in sys.stdin:
        if line.strip() == "reap":
            answer = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        else:
            child = answer = os.fork()
            if child == 0:
                _serve_and_exit()
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    nurse()
