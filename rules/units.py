"""What a value measures, and what may be reckoned or compared with what.

    count / duration → frequency      frequency * duration → count      rate * count → count
    count / count    → number         anything * number    → itself     rate * number → number

A catalogue rate lies in 0..1. What is reckoned from rates by ``* number`` no longer needs to, so
it becomes a plain number, and only a bare rate is held to those bounds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from rules.tree import Operator


class Unit(StrEnum):
    """What a part of a condition is; frequencies are per second."""

    BOOLEAN = "condition"
    RATE = "rate"
    COUNT = "count"
    NUMBER = "number"
    FREQUENCY = "frequency"
    DURATION = "duration"
    SEVERITY = "severity"
    TEXT = "string"

    @property
    def noun(self) -> str:
        """Return the unit as it stands in a sentence."""
        return f"a {self.value}"


MEASURES: Final = frozenset({Unit.RATE, Unit.COUNT, Unit.NUMBER, Unit.FREQUENCY, Unit.DURATION})
"""What can be reckoned with."""

_PRODUCTS: Final = {
    (Unit.NUMBER, Unit.NUMBER): Unit.NUMBER,
    (Unit.NUMBER, Unit.RATE): Unit.NUMBER,
    (Unit.NUMBER, Unit.COUNT): Unit.COUNT,
    (Unit.NUMBER, Unit.FREQUENCY): Unit.FREQUENCY,
    (Unit.NUMBER, Unit.DURATION): Unit.DURATION,
    (Unit.RATE, Unit.RATE): Unit.RATE,
    (Unit.RATE, Unit.COUNT): Unit.COUNT,
    (Unit.RATE, Unit.FREQUENCY): Unit.FREQUENCY,
    (Unit.FREQUENCY, Unit.DURATION): Unit.COUNT,
}
_QUOTIENTS: Final = {
    (Unit.NUMBER, Unit.NUMBER): Unit.NUMBER,
    (Unit.RATE, Unit.NUMBER): Unit.NUMBER,
    (Unit.RATE, Unit.RATE): Unit.NUMBER,
    (Unit.COUNT, Unit.NUMBER): Unit.COUNT,
    (Unit.COUNT, Unit.COUNT): Unit.NUMBER,
    (Unit.COUNT, Unit.DURATION): Unit.FREQUENCY,
    (Unit.NUMBER, Unit.DURATION): Unit.FREQUENCY,
    (Unit.FREQUENCY, Unit.NUMBER): Unit.FREQUENCY,
    (Unit.FREQUENCY, Unit.FREQUENCY): Unit.NUMBER,
    (Unit.DURATION, Unit.NUMBER): Unit.DURATION,
    (Unit.DURATION, Unit.DURATION): Unit.NUMBER,
}
_SUMS: Final = {
    **{(unit, unit): unit for unit in MEASURES},
    (Unit.RATE, Unit.RATE): Unit.NUMBER,
    (Unit.NUMBER, Unit.RATE): Unit.NUMBER,
    (Unit.NUMBER, Unit.COUNT): Unit.COUNT,
}
_COMPARABLE: Final = frozenset(
    {(unit, unit) for unit in MEASURES} | {(Unit.NUMBER, Unit.RATE), (Unit.NUMBER, Unit.COUNT)}
)


def reckoned(operator: Operator, left: Unit, right: Unit) -> Unit | None:
    """Return what ``left operator right`` measures, or None when it is nonsense."""
    if operator is Operator.OVER:
        return _QUOTIENTS.get((left, right))
    table = _PRODUCTS if operator is Operator.TIMES else _SUMS
    return table.get((left, right)) or table.get((right, left))


def are_comparable(left: Unit, right: Unit) -> bool:
    """Return whether one may be compared with the other."""
    return (left, right) in _COMPARABLE or (right, left) in _COMPARABLE
