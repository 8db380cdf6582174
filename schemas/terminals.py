"""What may be shown on a terminal: names and reasons are other people's, and may hold anything."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return *text* on one line, without what would drive a terminal.

    >>> printable("\x1b[2Jall is well")
    '�[2Jall is well'
    """
    return "".join(letter if letter.isprintable() else "�" for letter in text)
