"""What a person probably meant: one suggestion for each usual slip.

Nothing here decides whether a condition is right; it only helps to mend one that is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from fractions import Fraction
from typing import Final

from rules.metrics import METRICS, PREFIX, SEVERITY_NAME
from schemas.durations import likely

LONGEST_WORD: Final = 64
"""Characters of a word beyond which nothing is looked for: near matches take quadratic time."""

SIGNS: Final = {
    "<>": "!=", "=>": ">=", "=<": "<=", "=": "==", "&": "and", "|": "or", "≥": ">=", "≤": "<=",
    "≠": "!=", "×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "“": '"', "”": '"', "„": '"',
    "‘": "'", "’": "'", "`": '"', "¬": "not", "∧": "and", "∨": "or", "\xa0": "a plain space",
    "[": "(", "]": ")", "{": "(", "}": ")",
    "**": None, "//": "/",
}  # fmt: skip
"""Signs of other languages, and ours for them."""

WORDS: Final = {
    "is": "==", "IS": "==", "eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "ge": ">=",
    "lt": "<", "lte": "<=", "le": "<=",
}  # fmt: skip
"""Words of other languages for our operators."""

_OTHER_NAMES: Final = {
    "failed": "failures", "failure": "failures", "errors": "failures", "error": "errorRate",
    "failurerate": "errorRate", "failrate": "errorRate", "timeouts": "timedOut",
    "timeout": "timedOut", "rollbacks": "rolledBack", "rollback": "rollbackRate",
    "overrides": "overridden", "override": "overrideRate", "successes": "succeeded",
    "success": "successRate", "approval": "approvalRate", "approvals": "approved",
    "rejections": "rejected", "proposals": "proposed", "executions": "attempts",
    "commands": "total", "count": "total", "samples": "attempts", "incidents": "incidents.total",
    "critical": '"critical"', "high": '"high"', "medium": '"medium"', "low": '"low"',
    "severity": SEVERITY_NAME, "incidentseverity": SEVERITY_NAME, "duration": "window",
    "commandtype": "commandType.failures",
}  # fmt: skip
"""Words that people use for a metric, bare of case and underscores."""

_LOOSE: Final = re.compile(r"([0-9_]*)(?:\.([0-9]*))?(?:[eE]([-+]?[0-9]{1,2})(?![0-9]))?")

_BARE: Final = {name.replace(".", "").lower(): name for name in (*METRICS, SEVERITY_NAME, "window")}


def is_metric(word: str) -> bool:
    """Return whether *word* names a metric, with or without the prefix."""
    return word.removeprefix(PREFIX) in (*METRICS, SEVERITY_NAME)


def shown(word: str) -> str:
    """Return *word* quoted, and cut when it is endless."""
    return repr(word if len(word) <= LONGEST_WORD else f"{word[:LONGEST_WORD]}…")


def for_sign(text: str, at: int) -> tuple[str, str | None]:
    """Return the foreign sign of *text* at *at*, and what stands for it here."""
    pair = text[at : at + 2]
    if re.match(r"[0-9],[0-9](?![0-9]{2}(?![0-9]))", text[max(at - 1, 0) : at + 5]):
        return ",", "."
    sign = pair if pair in SIGNS else text[at]
    return sign, SIGNS.get(sign)


def for_number(text: str, at: int) -> str | None:
    """Return the number or duration that was probably meant by the characters at *at*."""
    loose = re.match(
        r"([0-9_]*)(?:\.([0-9]*))?(?:[eE]([-+]?[0-9]{1,2})(?![0-9]))?", text[at : at + 40]
    )
    if loose is None:
        return None
    whole, part, exponent = loose[1].replace("_", ""), loose[2] or "", loose[3]
    if exponent is not None:
        return plain(float(f"{whole or 0}.{part or 0}e{exponent}"))
    word = re.match(r"[0-9A-Za-z.]*", text[at : at + 40])
    if word is not None and re.match(r"\s?(ms|[smhd])", text[at + loose.end() :].lower()):
        return likely(word[0])
    return f"{whole or 0}.{part}" if part else whole or None


def plain(value: float | Fraction) -> str:
    """Return *value* to twelve places, without an exponent and without idle zeros.

    >>> plain(5e-05)
    '0.00005'
    """
    return f"{float(value):.12f}".rstrip("0").rstrip(".")


def for_name(word: str) -> str | None:
    """Return the metric (or operator) that *word* probably means.

    >>> for_name("errorrate"), for_name("metrics.error_rate"), for_name("commandType.failed")
    ('errorRate', 'errorRate', 'commandType.failures')
    """
    if word in WORDS or len(word) > LONGEST_WORD:
        return WORDS.get(word)
    prefix = PREFIX if word.lower().startswith(PREFIX.lower()) and len(word) > len(PREFIX) else ""
    near = _near(word[len(prefix) :])
    return f"{prefix}{near}" if near in METRICS or near == SEVERITY_NAME else near


def _near(word: str) -> str | None:
    """Return the name nearest to *word*, looking at less and less of it from the left."""
    parts = word.split(".")[-4:]
    for first in range(len(parts)):
        bare = "".join(parts[first:]).replace("_", "").lower()
        known = _BARE.get(bare) or _OTHER_NAMES.get(bare)
        if known is not None:
            return known
    return _closest("".join(parts).lower(), _BARE)


def _closest(bare: str, names: Iterable[str]) -> str | None:
    """Return the name whose letters are nearest to *bare*, unless all are far."""
    near = get_close_matches(bare, names, n=1, cutoff=0.7)
    return _BARE[near[0]] if near else None
