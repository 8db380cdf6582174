"""Terminals that are not UTF-8: what they have no sign for is shown by another one."""

from __future__ import annotations

import codecs
import io
from typing import Final, TextIO

SIGNS: Final = {
    "✓": "+", "→": "->", "►": ">", "·": "-", "…": "...", "–": "-", "—": "-", "×": "x", "≥": ">=",
    "≤": "<=", "‘": "'", "’": "'", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " ",
}  # fmt: skip
"""What stands for our own typography; names of other people's become question marks."""

ERRORS: Final = "governance-signs"
PLAIN: Final = "governance-ascii"
"""ASCII under a name of its own: Click takes one of that name for a mistake, and writes UTF-8."""


def speak_any(*streams: TextIO) -> None:
    """Let *streams* take every text, whatever encoding they were opened with."""
    codecs.register_error(ERRORS, _replaced)
    codecs.register(_plain)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=PLAIN if is_ascii else None, errors=ERRORS)


def can_show(text: str, stream: TextIO) -> bool:
    """Tell whether *stream* shows all of *text* as it is."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """Return what is written instead of what cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(SIGNS.get(letter, "?") for letter in missing), error.end


def _plain(name: str) -> codecs.CodecInfo | None:
    """Return the codec that `PLAIN` names."""
    if name != PLAIN.replace("-", "_"):
        return None
    ascii_ = codecs.lookup("ascii")
    return codecs.CodecInfo(
        name=PLAIN,
        encode=ascii_.encode,
        decode=ascii_.decode,
        incrementalencoder=ascii_.incrementalencoder,
        incrementaldecoder=ascii_.incrementaldecoder,
        streamreader=ascii_.streamreader,
        streamwriter=ascii_.streamwriter,
    )
