"""A log file that what a child prints goes to, and that never grows beyond its bound."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import IO, Final

LIMIT: Final = 5 * 1024 * 1024
"""Bytes after which the file moves aside, to ``NAME.1``; the one before that is forgotten."""

REMEMBERED: Final = 50
"""Lines kept in memory, for the message that says why a child ended."""


LONGEST: Final = 64 * 1024
"""Bytes of a line; a longer one is cut into several."""


class BoundedLog:
    """Appends what any number of successive children print; at most two files of `LIMIT`."""

    def __init__(self, path: Path, *, limit: int = LIMIT) -> None:
        self.path = path
        self._limit = limit
        self._lock = Lock()
        self._lines: deque[str] = deque(maxlen=REMEMBERED)
        self._threads: list[Thread] = []

    def follow(self, output: IO[bytes]) -> None:
        """Copy *output* to the file until it ends, from a thread of its own."""
        thread = Thread(target=self._copy, args=(output,), name=f"log-{self.path.stem}")
        thread.daemon = True
        self._threads = [known for known in self._threads if known.is_alive()] + [thread]
        thread.start()

    def tail(self, lines: int) -> str:
        """Return the last *lines* that were printed; waits a moment for those on their way."""
        self._join(1)
        with self._lock:
            return "\n".join(list(self._lines)[-lines:])

    def close(self) -> None:
        """Return when everything that was printed is in the file, or after two seconds."""
        self._join(2)

    def _join(self, seconds: float) -> None:
        for thread in self._threads:
            thread.join(seconds)

    def _copy(self, output: IO[bytes]) -> None:
        """Copy line by line: a line is written whole or not at all."""
        with output:
            for line in iter(lambda: output.readline(LONGEST), b""):
                with self._lock:
                    self._lines.append(line.decode(errors="replace").rstrip())
                    self._write(line)

    def _write(self, line: bytes) -> None:
        """Write *line*; one that has no room is lost, but what prints it never waits for us."""
        with suppress(OSError):
            self._append(line)

    def _append(self, line: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and self.path.stat().st_size + len(line) > self._limit:
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        with self.path.open("ab") as file:
            file.write(line)
