"""Conditions as formulas: what is left of a tree when only its meaning counts.

    not (0.05 >= errorRate) and (failures > 2 || incident.severity == "critical")

    and ── errorRate > 0.05
     └──── or ── failures > 2
            └─── incidents.critical > 0

Two spellings of a comparison are one `Atom`: a term, a bound, and on which sides of the bound it
holds. ``not`` is pushed down to the atoms, where it turns the sides around; Kleene's truth allows
that, since unknown stays unknown. Of the arithmetic nothing is solved: a term is the same term
only where it is reckoned in the same steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Final

from rules.compiler import is_about_severity, severities
from rules.metrics import METRICS, SEVERITY_METRIC, Metric, Unit
from rules.tree import (
    Arithmetic,
    Comparison,
    Joined,
    MetricName,
    Negative,
    Node,
    Not,
    Operator,
    walk,
)
from rules.values import operand

Sides = frozenset[int]
"""Where a value may lie: -1 below the bound, 0 at it, 1 above it."""

_SIDES: Final[dict[Operator, Sides]] = {
    Operator.GREATER: frozenset({1}),
    Operator.AT_LEAST: frozenset({0, 1}),
    Operator.LESS: frozenset({-1}),
    Operator.AT_MOST: frozenset({-1, 0}),
    Operator.EQUAL: frozenset({0}),
    Operator.UNEQUAL: frozenset({-1, 1}),
}
_ANYWHERE: Final[Sides] = frozenset({-1, 0, 1})

_OTHER: Final = {Operator.AND: Operator.OR, Operator.OR: Operator.AND}


@dataclass(frozen=True, slots=True)
class Term:
    """A value that changes with what was counted; two with the same ``key`` always agree.

    It lies in ``low``..``high``. ``is_growing`` is whether more events never make it smaller;
    such a term is made of counts alone and never unknown, all others may be.
    """

    key: str
    low: float = -inf
    high: float = inf
    is_whole: bool = False
    is_growing: bool = False
    has_rate: bool = False


@dataclass(frozen=True, slots=True)
class Atom:
    """A comparison: holds while the term lies on one of the ``sides`` of the bound."""

    term: Term
    sides: Sides
    bound: Fraction


@dataclass(frozen=True, slots=True)
class Group:
    """Formulas of which all (``and``) or any (``or``) must hold."""

    operator: Operator
    parts: tuple[Formula, ...]


Formula = Atom | Group


def formula_of(tree: Node) -> Formula:
    """Return the formula of a condition's *tree*, which must have compiled."""
    match tree:
        case Not():
            return opposite(formula_of(tree.operand))
        case Joined():
            return Group(tree.operator, tuple([formula_of(part) for part in tree.parts]))
        case Comparison() if is_about_severity(tree):
            return _severity(tree)
        case Comparison():
            return _comparison(tree)
        case _:
            raise TypeError(f"no condition compiles from a {type(tree).__name__}")


def opposite(formula: Formula) -> Formula:
    """Return what is true where *formula* is false, and unknown where it is unknown."""
    if isinstance(formula, Atom):
        return Atom(formula.term, _ANYWHERE - formula.sides, formula.bound)
    return Group(_OTHER[formula.operator], tuple([opposite(part) for part in formula.parts]))


def _severity(node: Comparison) -> Formula:
    """Return the question for an incident as one for a count above 0, or for several such."""
    asked = [
        Atom(_metric(SEVERITY_METRIC[severity]), _SIDES[Operator.GREATER], Fraction(0))
        for severity in severities(node)
    ]
    return asked[0] if len(asked) == 1 else Group(Operator.OR, tuple(asked))


def _comparison(node: Comparison) -> Atom:
    """Return a comparison with the bound on the right; of two terms, the sign of a difference."""
    sides = _SIDES[node.operator]
    left, right = operand(node.left).constant, operand(node.right).constant
    if right is not None:
        return Atom(_term(node.left), sides, Fraction(*right))
    if left is not None:
        return Atom(_term(node.right), _mirrored(sides), Fraction(*left))
    one, other = _key(node.left), _key(node.right)
    if one > other:
        one, other, sides = other, one, _mirrored(sides)
    return Atom(
        _term(node, key=f"{one} <> {other}", low=-1, high=1, is_whole=True), sides, Fraction(0)
    )


def _mirrored(sides: Sides) -> Sides:
    """Return the sides as the other operand sees them: ``0.05 < x`` is ``x > 0.05``."""
    return frozenset(-side for side in sides)


def _term(
    node: Node,
    *,
    key: str | None = None,
    low: float = -inf,
    high: float = inf,
    is_whole: bool = False,
) -> Term:
    """Return the term that a value, or the comparison of two, stands for."""
    if isinstance(node, MetricName):
        return _metric(METRICS[node.metric])
    below = list(walk(node))
    return Term(
        key=_key(node) if key is None else key,
        low=low,
        high=high,
        is_whole=is_whole,
        is_growing=_is_growing(node),
        has_rate=any(isinstance(n, MetricName) and _is_rate(METRICS[n.metric]) for n in below),
    )


def _metric(metric: Metric) -> Term:
    """Return a metric of the catalogue; a rate of a part in its whole is at most 1."""
    if metric.denominator is None:
        return Term(metric.name, low=0, is_whole=True, is_growing=True)
    is_share = set(metric.numerator) <= set(metric.denominator)
    return Term(metric.name, low=0, high=1 if is_share else inf, has_rate=True)


def _is_rate(metric: Metric) -> bool:
    """Return whether a metric is unknown while it stands on too few samples."""
    return metric.unit is Unit.RATE


def _is_growing(node: Node) -> bool:
    """Return whether a value is a count, or a sum of counts and numbers."""
    if isinstance(node, MetricName):
        return not _is_rate(METRICS[node.metric])
    if isinstance(node, Arithmetic) and node.operator is Operator.PLUS:
        parts = (node.left, node.right)
        return all(_is_growing(part) or operand(part).constant is not None for part in parts)
    return False


def _key(node: Node) -> str:
    """Return how a value is reckoned, with sums and products in the order of the alphabet."""
    constant = operand(node).constant
    match node:
        case _ if constant is not None:
            return str(Fraction(*constant))
        case MetricName():
            return node.metric
        case Negative():
            return f"-{_key(node.operand)}"
        case Arithmetic():
            keys = [_key(node.left), _key(node.right)]
            if node.operator in {Operator.PLUS, Operator.TIMES}:
                keys.sort()
            return f"({keys[0]} {node.operator} {keys[1]})"
        case _:
            return "window"
