"""The log file: it may be moved away at any moment, by the runbook or by logrotate.

    mv A B       every line from here on goes to a new A
    gzip B       reads B to its end, and what came after that end would be lost
    touch A
    kill -USR1   a nudge: after it B is closed, even if nothing is written

So a line counts as written only if A was still the file after the write. If it was not, gzip may
have been past that line, and it is written again: a line may be in both files, but never in none.
"""

from __future__ import annotations

import os
from contextlib import suppress
from io import TextIOWrapper
from logging import LogRecord
from logging.handlers import WatchedFileHandler
from pathlib import Path

from api.log_throttle import Throttle


class LogFile(WatchedFileHandler):
    """Appends to a file, and goes on in a new one when it was moved away; safe in any thread."""

    def __init__(self, path: Path) -> None:
        """Open *path*, whose folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, encoding="utf-8")
        self._complaints = Throttle()

    def emit(self, record: LogRecord) -> None:
        """Write *record*; again if the file was moved away while it was written.

        A file that cannot be opened anew, on a full disk say, costs its lines and nothing else.
        """
        try:
            super().emit(record)
            if self._was_moved():
                super().emit(record)
        except (OSError, ValueError):
            self._begin_anew(record)

    def handleError(self, record: LogRecord) -> None:  # noqa: N802 - logging's name
        """Say on standard error that *record* could not be written, but not each time."""
        if self._complaints.take(()) is not None:
            super().handleError(record)

    def _begin_anew(self, record: LogRecord) -> None:
        """Write *record* once more, without a stream that could not be closed in order.

        That one would refuse every line from now on. What it still held is lost.
        """
        try:
            if self.stream is not None and (self.stream.closed or self._was_moved()):
                with suppress(OSError):
                    self.stream.close()
                self.stream = None
            super().emit(record)
        except (OSError, ValueError):
            self.handleError(record)

    def _open(self) -> TextIOWrapper:
        """Open the file; an empty one that is not ours to write makes place for ours.

        `touch` made it, typed by root after a `mv`, and whoever waits for root to give it back
        writes no line meanwhile.
        """
        try:
            return super()._open()
        except PermissionError:
            path = Path(self.baseFilename)
            if not path.exists() or not _is_free(path):
                raise
            path.unlink()
            return super()._open()

    def let_go(self) -> None:
        """Close the file if it was moved away; the next line at the latest is in a new one."""
        self.acquire()
        try:
            with suppress(OSError):
                self.reopenIfNeeded()
        finally:
            self.release()

    def _was_moved(self) -> bool:
        """Tell whether what is written goes to a file that is no longer in its place."""
        if self.stream is None:
            return False
        try:
            return not os.path.samestat(
                Path(self.baseFilename).stat(), os.fstat(self.stream.fileno())
            )
        except FileNotFoundError:
            return True


def settle(path: Path, link: Path) -> str | None:
    """Make *link* lead to the log file *path*; return what is in the way, if something is.

    Older versions wrote to where the link is now: such a file is moved to *path* if that is free.
    """
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_file() and not link.is_symlink() and _is_free(path):
            link.replace(path)
        if not os.path.lexists(link):
            link.symlink_to(os.path.relpath(path.resolve(), link.parent.resolve()))
    except OSError as error:
        return f"cannot make {link} lead to it: {error.strerror}"
    return None if link.resolve() == path.resolve() else f"{link} is another file; move it away"


def _is_free(path: Path) -> bool:
    """Tell whether nobody would miss what is at *path*."""
    return not path.exists() or path.stat().st_size == 0
