"""A disk of a few mebibytes, for tests that fill it: a tmpfs in a mount namespace of its own.

Anybody may make one: in a user namespace everybody is root. It is there for the processes that
enter the namespace, and gone with the block that made it.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHUNK: Final = 64 * 1024
MOUNT: Final = 'mount -t tmpfs -o "size=$2" tmpfs "$1" && echo mounted && exec cat'
"""Mount, say so, and hold the namespace until the input ends."""


@dataclass(frozen=True)
class SmallDisk:
    """A disk at `path` for whoever runs below `enter`; this process looks at it from outside."""

    path: Path
    holder: int

    @property
    def enter(self) -> tuple[str, ...]:
        """Return the command below which the disk is there."""
        return ("nsenter", f"--target={self.holder}", "--user", "--mount", "--")

    @property
    def outside(self) -> Path:
        """Return where this process finds the disk."""
        return Path(f"/proc/{self.holder}/root{self.path}")

    @property
    def free(self) -> int:
        """Return the bytes that are free."""
        disk = os.statvfs(self.outside)
        return disk.f_bavail * disk.f_frsize

    def fill(self) -> None:
        """Take every byte that is free."""
        fill(self.outside / "filler")

    def make_room(self) -> None:
        """Give back what `fill` took."""
        (self.outside / "filler").unlink()


@contextmanager
def small_disk(path: Path, *, megabytes: int = 8) -> Iterator[SmallDisk]:
    """Make a disk at *path*, a folder that is made if it is not there."""
    path.mkdir(exist_ok=True)
    shell = ("sh", "-c", MOUNT, "sh", str(path), f"{megabytes}m")
    holder = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "--", *shell],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mounted\n", "this machine lets nobody mount a tmpfs"
        yield SmallDisk(path, holder.pid)
    finally:
        holder.kill()
        holder.communicate()


def fill(path: Path) -> None:
    """Write *path* until the last byte of its disk is taken."""
    size = CHUNK
    with path.open("ab", buffering=0) as file:
        while size:
            try:
                written = file.write(b"x" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                written = 0
            if written < size:
                size //= 2
