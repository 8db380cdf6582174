"""Conditions as closures, and what ``and``, ``or`` and ``not`` make of them.

Truth is Kleene's: None is *unknown*.

    and  T F ?        or  T F ?        not
     T   T F ?         T  T T T         T → F
     F   F F F         F  T F ?         F → T
     ?   ? F ?         ?  T ? ?         ? → ?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Test = Callable[[Sequence[int], int, int], bool | None]
"""``(counts, least samples of a rate, window in ms)`` → whether the condition holds."""


def all_of(parts: tuple[Test, ...]) -> Test:
    """Return the conjunction of *parts*; one that is false settles it."""

    def test(counts: Sequence[int], least: int, window: int) -> bool | None:
        result: bool | None = True
        for part in parts:
            holds = part(counts, least, window)
            if holds is False:
                return False
            if holds is None:
                result = None
        return result

    return test


def any_of(parts: tuple[Test, ...]) -> Test:
    """Return the disjunction of *parts*; one that is true settles it."""

    def test(counts: Sequence[int], least: int, window: int) -> bool | None:
        result: bool | None = False
        for part in parts:
            holds = part(counts, least, window)
            if holds:
                return True
            if holds is None:
                result = None
        return result

    return test


def negated(part: Test) -> Test:
    """Return the opposite of *part*."""

    def test(counts: Sequence[int], least: int, window: int) -> bool | None:
        holds = part(counts, least, window)
        return None if holds is None else not holds

    return test
