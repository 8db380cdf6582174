"""The processes that are measured: each runs alone, dies with us, and is looked at from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import psutil

from embedded.node import TETHER

ROOT: Final = Path(__file__).resolve().parent.parent
_PYTHON: Final = (sys.executable,)
PATIENCE: Final = 20.0
"""Seconds that a process may take to leave when asked, before it is killed."""


class Measured:
    """A Python process of ours: ``Measured(["bench.produce", "100"], env, folder=...)``.

    What it says on its standard error goes to a file in *folder*, which is also where it runs,
    so that no ``.env`` of a developer gets into a measurement.
    """

    def __init__(self, command: list[str], env: Mapping[str, str], *, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{command[0].rsplit('.', 1)[-1]}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as said:
            self._process = subprocess.Popen(
                # The tether has the kernel end the process when we end, however that happens.
                [*_PYTHON, "-I", "-S", str(TETHER), str(os.getpid()), *_PYTHON, "-m", *command],
                env={**_clean(), **env},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                # As under `governance up`: the kernel shares a busy machine among sessions.
                start_new_session=True,
            )
        self._seen = psutil.Process(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Return the id of the process."""
        return self._process.pid

    @property
    def output(self) -> IO[str]:
        """Return what it writes on its standard output."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def cpu(self) -> float:
        """Return the CPU seconds that it used since it began, in all its threads."""
        return cpu_seconds(self._seen)

    @property
    def rss(self) -> int:
        """Return the bytes of memory that it holds now."""
        return int(self._seen.memory_info().rss)

    def check(self) -> None:
        """Return if it lives.

        Raises:
            RuntimeError: it ended; carries the end of what it said.
        """
        if self._process.poll() is not None:
            said = self.log.read_text(errors="replace").splitlines()[-20:]
            raise RuntimeError(f"ended with {self._process.returncode}:\n" + "\n".join(said))

    def wait(self) -> None:
        """Return when it has ended well.

        Raises:
            RuntimeError: it ended otherwise.
        """
        if self._process.wait() != 0:
            self.check()

    def stop(self) -> None:
        """Ask it to leave, and kill it if it does not."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
        self.output.close()

    def kill(self) -> None:
        """End it as a crash would."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._process.wait()


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU seconds that *process* used, in user and in kernel mode."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _clean() -> dict[str, str]:
    """Return our environment without anything that would change the product's settings."""
    ours = ("GOVERNANCE_", "KAFKA_", "DATABASE_", "HOST", "PORT", "LOG_LEVEL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONPATH": str(ROOT)}
