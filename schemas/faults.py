"""Faults: what a model found wrong with a field, in words that say what to write instead.

Settings, requests, rules and records are all read by models; each tells its faults through here,
so that nobody has to read a regular expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

TOPIC_PREFIX: Final = r"^[A-Za-z0-9._-]{0,100}$"
WORKER_ID: Final = r"^[A-Za-z0-9._-]{1,200}$"
WORKER_GROUP: Final = r"^[A-Za-z0-9._-]{1,100}$"
METRICS_PREFIX: Final = r"^[a-z_][a-z0-9_]{0,60}$"
GROUP_BY: Final = r"^(overall|commandType|labels\.[A-Za-z0-9_.-]{1,64})$"
WEB_ADDRESS: Final = r"^https?://[^\s]+$"
PATH_PART: Final = r"^[^/]+$"

FORMS: Final[dict[str, str]] = {
    TOPIC_PREFIX: "write 100 or fewer of these: letters from A to Z, digits, '.', '_' and '-'",
    WORKER_ID: "write 1 to 200 of these: letters from A to Z, digits, '.', '_' and '-'",
    WORKER_GROUP: "write 1 to 100 of these: letters from A to Z, digits, '.', '_' and '-'",
    METRICS_PREFIX: "write 1 to 61 of these: small letters from a to z, '_', and after the first "
    "also digits",
    GROUP_BY: "write overall, commandType or labels.NAME, the name of a label in 1 to 64 of these: "
    "letters from A to Z, digits, '.', '_' and '-'",
    WEB_ADDRESS: "write an address that begins with http:// or https:// and holds no space",
    PATH_PART: "write it without '/'",
}
"""Every pattern that a model asks for, and what to write so that it fits."""


def fault_of(fault: Mapping[str, Any]) -> str:
    """Return what is wrong by *fault*, one of those that pydantic lists; nothing of the value.

    >>> fault_of({"type": "value_error", "msg": "Value error, write a moment"})
    'write a moment'
    >>> fault_of({"type": "too_short", "ctx": {"field_type": "Value", "min_length": 32}, "msg": ""})
    'write at least 32 characters'
    """
    context = fault.get("ctx", {})
    if fault["type"] == "string_pattern_mismatch" and context.get("pattern") in FORMS:
        return FORMS[context["pattern"]]
    if fault["type"] == "too_short" and context.get("field_type") == "Value":  # of a secret
        return f"write at least {context['min_length']} characters"
    return str(fault["msg"]).removeprefix("Value error, ")
