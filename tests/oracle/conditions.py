"""Conditions as trees: written out for the engine, evaluated here without any parser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from schemas.tallies import Column, SampleClass

FAILURES: Final = (Column.FAILED, Column.TIMED_OUT)
ATTEMPTS: Final = (Column.SUCCEEDED, *FAILURES)
INCIDENTS: Final = (
    Column.INCIDENT_CRITICAL,
    Column.INCIDENT_HIGH,
    Column.INCIDENT_MEDIUM,
    Column.INCIDENT_LOW,
)

RATES: Final[dict[str, tuple[tuple[Column, ...], tuple[Column, ...]]]] = {
    "errorRate": (FAILURES, ATTEMPTS),
    "successRate": ((Column.SUCCEEDED,), ATTEMPTS),
    "rollbackRate": ((Column.ROLLED_BACK,), (Column.SUCCEEDED,)),
    "approvalRate": ((Column.APPROVED,), (Column.PROPOSED,)),
}
"""Numerator and denominator of each rate (contract §2)."""

COUNTS: Final[dict[str, tuple[Column, ...]]] = {
    "commandType.failures": FAILURES,
    "failures": FAILURES,
    "incidents.critical": (Column.INCIDENT_CRITICAL,),
    "constraintViolations": (Column.CONSTRAINT_VIOLATION,),
    "emergencyAborts": (Column.EMERGENCY_ABORT,),
}

SEVERITY: Final = "incident.severity"
SEVERITIES: Final = dict(zip(("critical", "high", "medium", "low"), INCIDENTS, strict=True))

EVIDENCE: Final[dict[str, SampleClass]] = {
    "errorRate": SampleClass.FAILURE,
    "successRate": SampleClass.FAILURE,
    "rollbackRate": SampleClass.ROLLBACK,
    "commandType.failures": SampleClass.FAILURE,
    "failures": SampleClass.FAILURE,
    "incidents.critical": SampleClass.INCIDENT,
    "constraintViolations": SampleClass.SAFETY,
    "emergencyAborts": SampleClass.SAFETY,
    SEVERITY: SampleClass.INCIDENT,
}
"""Which bad events a metric stands on; the metrics that are missing stand on none."""

_COMPARE: Final[dict[str, Callable[[Fraction, Fraction], bool]]] = {
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    "==": lambda left, right: left == right,
    "===": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
}

Sum = Callable[[tuple[Column, ...]], int]
"""How many events of some columns lie inside the window."""


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison; the threshold is text as people write it, or a severity."""

    metric: str
    op: str
    threshold: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; unknown stays unknown."""

    inner: Tree


@dataclass(frozen=True, slots=True)
class Both:
    """True when both are; false as soon as one is, whatever the other."""

    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Either:
    """True as soon as one is, whatever the other; false when both are."""

    left: Tree
    right: Tree


Tree = Term | Not | Both | Either


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric as it stood; ``denominator`` None for a count."""

    metric: str
    numerator: int
    denominator: int | None

    @property
    def samples(self) -> int:
        """How many events it stands on."""
        return self.numerator if self.denominator is None else self.denominator

    @property
    def value(self) -> float | int | None:
        """What is shown: a share, a count, or None for a share of nothing."""
        if self.denominator is None:
            return self.numerator
        return self.numerator / self.denominator if self.denominator else None


def written(tree: Tree) -> str:
    """Return the condition as a person would type it, in brackets where it matters.

    The words are in capitals and in small letters, since both mean the same.
    """
    match tree:
        case Term(metric, op, threshold):
            return f'{metric} {op} "{threshold}"' if metric == SEVERITY else _plain(tree)
        case Not(inner):
            return f"Not ({written(inner)})"
        case Both(left, right):
            return f"({written(left)}) AND ({written(right)})"
        case Either(left, right):
            return f"({written(left)}) or ({written(right)})"


def _plain(term: Term) -> str:
    """Return a comparison with a number."""
    return f"{term.metric} {term.op} {term.threshold}"


def terms(tree: Tree) -> Iterator[Term]:
    """Yield the comparisons from left to right."""
    match tree:
        case Term():
            yield tree
        case Not(inner):
            yield from terms(inner)
        case Both(left, right) | Either(left, right):
            yield from terms(left)
            yield from terms(right)


def shown(term: Term) -> str:
    """Return the name by which evidence shows a metric: the same number has one name."""
    if term.metric == SEVERITY:
        return f"incidents.{term.threshold}"
    return term.metric.removeprefix("commandType.")


def measure(term: Term, total: Sum) -> Measured:
    """Return the metric of *term* over a window."""
    if term.metric == SEVERITY:
        return Measured(shown(term), total((SEVERITIES[term.threshold],)), None)
    if term.metric in COUNTS:
        return Measured(shown(term), total(COUNTS[term.metric]), None)
    numerator, denominator = RATES[term.metric]
    return Measured(term.metric, total(numerator), total(denominator))


def readings(tree: Tree, total: Sum) -> list[Measured]:
    """Return each metric once, in order of first appearance."""
    return list({shown(term): measure(term, total) for term in terms(tree)}.values())


def holds(tree: Tree, total: Sum, min_samples: int) -> bool | None:
    """Return whether the condition is true, None when it cannot be known."""
    match tree:
        case Term():
            return _compare(tree, measure(tree, total), min_samples)
        case Not(inner):
            answer = holds(inner, total, min_samples)
            return None if answer is None else not answer
        case Both(left, right):
            answers = {holds(left, total, min_samples), holds(right, total, min_samples)}
            return False if False in answers else None if None in answers else True
        case Either(left, right):
            answers = {holds(left, total, min_samples), holds(right, total, min_samples)}
            return True if True in answers else None if None in answers else False


def _compare(term: Term, measured: Measured, min_samples: int) -> bool | None:
    """Return one comparison as exact fractions; a thin rate is unknown, a count never is."""
    if term.metric == SEVERITY:
        return measured.numerator > 0
    if measured.denominator is None:
        left = Fraction(measured.numerator)
    elif measured.denominator < max(min_samples, 1):
        return None
    else:
        left = Fraction(measured.numerator, measured.denominator)
    return _COMPARE[term.op](left, Fraction(term.threshold))
