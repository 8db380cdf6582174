"""Places that a setting names: what cannot be written there is told as what to set instead.

Only errors that the setting itself causes are told so. A disk that is full says nothing about
the setting: a start may work later, and whoever supervises the process should try again.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def place_of(variable: str, path: Path) -> Iterator[None]:
    """Tell an error of opening or making *path*, which *variable* names, as one of the setting.

    Raises:
        BadSetting: the setting is to be changed, or what it names. What it does not cause, a full
            disk say, is raised as it is.
    """
    try:
        yield
    except OSError as error:
        fault = FAULTS.get(error.errno or 0)
        if fault is None:
            raise
        raise BadSetting(variable, f"cannot write {path}: {fault}") from error
