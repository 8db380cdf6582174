"""Ballast: a mebibyte of disk that is given up when a lowering would fail for lack of room.

governance.db
governance.db.ballast    1 MiB of nothing; gone while the disk is full
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

SIZE: Final = 2**20
"""Bytes: the pages of some ten lowerings, each with its audit rows, alerts and records."""

ROOM: Final = 4 * SIZE
"""Bytes that must be free before it is made anew, so that it does not come and go."""


class Ballast:
    """The file beside one database; safe to use from any thread."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(f"{database.name}.ballast")
        self.is_released = False

    def fill(self) -> bool:
        """Make the file unless it is there; return whether it is now.

        What cannot be made for lack of room counts as released: the disk is as good as full.
        """
        try:
            if not self._is_whole():
                self._make()
        except OSError as error:
            self._remove()
            if not self.is_released:
                log.error("%s: no room to hold ready for a revert: %s", self.path, error)
            self.is_released = True
        else:
            self.is_released = False
        return not self.is_released

    def release(self) -> bool:
        """Give the room up, for a lowering; return whether there was any to give."""
        had = self.path.exists()
        self._remove()
        self.is_released = True
        if had:
            log.error(
                "the disk is full: %s was given up so that autonomy can be lowered", self.path
            )
        return had

    def has_room(self) -> bool:
        """Whether the disk has so much room that nobody need hold any ready."""
        disk = os.statvfs(self.path.parent)
        return disk.f_bavail * disk.f_frsize >= ROOM

    def _is_whole(self) -> bool:
        """Whether the file is there, with all its bytes."""
        return self.path.exists() and self.path.stat().st_size == SIZE

    def _make(self) -> None:
        """Write the file, in bytes that no file system can compress.

        Raises:
            OSError: there is no room, or the folder cannot be written.
        """
        if not self.has_room():
            raise OSError(f"less than {ROOM // 2**20} MiB are free")
        with self.path.open("wb") as file:
            file.write(os.urandom(SIZE))
            file.flush()
            os.fsync(file.fileno())

    def _remove(self) -> None:
        """Remove the file, if it is there."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            log.error("%s cannot be removed: %s", self.path, error)
