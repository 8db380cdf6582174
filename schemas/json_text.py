r"""JSON that is right by its grammar, and that the readers which we use refuse.

JavaScript cuts a text in the middle of an emoji and writes ``"\ud83d"``: half of a pair that means
nothing by itself. RFC 8259 lets it, and numbers of any length. Such a thing in a field that nobody
knows must not cost the record.
"""

from __future__ import annotations

import re
from typing import Final

_ESCAPES: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"  # half of one
    rb"|\\."  # any other escape, so that a backslash that is escaped begins none
)
_NUL: Final = rb"\u0000"

_LONGEST: Final = 4_300
"""Digits of a whole number that Python and pydantic read."""
_WHOLE: Final = re.compile(rb"(?<![.\d])\d{%d,}" % (_LONGEST + 1))


def readable(value: bytes) -> bytes:
    r"""Return *value* with what readers refuse replaced; what is no JSON before is none after.

    Half of a surrogate pair becomes NUL, which no field of ours takes either: so it is refused
    where we know the field, and stands aside where we do not. A whole number of more digits than
    is read loses the last of them: it is still beyond every bound.

    >>> readable(rb'{"note":"too hot \ud83d","fine":"\ud83d\ude00 \\ud83d"}')
    b'{"note":"too hot \\u0000","fine":"\\ud83d\\ude00 \\\\ud83d"}'
    """
    whole = _ESCAPES.sub(lambda found: _NUL if found[1] else found[0], value)
    return _WHOLE.sub(lambda found: found[0][:_LONGEST], whole) if len(value) > _LONGEST else whole
