"""Turn the tree of a condition into a closure, once its units fit.

A closure takes a window's counts, the least number of samples that a rate must stand on, and the
window's length in milliseconds. Truth is Kleene's: None is *unknown*.

                and  T F ?        or  T F ?        not
                 T   T F ?         T  T T T         T → F
                 F   F F F         F  T F ?         F → T
                 ?   ? F ?         ?  T ? ?         ? → ?

A rate is unknown when its denominator is 0 or below the least number of samples; so is what is
reckoned from it, and what is divided by a value that turns out to be 0. A count is never
unknown: nothing having failed is a fact, however little was tried.
"""

from __future__ import annotations

import operator as python
from collections.abc import Callable, Sequence
from math import isfinite
from operator import itemgetter
from typing import Final, NamedTuple

from rules.metrics import METRICS, SEVERITY_METRIC, Metric
from rules.suggestions import plain
from rules.tree import (
    Arithmetic,
    Comparison,
    Joined,
    Length,
    MetricName,
    Negative,
    Node,
    Not,
    Number,
    Operator,
    Quoted,
    SeverityName,
    WindowLength,
)
from rules.units import MEASURES, Unit, are_comparable, reckoned
from schemas.errors import RuleError
from schemas.events import Severity
from schemas.tallies import Column

Test = Callable[[Sequence[int], int, int], bool | None]
"""``(counts, least samples, window in ms)`` → whether the condition holds; None is unknown."""

Reckon = Callable[[Sequence[int], int, int], float | None]
"""The same arguments → a value, or None while it is unknown."""

Total = Callable[[Sequence[int]], int]
"""Counts → the sum of some of their columns."""

_COMPARE: Final[dict[Operator, Callable[[float, float], bool]]] = {
    Operator.GREATER: python.gt,
    Operator.AT_LEAST: python.ge,
    Operator.LESS: python.lt,
    Operator.AT_MOST: python.le,
    Operator.EQUAL: python.eq,
    Operator.UNEQUAL: python.ne,
}
_MIRRORED: Final = {
    Operator.GREATER: Operator.LESS,
    Operator.AT_LEAST: Operator.AT_MOST,
    Operator.LESS: Operator.GREATER,
    Operator.AT_MOST: Operator.AT_LEAST,
    Operator.EQUAL: Operator.EQUAL,
    Operator.UNEQUAL: Operator.UNEQUAL,
}


class Operand(NamedTuple):
    """A part of a comparison: ``constant`` is its value when the text alone decides it."""

    unit: Unit
    run: Reckon
    constant: float | None = None
    metric: Metric | None = None


def compile_tree(node: Node) -> Test:
    """Return the closure of a whole condition.

    Raises:
        RuleError: units do not fit, or the text alone decides; ``position`` is set.
    """
    match node:
        case Joined():
            parts = tuple(compile_tree(part) for part in node.parts)
            return all_of(parts) if node.operator is Operator.AND else any_of(parts)
        case Not():
            return negated(compile_tree(node.operand))
        case Comparison():
            return _comparison(node)
        case _:
            raise _no_condition(node)


def all_of(parts: tuple[Test, ...]) -> Test:
    """Return the Kleene conjunction of *parts*."""

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
    """Return the Kleene disjunction of *parts*."""

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
    """Return the Kleene opposite of *part*."""

    def test(counts: Sequence[int], least: int, window: int) -> bool | None:
        holds = part(counts, least, window)
        return None if holds is None else not holds

    return test


def total_of(columns: tuple[Column, ...]) -> Total:
    """Return the sum of *columns* as a function of the counts."""
    match columns:
        case (only,):
            return itemgetter(int(only))
        case (first, second):
            i, j = int(first), int(second)
            return lambda counts: counts[i] + counts[j]
        case (first, second, third):
            i, j, k = int(first), int(second), int(third)
            return lambda counts: counts[i] + counts[j] + counts[k]
        case _:
            indices = tuple(int(column) for column in columns)
            return lambda counts: sum(counts[index] for index in indices)


# ------------------------------------------------------------------------------- comparisons


def _comparison(node: Comparison) -> Test:
    """Return the closure of a comparison, in a short form when one side is a bare metric."""
    if isinstance(node.left, SeverityName) or isinstance(node.right, SeverityName):
        return _severity(node)
    left, right = _operand(node.left), _operand(node.right)
    _check_comparison(node, left, right)
    if left.metric is not None and right.constant is not None:
        return _against(left.metric, node.operator, right.constant)
    if right.metric is not None and left.constant is not None:
        return _against(right.metric, _MIRRORED[node.operator], left.constant)
    return _general(left.run, _COMPARE[node.operator], right.run)


def _against(metric: Metric, operator: Operator, limit: float) -> Test:
    """Return the closure of a metric compared with a constant: the usual, and the fastest."""
    above, compare = total_of(metric.numerator), _COMPARE[operator]
    if metric.denominator is None:
        return lambda counts, least, window: compare(above(counts), limit)
    below = total_of(metric.denominator)

    def test(counts: Sequence[int], least: int, window: int) -> bool | None:
        samples = below(counts)
        if samples < least or not samples:
            return None
        return compare(above(counts) / samples, limit)

    return test


def _general(left: Reckon, compare: Callable[[float, float], bool], right: Reckon) -> Test:
    """Return the closure of any two values compared; a value beyond all floats is unknown."""

    def test(counts: Sequence[int], least: int, window: int) -> bool | None:
        one = left(counts, least, window)
        other = right(counts, least, window)
        if one is None or other is None or not (isfinite(one) and isfinite(other)):
            return None
        return compare(one, other)

    return test


def _check_comparison(node: Comparison, left: Operand, right: Operand) -> None:
    """Refuse what does not fit together, and what the text alone decides."""
    if not are_comparable(left.unit, right.unit):
        raise _not_comparable(node, left, right)
    if left.constant is not None and right.constant is not None:
        raise RuleError(
            "this comparison holds no metric: it would always say the same", position=node.at
        )
    _check_share(node.right, left, right)
    _check_share(node.left, right, left)


def _check_share(node: Node, rate: Operand, other: Operand) -> None:
    """Refuse a constant outside 0..1 against a rate: ``errorRate > 5`` means 5 %."""
    value = other.constant
    if rate.unit is not Unit.RATE or value is None or 0 <= value <= 1:
        return
    raise RuleError(
        f"a rate is between 0 and 1, and {plain(value)} is not",
        position=_start(node),
        suggestion=plain(value / 100) if 1 < value <= 100 else None,
    )


def _not_comparable(node: Comparison, left: Operand, right: Operand) -> RuleError:
    """Return the error for units that do not fit together."""
    suggestion = None
    for one, other in ((left, right), (right, left)):
        if one.unit is Unit.FREQUENCY and other.unit is Unit.NUMBER and other.constant is not None:
            suggestion = f"{plain(other.constant)} / 1s"
    if Unit.BOOLEAN in {left.unit, right.unit}:
        return RuleError(
            "a condition is not compared; join conditions with `and`, `or`, `not`",
            position=node.at,
            suggestion="and",
        )
    return RuleError(
        f"{left.unit.noun} cannot be compared with {right.unit.noun}",
        position=node.at,
        suggestion=suggestion,
    )


# ---------------------------------------------------------------------------------- severity


def severities(node: Comparison) -> tuple[Severity, ...]:
    """Return the severities that make a comparison of ``incident.severity`` true.

    Raises:
        RuleError: it is ordered, or compared with something that is no severity.
    """
    other = node.right if isinstance(node.left, SeverityName) else node.left
    if not isinstance(other, Quoted):
        raise RuleError(
            "a severity is compared with one of "
            + ", ".join(f'"{severity}"' for severity in Severity),
            position=_start(other),
            suggestion='"critical"',
        )
    named = _named_severity(other)
    match node.operator:
        case Operator.EQUAL:
            return (named,)
        case Operator.UNEQUAL:
            return tuple(severity for severity in Severity if severity is not named)
        case _:
            raise RuleError(
                "severities are compared with == and != only",
                position=node.at,
                suggestion=f"incidents.{named} > 0",
            )


def _named_severity(node: Quoted) -> Severity:
    """Return the severity that a string names."""
    for severity in Severity:
        if severity.value == node.text:
            return severity
    near = next((s for s in Severity if s[:2] == node.text.strip().lower()[:2]), None)
    raise RuleError(
        f"{node.text[:64]!r} is not a severity: write critical, high, medium or low",
        position=node.at,
        suggestion=f'"{near}"' if near else None,
    )


def _severity(node: Comparison) -> Test:
    """Return the test whether the window holds an incident of the severities asked for."""
    columns = tuple(
        column for severity in severities(node) for column in SEVERITY_METRIC[severity].numerator
    )
    found = total_of(columns)
    return lambda counts, least, window: found(counts) > 0


# ------------------------------------------------------------------------------------ values


def _operand(node: Node) -> Operand:
    """Return a value with what it measures."""
    match node:
        case Number():
            return _constant(Unit.RATE if node.is_share else Unit.NUMBER, node.value)
        case Length():
            return _constant(Unit.DURATION, node.milliseconds / 1000)
        case WindowLength():
            return Operand(Unit.DURATION, lambda counts, least, window: window / 1000)
        case MetricName():
            metric = METRICS[node.metric]
            return Operand(Unit(metric.unit.value), _metric(metric), metric=metric)
        case Negative():
            return _negative(node)
        case Arithmetic():
            return _arithmetic(node)
        case SeverityName():
            return Operand(Unit.SEVERITY, _nothing)
        case Quoted():
            return Operand(Unit.TEXT, _nothing)
        case Comparison() | Joined() | Not():
            compile_tree(node)
            return Operand(Unit.BOOLEAN, _nothing)


def _nothing(counts: Sequence[int], least: int, window: int) -> None:
    """Stand for what has no value; never run, since its unit is refused first."""


def _constant(unit: Unit, value: float) -> Operand:
    """Return a value that the text alone decides."""
    return Operand(unit, lambda counts, least, window: value, constant=value)


def _metric(metric: Metric) -> Reckon:
    """Return the value of a metric, None while a rate stands on too little."""
    above = total_of(metric.numerator)
    if metric.denominator is None:
        return lambda counts, least, window: float(above(counts))
    below = total_of(metric.denominator)

    def run(counts: Sequence[int], least: int, window: int) -> float | None:
        samples = below(counts)
        return None if samples < least or not samples else above(counts) / samples

    return run


def _negative(node: Negative) -> Operand:
    """Return a value with its sign changed; a rate is a plain number then."""
    inner = _operand(node.operand)
    if inner.unit not in MEASURES:
        raise RuleError(f"{inner.unit.noun} has no sign", position=node.at)
    unit = Unit.NUMBER if inner.unit is Unit.RATE else inner.unit
    if inner.constant is not None:
        return _constant(unit, -inner.constant)

    def run(counts: Sequence[int], least: int, window: int) -> float | None:
        value = inner.run(counts, least, window)
        return None if value is None else -value

    return Operand(unit, run)


def _arithmetic(node: Arithmetic) -> Operand:
    """Return what two values make; two constants are reckoned at once."""
    left, right = _operand(node.left), _operand(node.right)
    unit = reckoned(node.operator, left.unit, right.unit)
    if unit is None:
        raise RuleError(
            f"{left.unit.noun} {node.operator} {right.unit.noun} measures nothing",
            position=node.at,
        )
    if right.constant == 0 and node.operator is Operator.OVER:
        raise RuleError("nothing can be divided by zero", position=_start(node.right))
    run = _RECKON[node.operator](left.run, right.run)
    if left.constant is None or right.constant is None:
        return Operand(unit, run)
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


def _start(node: Node) -> int:
    """Return where the text of a node begins (an opening parenthesis aside)."""
    while isinstance(node, Arithmetic | Comparison):
        node = node.left
    return _start(node.parts[0]) if isinstance(node, Joined) else node.at


def _no_condition(node: Node) -> RuleError:
    """Return the error for a bare value where a condition should stand."""
    operand = _operand(node)
    example = {
        Unit.RATE: "> 0.05",
        Unit.COUNT: ">= 3",
        Unit.SEVERITY: '== "critical"',
    }.get(operand.unit)
    name = node.written if isinstance(node, MetricName | SeverityName) else None
    return RuleError(
        f"{operand.unit.noun} is not a condition: compare it with something",
        position=_start(node),
        suggestion=f"{name} {example}" if name and example else None,
    )
