"""Cut the text of a condition into tokens, in one pass and in linear time.

Every pattern is tried once at each place and none can backtrack, so that no text, however
hostile, takes longer than its length.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

from rules import suggestions
from schemas.errors import RuleError


class Kind(StrEnum):
    """What a token is; an operator or a parenthesis is its own kind, see `Token`."""

    NUMBER = "number"
    SHARE = "share"
    DURATION = "duration"
    STRING = "string"
    NAME = "name"
    END = "end"


class Token(NamedTuple):
    """A piece of the text: ``kind`` is a `Kind`, or the operator in its one canonical form."""

    kind: str
    text: str
    at: int

    @property
    def end(self) -> int:
        """Return the index of the first character after the token."""
        return self.at + len(self.text)


_TOKEN: Final = re.compile(
    r"""
      (?P<space>  [ \t\r\n]+ )
    | (?P<number> \.?[0-9][0-9A-Za-z_.]*%? )
    | (?P<name>   [A-Za-z_][0-9A-Za-z_.]* )
    | (?P<string> "[^"\r\n]*" | '[^'\r\n]*' )
    | (?P<wrong>  <> | => | =< | \*\* | // )
    | (?P<sign>   === | !== | == | != | >= | <= | \|\| | && | [-+*/()<>!] )
    """,
    re.VERBOSE | re.ASCII,
)
_NUMBER: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?P<share>%)?", re.ASCII)
_DURATION: Final = re.compile(r"[0-9]{1,9}[smhd]", re.ASCII)
_CANONICAL: Final = {"===": "==", "!==": "!=", "||": "or", "&&": "and", "!": "not"}
_WORDS: Final = frozenset({"and", "or", "not"})


def tokens(text: str) -> list[Token]:
    """Return the tokens of *text*, the last of kind `Kind.END`.

    Raises:
        RuleError: a character or a number that no condition can hold; ``position`` is set.
    """
    found: list[Token] = []
    at, end = 0, len(text)
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise _stray(text, at)
        if match.lastgroup != "space":
            found.append(_token(match, at))
        at = match.end()
    found.append(Token(Kind.END, "", end))
    return found


def _token(match: re.Match[str], at: int) -> Token:
    """Return the token that *match* found."""
    word = match.group()
    match match.lastgroup:
        case "sign":
            return Token(_CANONICAL.get(word, word), word, at)
        case "name":
            return Token(word if word in _WORDS else Kind.NAME, word, at)
        case "number":
            return Token(_number_kind(match, at), word, at)
        case "string":
            return Token(Kind.STRING, word, at)
        case _:
            raise _stray(match.string, at)


def _number_kind(match: re.Match[str], at: int) -> Kind:
    """Return what the digits are: a number, a share or a duration."""
    word = match.group()
    plain = _NUMBER.fullmatch(word)
    if plain is not None:
        return Kind.SHARE if plain["share"] else Kind.NUMBER
    if _DURATION.fullmatch(word):
        return Kind.DURATION
    raise RuleError(
        f"{suggestions.shown(word)} is not a number",
        position=at,
        suggestion=suggestions.for_number(match.string, at),
    )


def _stray(text: str, at: int) -> RuleError:
    """Return the error for what no condition can hold at *at*."""
    if text[at] in "\"'":
        return RuleError("the string does not end", position=at, suggestion=_closed(text, at))
    sign, suggestion = suggestions.for_sign(text, at)
    return RuleError(
        f"{suggestions.shown(sign)} means nothing here", position=at, suggestion=suggestion
    )


def _closed(text: str, at: int) -> str:
    """Return the word that an unclosed string begins with, closed."""
    word = re.match(r"[A-Za-z0-9_]{0,40}", text[at + 1 : at + 41])
    return f"{text[at]}{word.group() if word else ''}{text[at]}"
