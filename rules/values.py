"""The values of a condition as closures, each with what it measures.

A rate is unknown (None) when its denominator is 0 or below the least number of samples; so is
what is reckoned from it, and what is divided by a value that turns out to be 0. A count is never
unknown: that nothing failed is a fact, however little was tried.

Values are exact: pairs of whole numbers, so that 7 of 100 is not more than 7 per cent however a
rule reckons it. Fractions are not brought to lowest terms, which costs more than it saves: what a
condition's length allows stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from operator import itemgetter
from typing import Final, NamedTuple

from rules.metrics import METRICS, Metric
from rules.tree import (
    Arithmetic,
    Length,
    MetricName,
    Negative,
    Node,
    Number,
    Operator,
    Quoted,
    Ratio,
    SeverityName,
    WindowLength,
    start,
)
from rules.units import MEASURES, Unit, reckoned
from schemas.errors import RuleError
from schemas.tallies import Column

Reckon = Callable[[Sequence[int], int, int], Ratio | None]
"""``(counts, least samples of a rate, window in ms)`` → a value, or None while it is unknown."""

Total = Callable[[Sequence[int]], int]
"""Counts → the sum of some of their columns."""

_LARGEST: Final = 10**300
"""The largest number that a condition may write: what shows a limit as a float can show it."""


class Operand(NamedTuple):
    """A value: ``constant`` when the text alone decides it, ``metric`` when it is a bare one.

    ``counts`` is whether it depends on what was counted at all.
    """

    unit: Unit
    run: Reckon
    constant: Ratio | None = None
    metric: Metric | None = None
    counts: bool = False


def operand(node: Node) -> Operand:
    """Return the value that a tree stands for.

    Raises:
        RuleError: it reckons with what does not fit together; ``position`` is set.
    """
    match node:
        case MetricName():
            return _metric(node.metric)
        case Number():
            return _constant(Unit.RATE if node.is_share else Unit.NUMBER, node.value)
        case Arithmetic():
            return _arithmetic(node)
        case Negative():
            return _negative(node)
        case Length():
            return _constant(Unit.DURATION, (node.milliseconds, 1000))
        case WindowLength():
            return Operand(Unit.DURATION, lambda counts, least, window: (window, 1000))
        case SeverityName():
            return Operand(Unit.SEVERITY, _nothing)
        case Quoted():
            return Operand(Unit.TEXT, _nothing)
        case _:
            return Operand(Unit.BOOLEAN, _nothing)


@cache
def total_of(columns: tuple[Column, ...]) -> Total:
    """Return the sum of *columns* as a function of the counts."""
    match tuple(int(column) for column in columns):
        case (only,):
            return itemgetter(only)
        case (first, second):
            return lambda counts: counts[first] + counts[second]
        case (first, second, third):
            return lambda counts: counts[first] + counts[second] + counts[third]
        case indices:
            return lambda counts: sum(counts[index] for index in indices)


@cache
def _metric(name: str) -> Operand:
    """Return a metric, unknown while it is a rate that stands on too little."""
    metric = METRICS[name]
    above, unit = total_of(metric.numerator), Unit(metric.unit.value)
    if metric.denominator is None:
        return Operand(
            unit, lambda counts, least, window: (above(counts), 1), metric=metric, counts=True
        )
    below = total_of(metric.denominator)

    def run(counts: Sequence[int], least: int, window: int) -> Ratio | None:
        samples = below(counts)
        return None if samples < least or not samples else (above(counts), samples)

    return Operand(unit, run, metric=metric, counts=True)


def _nothing(counts: Sequence[int], least: int, window: int) -> None:
    """Stand for what has no value; never run, since its unit is refused first."""


def _constant(unit: Unit, value: Ratio) -> Operand:
    """Return a value that the text alone decides."""
    return Operand(unit, lambda counts, least, window: value, constant=value)


def _negative(node: Negative) -> Operand:
    """Return a value with its sign changed; a rate is a plain number then."""
    inner = operand(node.operand)
    if inner.unit not in MEASURES:
        raise RuleError(f"{inner.unit.noun} has no sign", position=node.at)
    unit = Unit.NUMBER if inner.unit is Unit.RATE else inner.unit
    if inner.constant is not None:
        return _constant(unit, (-inner.constant[0], inner.constant[1]))

    def run(counts: Sequence[int], least: int, window: int) -> Ratio | None:
        value = inner.run(counts, least, window)
        return None if value is None else (-value[0], value[1])

    return Operand(unit, run, counts=inner.counts)


def _arithmetic(node: Arithmetic) -> Operand:
    """Return what two values make; two constants are reckoned at once."""
    left, right = operand(node.left), operand(node.right)
    unit = reckoned(node.operator, left.unit, right.unit)
    if unit is None:
        raise RuleError(
            f"{left.unit.noun} {node.operator} {right.unit.noun} measures nothing",
            position=node.at,
        )
    if right.constant and not right.constant[0] and node.operator is Operator.OVER:
        raise RuleError("nothing can be divided by zero", position=start(node.right))
    run = _RECKON[node.operator](left.run, right.run)
    if left.constant is None or right.constant is None:
        return Operand(unit, run, counts=left.counts or right.counts)
    value = run((), 0, 0)
    if value is None or abs(value[0]) > _LARGEST * value[1]:
        raise RuleError("this number is too large", position=node.at)
    return _constant(unit, value)


def _sum(left: Reckon, right: Reckon) -> Reckon:
    """Return the sum; unknown if one of them is."""

    def run(counts: Sequence[int], least: int, window: int) -> Ratio | None:
        one, other = left(counts, least, window), right(counts, least, window)
        if one is None or other is None:
            return None
        return one[0] * other[1] + other[0] * one[1], one[1] * other[1]

    return run


def _difference(left: Reckon, right: Reckon) -> Reckon:
    """Return the difference; unknown if one of them is."""

    def run(counts: Sequence[int], least: int, window: int) -> Ratio | None:
        one, other = left(counts, least, window), right(counts, least, window)
        if one is None or other is None:
            return None
        return one[0] * other[1] - other[0] * one[1], one[1] * other[1]

    return run


def _product(left: Reckon, right: Reckon) -> Reckon:
    """Return the product; unknown if one of them is."""

    def run(counts: Sequence[int], least: int, window: int) -> Ratio | None:
        one, other = left(counts, least, window), right(counts, least, window)
        if one is None or other is None:
            return None
        return one[0] * other[0], one[1] * other[1]

    return run


def _quotient(left: Reckon, right: Reckon) -> Reckon:
    """Return the quotient; unknown if one of them is, or if the divisor is 0."""

    def run(counts: Sequence[int], least: int, window: int) -> Ratio | None:
        one, other = left(counts, least, window), right(counts, least, window)
        if one is None or other is None or not other[0]:
            return None
        above, below = one[0] * other[1], one[1] * other[0]
        return (above, below) if below > 0 else (-above, -below)

    return run


_RECKON: Final[dict[Operator, Callable[[Reckon, Reckon], Reckon]]] = {
    Operator.PLUS: _sum,
    Operator.MINUS: _difference,
    Operator.TIMES: _product,
    Operator.OVER: _quotient,
}
