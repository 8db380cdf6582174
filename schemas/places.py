"""Places that a setting names: what cannot be written there is told as what to set instead.

Only errors that the setting itself causes are told so. A disk that is full says nothing about
the setting: a start may work later, and whoever supervises the process should try again.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from schemas.errors import BadSetting

FAULTS: Final[dict[int, str]] = {
    errno.EACCES: "this user may not write it; give it the right to, or name another file",
    errno.EPERM: "this user may not write it; give it the right to, or name another file",
    errno.EROFS: "it is on a file system that is read-only; name another file",
    errno.EISDIR: "it is a folder; name a file in it",
    errno.ENOENT: "its folder is not there; make it, or name another file",
    errno.ENOTDIR: "what should be its folder is a file; name another file",
    errno.EEXIST: "what should be its folder is a file; name another file",
    errno.ELOOP: "links on the way to it lead in a circle; name another file",
    errno.ENAMETOOLONG: "the name is too long; name another file",
}
"""What each error of the system says of a place, and what to do; all others are no fault of it."""


NO_FILE: Final = (
    (stat.S_ISDIR, "it is a folder; name a file in it"),
    (stat.S_ISFIFO, "it is a pipe; name a file"),
    (stat.S_ISSOCK, "it is a socket; name a file"),
)
"""What is no file at all. Opening a pipe would wait for somebody at its other end."""

DEVICES: Final = (
    (stat.S_ISCHR, "it is a device, which keeps nothing; name a file"),
    (stat.S_ISBLK, "it is a device; name a file"),
)
"""What takes lines, and keeps none of them to be read again."""


@contextmanager
def place_of(variable: str, path: Path, *, kept: bool = False) -> Iterator[None]:
    """Tell an error of opening or making *path*, which *variable* names, as one of the setting.

    Args:
        variable: The setting.
        path: What is to be a file, if it is there.
        kept: Whether what is written must be there later: no device will do.

    Raises:
        BadSetting: the setting is to be changed, or what it names. What it does not cause, a full
            disk say, is raised as it is.
    """
    fault = _kind_fault(path, kept=kept)
    if fault is not None:
        raise BadSetting(variable, f"cannot write {path}: {fault}")
    with _told_of(variable, path):
        yield


def make_folder(variable: str, folder: Path) -> None:
    """Make *folder*, which *variable* names, unless it is there.

    Raises:
        BadSetting: the setting is to be changed, or what it names.
    """
    with _told_of(variable, folder):
        folder.mkdir(parents=True, exist_ok=True)


def check_folder(variable: str, folder: Path) -> None:
    """See that *folder*, which *variable* names, is one or can still be made.

    Raises:
        BadSetting: something else is there, or on the way to it.
    """
    with _told_of(variable, folder), suppress(FileNotFoundError):
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder")


@contextmanager
def _told_of(variable: str, path: Path) -> Iterator[None]:
    """Tell an error of *path* that *variable* causes as one of the setting."""
    try:
        yield
    except OSError as error:
        fault = FAULTS.get(error.errno or 0)
        if fault is None:
            raise
        raise BadSetting(variable, f"cannot write {path}: {fault}") from error


def path_fault(path: Path) -> str | None:
    """Return why no file can be called *path*, or None if one can."""
    if "\0" in str(path):
        return "a path cannot hold NUL"
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return "write it in UTF-8; rename the folder if its name is in another encoding"
    return None


def is_named_pipe(path: Path) -> bool:
    """Tell whether opening *path* may wait for ever: what a shell makes has somebody behind it."""
    return stat.S_ISFIFO(path.stat().st_mode) and path.resolve().exists()


def _kind_fault(path: Path, *, kept: bool) -> str | None:
    """Return why what is at *path* is no file to write to, or None if it is one or not there."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None  # whoever opens it says more
    if stat.S_ISFIFO(mode) and not kept and not is_named_pipe(path):
        return None  # /dev/stdout of a process whose output is read
    kinds = (*NO_FILE, *DEVICES) if kept else NO_FILE
    return next((fault for is_kind, fault in kinds if is_kind(mode)), None)
