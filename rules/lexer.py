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
    | (?P<sign>   === | !== | == | != | >= | <=(?!>) | \|\| | && | [-+()!]
                | <(?!>) | > | \*(?!\*) | /(?!/) )
    | (?P<stray>  . )
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_NUMBER: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?P<share>%)?", re.ASCII)
_DURATION: Final = re.compile(r"[0-9]{1,9}[smhd]", re.ASCII)
_CANONICAL: Final = {"===": "==", "!==": "!=", "||": "or", "&&": "and", "!": "not"}
_WORDS: Final = {"and": "and", "or": "or", "not": "not"}
"""The operators that are words, in any case."""


def tokens(text: str) -> list[Token]:
    """Return the tokens of *text*, the last two of kind `Kind.END`: one may be stepped over.

    Raises:
        RuleError: a character or a number that no condition can hold; ``position`` is set.
    """
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        group, word, at = match.lastgroup, match.group(), match.start()
        if group == "sign":
            found.append(Token(_CANONICAL.get(word, word), word, at))
        elif group == "name":
            found.append(Token(_WORDS.get(word.lower(), Kind.NAME), word, at))
        elif group == "number":
            found.append(Token(_number_kind(match, at), word, at))
        elif group == "string":
            found.append(Token(Kind.STRING, word, at))
        elif group == "stray":
            raise _stray(text, at)
    end = Token(Kind.END, "", len(text))
    return [*found, end, end]


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
