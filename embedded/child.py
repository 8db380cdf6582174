"""One of our processes, as the supervisor sees it: started, watched, started again, stopped.

    started ──► ends by itself ──► wait 0.5 s, 1 s, 2 s ... 30 s ──► started again
       │                                    (from the start again after a minute of health)
       └──► told to stop: TERM, and KILL if that takes too long

What it prints goes to a log file of bounded size. It cannot outlive us, however we end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import timedelta
from pathlib import Path
from typing import Final

from embedded.bounded_log import BoundedLog
from embedded.node import TETHER

FIRST_PAUSE: Final = timedelta(seconds=0.5)
LONGEST_PAUSE: Final = timedelta(seconds=30)
"""How long a child that ended stays down: doubled each time, up to this."""

STEADY: Final = timedelta(seconds=60)
"""A child that ran so long before it ended was well; its next pause is the first again."""


class Child:
    """One process of ours.

    Args:
        name: What people call it; also the name of its log file.
        command: What to run after Python: ``["-m", "cli", "worker"]``.
        log: Where its output goes.
        starter: A pool of one thread that lives as long as we do: the kernel ties a child to
            the thread that made it.
        environment: Variables on top of ours.
        now: A clock that never goes back, in seconds.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        starter: Executor,
        environment: Mapping[str, str],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.ended = 0
        self._command = list(command)
        self._log = BoundedLog(log)
        self._starter = starter
        self._environment = dict(environment)
        self._now = now
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._pause = FIRST_PAUSE.total_seconds()
        self._again_at: float | None = None

    @property
    def pid(self) -> int | None:
        """Return the process id, or None before the first start."""
        return self._process.pid if self._process else None

    @property
    def log(self) -> Path:
        """Return the log file."""
        return self._log.path

    @property
    def is_running(self) -> bool:
        """Tell whether the process lives; it may not serve yet."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process, and return before it serves."""
        self._again_at = None
        self._began = self._now()
        self._starter.submit(self._spawn).result()

    def check(self) -> int | None:
        """Start the process again when its pause is over; return its status if it just ended.

        Called a few times a second. The pause until the next start is in `pause`.
        """
        if self._process is None or self.is_running:
            return None
        if self._again_at is None:
            return self._plan()
        if self._now() >= self._again_at:
            self.start()
        return None

    @property
    def pause(self) -> float:
        """Return how many seconds after its end the process is started again."""
        return 0.0 if self._again_at is None else max(0.0, self._again_at - self._now())

    def ask_to_stop(self) -> None:
        """Send TERM, if there is anyone to send it to."""
        if self._process is not None and self.is_running:
            self._process.terminate()

    def stop(self, patience: timedelta) -> bool:
        """Stop the process for good; return whether it left by itself within *patience*."""
        self.ask_to_stop()
        willing = True
        if self._process is not None:
            try:
                self._process.wait(patience.total_seconds())
            except subprocess.TimeoutExpired:
                willing = False
                self.kill()
        self._log.close()
        return willing

    def kill(self) -> None:
        """Kill the process, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def last_words(self, lines: int = 8) -> str:
        """Return the end of what it printed."""
        return self._log.tail(lines)

    def _plan(self) -> int:
        """Note that the process ended, and when to start it again; return its status."""
        assert self._process is not None  # noqa: S101 - `check` saw it
        if self._now() - self._began >= STEADY.total_seconds():
            self._pause = FIRST_PAUSE.total_seconds()
        self._again_at = self._now() + self._pause
        self._pause = min(LONGEST_PAUSE.total_seconds(), self._pause * 2)
        self.ended += 1
        return int(self._process.returncode)

    def _spawn(self) -> None:
        """Start the process from the thread that it is tied to."""
        tether = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid())]
        self._process = subprocess.Popen(
            # -P: a folder of the user's that is called like one of ours must not be imported.
            [*tether, sys.executable, "-P", *self._command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self._environment},
            # Ctrl-C at the terminal must reach the supervisor alone: it stops us in order.
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        self._log.follow(self._process.stdout)
