"""What runs in this folder: written by ``governance up``, read by every other command.

var/run/lock      held by the running ``up``; free again however it ends
var/run/up.json   where its Kafka and its API are; believed only while the lock is held
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from schemas.errors import Unavailable
from schemas.places import place_of
from schemas.settings import Settings
from schemas.wire import Moment, Wire


class Running(Wire):
    """What a running ``governance up`` says of itself."""

    pid: int
    started_at: Moment
    scenario: str
    kafka: str
    api: str
    worker_id: str


class RunFile:
    """The run file of one data folder."""

    def __init__(self, settings: Settings) -> None:
        folder = settings.data_dir / "run"
        self.path = folder / "up.json"
        self._lock = folder / "lock"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Be the one ``up`` of this folder; what was written is gone afterwards.

        Raises:
            Unavailable: another one runs here.
            BadSetting: nothing can be written in the data folder.
        """
        with place_of("GOVERNANCE_DATA_DIR", self._lock):
            self._lock.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _take(lock):
                raise Unavailable("governance up", self._who())
            yield
        finally:
            if _take(lock):
                self.path.unlink(missing_ok=True)
            os.close(lock)

    def write(self, running: Running) -> None:
        """Tell the others; they see the old file or the new one, never half of it."""
        incoming = self.path.with_suffix(".new")
        incoming.write_bytes(running.to_bytes())
        incoming.replace(self.path)

    def read(self) -> Running | None:
        """Return what runs here, or None when nothing does, whatever the file says."""
        return self._read() if self._is_held() else None

    def _read(self) -> Running | None:
        try:
            return Running.model_validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return None

    def _is_held(self) -> bool:
        try:
            lock = os.open(self._lock, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(lock)

    def _who(self) -> str:
        """Say who holds the lock, as far as is known."""
        running = self._read()
        found = f"process {running.pid}, {running.api}" if running else "still starting"
        return (
            f"it runs already in {self._lock.parent.parent} ({found}); "
            "stop that one, or set GOVERNANCE_DATA_DIR to another folder"
        )


def _take(lock: int) -> bool:
    """Lock the file if nobody else has; taking it twice is harmless."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
