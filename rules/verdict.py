"""What a condition says about a scope at one moment."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """Breach, ok, or not enough events to tell; the last never trips and never recovers."""

    BREACH = "breach"
    OK = "ok"
    INSUFFICIENT = "insufficient"
