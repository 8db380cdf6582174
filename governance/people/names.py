"""Names of people: which are allowed, and which of them cannot be told apart. Pure.

    anna, ANNA, аnna (Cyrillic а), ａnna, anna + U+200B ──► one skeleton ──► one person

Whoever counts people asks `is_same_person`, and never compares names by ``==``. New names are
plain ASCII. Names of before stay valid: they are compared by their skeleton, after the idea of
Unicode's technical standard 39, and count as one person where they may be one.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from schemas.wire import MAX_TEXT

ALLOWED: Final = re.compile(r"[!-~]+(?: [!-~]+)*")
"""Printable ASCII, with single spaces inside: what ends up as one glyph is one character."""

UNSURE: Final = "\ufffd"
"""Stands in a skeleton for a character that may look like any other."""

LOOKS: Final = {
    look: letter
    for letter, looks in {
        "a": "ɑαаᴀ",
        "b": "ƀƃƅɓʙβбвьѣ",
        "c": "ƈȼϲсᴄ",
        "d": "đðƌɖɗԁᴅ",
        "e": "ɇəɛɜεеєҽҿᴇ",
        "f": "ƒք",
        "g": "ǥɠɡɢԍցᶃ",
        "h": "ħнћһհҥ",
        "j": "ȷɉʝϳјᴊ",
        "k": "ƙĸκкқҟᴋ",
        "l": "1|iıƚłǀɨɩɪɫɭʟιіӏᵻ丨",
        "m": "ʍμϻмᴍ",
        "n": "ŋƞɲɳηпոռ",
        "o": "0øɵοσθоөօѳᴏᴑ〇",
        "p": "ƥρрᴘᵽ",
        "q": "ʠԛգզ",
        "r": "ɍɼɽʀгᴦя",
        "s": "ƽʂѕտᵴ",
        "t": "ŧƭʈτтᴛ",
        "u": "ʉʋυսцᴜ",
        "v": "νѵᴠ",
        "w": "ɯωшщѡԝաᴡ",
        "x": "χхҳ×",
        "y": "ɏʏγуүұᶌ",
        "z": "ƶȥʐʒзᴢ",
        "ae": "æӕ",
        "oe": "œ",
        "-": "一",
    }.items()
    for look in looks
}
"""Letters of other alphabets, and digits, by the Latin letter for which they can be taken."""

READ_AS_ONE: Final = (("rn", "m"), ("vv", "w"))
"""Two letters that read as one."""

INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""What shows nothing and is neither a mark nor a format character."""

OWN_LETTERS: Final = (
    *("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "HEBREW", "ARABIC", "DEVANAGARI", "THAI"),
    *("HIRAGANA", "KATAKANA", "HANGUL", "CJK", "GEORGIAN"),
)
"""Scripts of people's names, whose letters that `LOOKS` does not know look like themselves."""


def check_name(name: str) -> str | None:
    """Return why nobody new may be called *name*, or None where they may.

    >>> check_name("anna ek") is None
    True
    >>> check_name("аnna")
    'it holds U+0430 CYRILLIC SMALL LETTER A, and names are printable ASCII'
    """
    if not 0 < len(name) <= MAX_TEXT:
        return f"a name has 1 to {MAX_TEXT} characters"
    odd = next((one for one in name if not " " <= one <= "~"), None)
    if odd is not None:
        called = unicodedata.name(odd, "a control character")
        return f"it holds U+{ord(odd):04X} {called}, and names are printable ASCII"
    if not ALLOWED.fullmatch(name):
        return "spaces stand one at a time, and only between words"
    return None


def is_same_person(one: str, other: str) -> bool:
    """Whether two names are one person, or may be: then one of them does not count.

    >>> is_same_person("anna", "Anna "), is_same_person("anna", "ben")
    (True, False)
    """
    mine, theirs = skeleton(one), skeleton(other)
    return mine == theirs or _may_be(mine, theirs) or _may_be(theirs, mine)


def told_as(known: str, name: str) -> str:
    """Return *known* in words, for whoever is refused under *name* that may be the same.

    >>> told_as("anna", "anna")
    'anna'
    """
    if known == name:
        return known
    return (
        f"{known!r}, who cannot be told from {name!r} (give each person one name of ASCII letters: "
        "governance token create),"
    )


@lru_cache(maxsize=4_096)
def skeleton(name: str) -> str:
    """Return what all names have in common that look like *name*.

    >>> skeleton("Jörg") == skeleton("Jorg") == skeleton("jοrg")
    True
    """
    as_it_looks = "".join(LOOKS.get(one, one) for one in name.casefold())
    plain = unicodedata.normalize("NFKC", as_it_looks).casefold()
    seen = [one for one in unicodedata.normalize("NFKD", plain) if _is_seen(one)]
    text = " ".join("".join(map(_look, seen)).split())
    for two, letter in READ_AS_ONE:
        text = text.replace(two, letter)
    return text


def _is_seen(one: str) -> bool:
    """Whether a character shows anything of its own; spaces do."""
    kind = unicodedata.category(one)
    return one not in INVISIBLE and (kind[0] not in "MC" or one.isspace())


def _look(one: str) -> str:
    """Return what a character can be taken for."""
    if one in LOOKS:
        return LOOKS[one]
    if one.isascii() or one.isspace():
        return one
    by_script = unicodedata.name(one, "").startswith(OWN_LETTERS)
    return one if by_script and unicodedata.category(one)[0] == "L" else UNSURE


def _may_be(unsure: str, other: str) -> bool:
    """Whether *unsure* is *other*, if each unsure character is whatever it has to be."""
    if UNSURE not in unsure:
        return False
    parts = map(re.escape, unsure.split(UNSURE))
    return re.fullmatch(".*".join(parts), other, re.DOTALL) is not None
