"""Whether one condition holds wherever another does: proven from their formulas, or not at all.

    errorRate > 0.05 and attempts >= 20   is carried by   errorRate > 0.03 or failures >= 3

The left side is written as alternatives (any of which holds), the right side as demands (all of
which hold). It is proven when every alternative meets every demand, and an alternative meets a
demand when for one term no value, unknown included, lets the first hold and the second fail:

    unknown   0    0.03    0.05    1          errorRate, cut at every bound that is written
       ?      . . . |. . . . |. . . .         and a point between each two
                             ├──────          errorRate > 0.05 (the alternative)
                     ├──────────────          errorRate > 0.03 (the demand): meets it

Terms are taken to be independent of each other, so that what is proven holds on every log, and
what is not proven may hold all the same: ``errorRate > 0.5`` implies ``failures > 0``, and nobody
sees it here. A proof that would take too many steps is not proven either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, isfinite
from typing import Final

from rules.formulas import Atom, Formula, Term, opposite
from rules.tree import Operator

MAX_CLAUSES: Final = 256
"""Alternatives or demands that a condition may have: more is none that a person can read."""

MAX_PAIRS: Final = 2_000
"""Alternatives times demands that are looked at before giving up: some tens of ms."""

_UNKNOWN: Final = 1
"""The first bit of a mask of values; the points of the term's line follow."""

Clause = frozenset[Atom]


@dataclass(frozen=True, slots=True)
class Judged:
    """A formula as a rule judges it: over a window (ms), with a least number of samples."""

    formula: Formula
    window: int
    least: int

    def opposite(self) -> Judged:
        """Return the negation, judged alike."""
        return Judged(opposite(self.formula), self.window, self.least)


def carries(one: Judged, other: Judged, *, unknown_too: bool) -> bool:
    """Return whether it is proven that *other* is true whenever *one* is.

    With *unknown_too*, also that *other* is never false where *one* is unknown: then it is at
    least as true everywhere, in the order false, unknown, true.
    """
    if one == other:
        return True
    alternatives = _clauses(one.formula, Operator.OR)
    demands = _clauses(other.formula, Operator.AND)
    if alternatives is None or demands is None or len(alternatives) * len(demands) > MAX_PAIRS:
        return False
    lines = _lines([*alternatives, *demands])
    lefts = [_spans(clause, lines, every=True) for clause in alternatives]
    rights = [_spans(clause, lines, every=False) for clause in demands]
    proof = _Proof(one, other, lines)
    return all(
        proof.meets(left, right, is_unknown=is_unknown)
        for left in lefts
        for right in rights
        for is_unknown in ((False, True) if unknown_too else (False,))
    )


def _clauses(formula: Formula, spread: Operator) -> frozenset[Clause] | None:
    """Return the formula as clauses joined by *spread*, or None when they are too many."""
    if isinstance(formula, Atom):
        return frozenset({frozenset({formula})})
    found: frozenset[Clause] | None = None
    for part in formula.parts:
        clauses = _clauses(part, spread)
        if clauses is None:
            return None
        if found is None:
            found = clauses
        elif formula.operator is spread:
            found |= clauses
        elif len(found) * len(clauses) > MAX_PAIRS:
            return None
        else:
            found = frozenset(clause | more for clause in found for more in clauses)
        if len(found) > MAX_CLAUSES:
            return None
    return found


@dataclass(frozen=True, slots=True)
class _Line:
    """The values of a term as far as the atoms tell them apart: one point for each stretch."""

    term: Term
    points: tuple[Fraction, ...]

    @property
    def everything(self) -> int:
        """Return the mask of all values, unknown included where the term may be that."""
        known = sum(2 << index for index in range(len(self.points)))
        return known if self.term.is_growing else known | _UNKNOWN

    def mask(self, atom: Atom) -> int:
        """Return the mask of the values at which *atom* holds."""
        sides = ((point > atom.bound) - (point < atom.bound) for point in self.points)
        return sum(2 << index for index, side in enumerate(sides) if side in atom.sides)


def _lines(clauses: Iterable[Clause]) -> dict[Term, _Line]:
    """Return the line of each term that the clauses speak of."""
    bounds: dict[Term, set[Fraction]] = {}
    for clause in clauses:
        for atom in clause:
            bounds.setdefault(atom.term, set()).add(atom.bound)
    return {term: _Line(term, tuple(_points(term, cuts))) for term, cuts in bounds.items()}


def _points(term: Term, bounds: set[Fraction]) -> list[Fraction]:
    """Return, in order, a point of each stretch into which *bounds* cut the term's values."""
    ends = {Fraction(end) for end in (term.low, term.high) if isfinite(end)}
    cuts = sorted(bounds | ends)
    points = _wholes(cuts) if term.is_whole else _between(cuts)
    return [point for point in sorted(set(points)) if term.low <= point <= term.high]


def _wholes(cuts: list[Fraction]) -> Iterator[Fraction]:
    """Yield the whole numbers at, and next to, each cut."""
    for cut in cuts:
        yield from map(Fraction, (ceil(cut) - 1, floor(cut), ceil(cut), floor(cut) + 1))


def _between(cuts: list[Fraction]) -> Iterator[Fraction]:
    """Yield the cuts, a point between each two, and one beyond either end."""
    yield cuts[0] - 1
    yield from cuts
    yield from ((low + high) / 2 for low, high in pairwise(cuts))
    yield cuts[-1] + 1


_Spans = dict[Term, int]
"""For each term of a clause, the mask of the values at which its atoms hold."""


def _spans(clause: Clause, lines: dict[Term, _Line], *, every: bool) -> _Spans:
    """Return where *every* atom, or any, of each term of a clause holds."""
    spans: _Spans = {}
    for atom in clause:
        mask = lines[atom.term].mask(atom)
        before = spans.get(atom.term, mask)
        spans[atom.term] = before & mask if every else before | mask
    return spans


class _Proof:
    """What ties a term of the one side to the same term of the other."""

    def __init__(self, one: Judged, other: Judged, lines: dict[Term, _Line]) -> None:
        self.one = one
        self.other = other
        self.everything = {term: line.everything for term, line in lines.items()}

    def meets(self, left: _Spans, right: _Spans, *, is_unknown: bool) -> bool:
        """Return whether an alternative that holds makes a demand hold.

        With *is_unknown*: whether one that is not false makes the demand not false.
        """
        for term in left.keys() | right.keys():
            whole = self.everything[term]
            unknown = whole & _UNKNOWN
            held = left[term] | (unknown if is_unknown else 0) if term in left else whole
            failed = whole & ~right[term] if term in right else whole
            if term in right and is_unknown:
                failed &= ~unknown
            if not self._is_possible(term, held, failed):
                return True
        return False

    def _is_possible(self, term: Term, held: int, failed: int) -> bool:
        """Return whether the one may see a value of *held* while the other sees one of *failed*."""
        if not held or not failed:
            return False
        longer = self.other.window - self.one.window
        if longer and not term.is_growing:
            return True
        if longer > 0:
            return failed.bit_length() >= (held & -held).bit_length()
        if longer < 0:
            return held.bit_length() >= (failed & -failed).bit_length()
        if held & failed:
            return True
        fewer = self.one.least - self.other.least
        if not fewer or not term.has_rate:
            return False
        return bool((held if fewer > 0 else failed) & _UNKNOWN)
