"""Turn the tree of a condition into a closure, once its units fit."""

from __future__ import annotations

import operator as python
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final

from rules.metrics import SEVERITY_METRIC, Metric
from rules.suggestions import plain
from rules.tree import (
    Comparison,
    Joined,
    MetricName,
    Node,
    Not,
    Operator,
    Quoted,
    Ratio,
    SeverityName,
    start,
)
from rules.truth import Test, all_of, any_of, negated
from rules.units import Unit, are_comparable
from rules.values import Operand, Reckon, operand, total_of
from schemas.errors import RuleError
from schemas.events import Severity

Compare = Callable[[int, int], bool]

_COMPARE: Final[dict[Operator, Compare]] = {
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
_EXAMPLES: Final = {
    Unit.RATE: "> 0.05",
    Unit.COUNT: ">= 3",
    Unit.SEVERITY: '== "critical"',
}
"""What makes a condition of a bare value, for those who forgot it."""


def compile_tree(node: Node) -> Test:
    """Return the closure of a whole condition.

    Raises:
        RuleError: units do not fit, or the text alone decides; ``position`` is set.
    """
    match node:
        case Comparison():
            return _comparison(node)
        case Joined():
            parts = tuple([compile_tree(part) for part in node.parts])
            return all_of(parts) if node.operator is Operator.AND else any_of(parts)
        case Not():
            return negated(compile_tree(node.operand))
        case _:
            raise _no_condition(node)


def severities(node: Comparison) -> tuple[Severity, ...]:
    """Return the severities that make a comparison of ``incident.severity`` true.

    Raises:
        RuleError: it is ordered, or compared with something that is no severity.
    """
    other = node.right if isinstance(node.left, SeverityName) else node.left
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


def is_about_severity(node: Comparison) -> bool:
    """Return whether a comparison asks for ``incident.severity``."""
    return isinstance(node.left, SeverityName) or isinstance(node.right, SeverityName)


def _comparison(node: Comparison) -> Test:
    """Return the closure of a comparison, in a short form when one side is a bare metric."""
    if is_about_severity(node):
        return _severity(node)
    left, right = operand(node.left), operand(node.right)
    _check_comparison(node, left, right)
    if left.metric is not None and right.constant is not None:
        return _against(left.metric, _COMPARE[node.operator], right.constant)
    if right.metric is not None and left.constant is not None:
        return _against(right.metric, _COMPARE[_MIRRORED[node.operator]], left.constant)
    return _general(left.run, _COMPARE[node.operator], right.run)


def _against(metric: Metric, compare: Compare, limit: Ratio) -> Test:
    """Return the closure of a metric compared with a constant: the usual, and the fastest.

    ``a / b > p / q`` is ``a * q > p * b``, which whole numbers decide exactly.
    """
    above = total_of(metric.numerator)
    p, q = limit
    if metric.denominator is None:
        return lambda counts, least, window: compare(above(counts) * q, p)
    below = total_of(metric.denominator)

    def test(counts: Sequence[int], least: int, window: int) -> bool | None:
        samples = below(counts)
        if samples < least or not samples:
            return None
        return compare(above(counts) * q, p * samples)

    return test


def _general(left: Reckon, compare: Compare, right: Reckon) -> Test:
    """Return the closure of any two values compared."""

    def test(counts: Sequence[int], least: int, window: int) -> bool | None:
        one = left(counts, least, window)
        other = right(counts, least, window)
        if one is None or other is None:
            return None
        return compare(one[0] * other[1], other[0] * one[1])

    return test


def _severity(node: Comparison) -> Test:
    """Return the test whether the window holds an incident of the severities asked for."""
    metrics = [SEVERITY_METRIC[severity] for severity in severities(node)]
    found = total_of(tuple(column for metric in metrics for column in metric.numerator))
    return lambda counts, least, window: found(counts) > 0


def _check_comparison(node: Comparison, left: Operand, right: Operand) -> None:
    """Refuse what does not fit together, and what the text alone decides."""
    if not are_comparable(left.unit, right.unit):
        raise _not_comparable(node, left, right)
    if not (left.counts or right.counts):
        raise RuleError(
            "this comparison holds no metric: it would always say the same", position=node.at
        )
    _check_share(node.right, left, right)
    _check_share(node.left, right, left)


def _check_share(node: Node, rate: Operand, other: Operand) -> None:
    """Refuse a constant outside 0..1 against a rate: ``errorRate > 5`` means 5 %."""
    if rate.unit is not Unit.RATE or other.constant is None:
        return
    value = Fraction(*other.constant)
    if 0 <= value <= 1:
        return
    raise RuleError(
        f"a rate is between 0 and 1, and {plain(value)} is not",
        position=start(node),
        suggestion=plain(value / 100) if 1 < value <= 100 and other.unit is Unit.NUMBER else None,
    )


def _not_comparable(node: Comparison, left: Operand, right: Operand) -> RuleError:
    """Return the error for units that do not fit together."""
    if Unit.BOOLEAN in {left.unit, right.unit}:
        return RuleError(
            "a condition is not compared: join conditions with `and`, `or`, `not`",
            position=node.at,
            suggestion="and",
        )
    return RuleError(
        f"{left.unit.noun} cannot be compared with {right.unit.noun}",
        position=node.at,
        suggestion=_per_second(left, right) or _per_second(right, left),
    )


def _per_second(frequency: Operand, number: Operand) -> str | None:
    """Return a bare number as the frequency that it was meant as."""
    if frequency.unit is not Unit.FREQUENCY or number.unit is not Unit.NUMBER:
        return None
    return None if number.constant is None else f"{plain(Fraction(*number.constant))} / 1s"


def _named_severity(node: Node) -> Severity:
    """Return the severity that a string names.

    Raises:
        RuleError: it names none, or is no string.
    """
    text = node.text if isinstance(node, Quoted) else ""
    for severity in Severity:
        if severity.value == text:
            return severity
    near = next((s for s in Severity if s[:2] == text.strip().lower()[:2]), None)
    raise RuleError(
        "a severity is compared with " + ", ".join(f'"{severity}"' for severity in Severity),
        position=start(node),
        suggestion=f'"{near}"' if near else None,
    )


def _no_condition(node: Node) -> RuleError:
    """Return the error for a bare value where a condition should stand."""
    unit = operand(node).unit
    name = node.written if isinstance(node, MetricName | SeverityName) else None
    example = _EXAMPLES.get(unit)
    return RuleError(
        f"{unit.noun} is not a condition: compare it with something",
        position=start(node),
        suggestion=f"{name} {example}" if name and example else None,
    )
