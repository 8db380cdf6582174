"""The values of a condition as closures, each with what it measures.

A rate is unknown (None) when its denominator is 0 or below the least number of samples; so is
what is reckoned from it, and what is divided by a value that turns out to be 0. A count is never
unknown: that nothing failed is a fact, however little was tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import isfinite
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
    SeverityName,
    WindowLength,
    start,
)
from rules.units import MEASURES, Unit, reckoned
from schemas.errors import RuleError
from schemas.tallies import Column

Reckon = Callable[[Sequence[int], int, int], float | None]
"""``(counts, least samples of a rate, window in ms)`` → a value, or None while it is unknown."""

Total = Callable[[Sequence[int]], int]
"""Counts → the sum of some of their columns."""


class Operand(NamedTuple):
    """A value: ``constant`` when the text alone decides it, ``metric`` when it is a bare one.

    ``counts`` is whether it depends on what was counted at all.
    """

    unit: Unit
    run: Reckon
    constant: float | None = None
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
            return _constant(Unit.DURATION, node.milliseconds / 1000)
        case WindowLength():
            return Operand(Unit.DURATION, lambda counts, least, window: window / 1000)
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
            unit, lambda counts, least, window: float(above(counts)), metric=metric, counts=True
        )
    below = total_of(metric.denominator)

    def run(counts: Sequence[int], least: int, window: int) -> float | None:
        samples = below(counts)
        return None if samples < least or not samples else above(counts) / samples

    return Operand(unit, run, metric=metric, counts=True)


def _nothing(counts: Sequence[int], least: int, window: int) -> None:
    """Stand for what has no value; never run, since its unit is refused first."""


def _constant(unit: Unit, value: float) -> Operand:
    """Return a value that the text alone decides."""
    return Operand(unit, lambda counts, least, window: value, constant=value)


def _negative(node: Negative) -> Operand:
    """Return a value with its sign changed; a rate is a plain number then."""
    inner = operand(node.operand)
    if inner.unit not in MEASURES:
        raise RuleError(f"{inner.unit.noun} has no sign", position=node.at)
    unit = Unit.NUMBER if inner.unit is Unit.RATE else inner.unit
    if inner.constant is not None:
        return _constant(unit, -inner.constant)

    def run(counts: Sequence[int], least: int, window: int) -> float | None:
        value = inner.run(counts, least, window)
        return None if value is None else -value

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
    if right.constant == 0 and node.operator is Operator.OVER:
        raise RuleError("nothing can be divided by zero", position=start(node.right))
    run = _RECKON[node.operator](left.run, right.run)
    if left.constant is None or right.constant is None:
        return Operand(unit, run, counts=left.counts or right.counts)
    value = run((), 0, 0)
    if value is None or not isfinite(value):
        raise RuleError("this number is too large", position=node.at)
    return _constant(unit, value)


def _sum(left: Reckon, right: Reckon) -> Reckon:
    """Return the sum; unknown if one of them is."""

    def run(counts: Sequence[int], least: int, window: int) -> float | None:
        one, other = left(counts, least, window), right(counts, least, window)
        return None if one is None or other is None else one + other

    return run


def _difference(left: Reckon, right: Reckon) -> Reckon:
    """Return the difference; unknown if one of them is."""

    def run(counts: Sequence[int], least: int, window: int) -> float | None:
        one, other = left(counts, least, window), right(counts, least, window)
        return None if one is None or other is None else one - other

    return run


def _product(left: Reckon, right: Reckon) -> Reckon:
    """Return the product; unknown if one of them is."""

    def run(counts: Sequence[int], least: int, window: int) -> float | None:
        one, other = left(counts, least, window), right(counts, least, window)
        return None if one is None or other is None else one * other

    return run


def _quotient(left: Reckon, right: Reckon) -> Reckon:
    """Return the quotient; unknown if one of them is, or if the divisor is 0."""

    def run(counts: Sequence[int], least: int, window: int) -> float | None:
        one, other = left(counts, least, window), right(counts, least, window)
        return None if one is None or not other else one / other

    return run


_RECKON: Final[dict[Operator, Callable[[Reckon, Reckon], Reckon]]] = {
    Operator.PLUS: _sum,
    Operator.MINUS: _difference,
    Operator.TIMES: _product,
    Operator.OVER: _quotient,
}
