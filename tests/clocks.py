"""The clock of a machine, for one process: it goes on like any other, and tests step it.

Only the time of day is the test's. The monotonic clock, and the times of files, are the machine's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path


class MachineClock:
    """What time it is for the processes that run with `environment`."""

    def __init__(self, library: Path, folder: Path, shows: datetime) -> None:
        self._library = library
        self._file = folder / "clock"
        self._ahead = timedelta()
        self.show(shows)

    @property
    def environment(self) -> dict[str, str]:
        """Return what a process needs in its environment to go by this clock."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def now(self) -> datetime:
        """Return what it shows."""
        return datetime.now(UTC) + self._ahead

    def show(self, moment: datetime) -> None:
        """Set it: it goes on from *moment*."""
        self._set(moment - datetime.now(UTC))

    def step(self, length: timedelta) -> None:
        """Set it forward by *length*, or back."""
        self._set(self._ahead + length)

    def _set(self, ahead: timedelta) -> None:
        """Let it be *ahead* of the machine's; whoever reads meanwhile sees the one or the other."""
        self._ahead = ahead
        written = self._file.with_suffix(".new")
        written.write_text(f"{ahead.total_seconds():+.3f}\n")
        written.replace(self._file)
