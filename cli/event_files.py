"""Files of events as people name them: what is no file of lines is told as what it is."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from schemas.errors import NotFound, Refused
from schemas.places import is_named_pipe

PIPED: Final = "give what comes out of it as standard input: governance produce - < FILE"

KINDS: Final = (
    (stat.S_ISDIR, "a folder", "name a file in it"),
    (stat.S_ISFIFO, "a pipe", PIPED),
    (stat.S_ISCHR, "a device", PIPED),
    (stat.S_ISBLK, "a device", PIPED),
    (stat.S_ISSOCK, "a socket", "name a file"),
)
"""What is no file, and what to do instead."""

_UTF_16: Final = "UTF-16", "iconv -f UTF-16 -t UTF-8 FILE | governance produce -"
FORMATS: Final = (
    (b"\xff\xfe", *_UTF_16),
    (b"\xfe\xff", *_UTF_16),
    (b"{\x00", "UTF-16", "iconv -f UTF-16LE -t UTF-8 FILE | governance produce -"),
    (b"\x00{", "UTF-16", "iconv -f UTF-16BE -t UTF-8 FILE | governance produce -"),
    (b"\xef\xbb\xbf", "UTF-8 with a byte order mark", "tail -c +4 FILE | governance produce -"),
    (b"\x1f\x8b", "compressed with gzip", "gunzip -c FILE | governance produce -"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "zstd -dc FILE | governance produce -"),
    (b"\xfd7zXZ", "compressed with xz", "xz -dc FILE | governance produce -"),
    (b"BZh", "compressed with bzip2", "bzip2 -dc FILE | governance produce -"),
    (b"PK\x03\x04", "a zip archive", "unzip -p FILE | governance produce -"),
)
"""How a file begins that is no JSON lines, what it is, and how it becomes some."""


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """Open *file*, or standard input for ``-``.

    Raises:
        NotFound: there is no such file, or it may not be read.
        Refused: it is something else than a file.
    """
    if file == "-":
        yield sys.stdin.buffer
        return
    with _open(file) as found:
        yield found


def _open(file: str) -> IO[bytes]:
    """Return *file*, open for reading; the errors are those of `opened`."""
    try:
        _check_kind(file)
        return Path(file).open("rb")
    except (OSError, ValueError) as problem:
        raise NotFound("readable file", file) from problem


def check_format(start: bytes) -> None:
    """See that a file which begins with *start* may be one of JSON lines.

    Raises:
        Refused: it is not; says what it is, and which command makes it one.
    """
    for begins, what, remedy in FORMATS:
        if start.startswith(begins):
            raise Refused(
                f"this is {what}, no JSON lines in UTF-8; nothing was sent", allowed_when=remedy
            )


def _check_kind(file: str) -> None:
    """See that *file* can be read to its end.

    Raises:
        Refused: it is a folder, or nobody knows when it ends.
    """
    mode = Path(file).stat().st_mode
    if stat.S_ISFIFO(mode) and not is_named_pipe(Path(file)):
        return  # <(a command) of a shell: a pipe without a name, and somebody writes into it
    for is_kind, what, remedy in KINDS:
        if is_kind(mode):
            raise Refused(f"{file} is {what}", allowed_when=remedy)
