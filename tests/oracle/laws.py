"""What people decided, and from when: rule versions, resolutions, epochs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from schemas.governance import ProtectionRecord, ResolutionRecord, StateRecord
from schemas.rules import Rule, RuleVersion
from schemas.tallies import OVERALL
from tests.oracle.conditions import Tree, terms

_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
MINUTE: Final = 60_000
HOUR: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Law:
    """A rule version with the trees that its conditions were written from.

    ``tree`` is None if the rule was deleted, ``recovery`` if it has no ``recoverWhen``.
    """

    version: RuleVersion
    tree: Tree | None
    recovery: Tree | None = None

    @property
    def rule(self) -> Rule:
        """The rule of a version that was not deleted."""
        assert self.version.rule is not None
        return self.version.rule

    @property
    def is_judged(self) -> bool:
        """Whether anything is evaluated while this version is in force."""
        return self.version.rule is not None and self.version.rule.enabled

    @property
    def dimension(self) -> str:
        """What the rule keeps one breaker for."""
        assert self.tree is not None
        if self.rule.group_by is not None:
            return self.rule.group_by
        typed = any(term.metric.startswith("commandType.") for term in terms(self.tree))
        return "commandType" if typed else "overall"

    @property
    def window(self) -> Window:
        """The rule's window."""
        return Window(length(self.rule.window))


@dataclass(frozen=True, slots=True)
class Window:
    """A window of ``length`` ms, in panes of a second, a minute or an hour."""

    length: int

    @property
    def pane(self) -> int:
        """Milliseconds in a pane of this window."""
        if self.length <= 15 * MINUTE:
            return 1_000
        return MINUTE if self.length <= 24 * HOUR else HOUR

    @property
    def panes(self) -> int:
        """How many panes are inside."""
        return -(-self.length // self.pane)

    def oldest(self, at: int) -> int:
        """Return the number of the oldest pane that is inside at *at*."""
        return at // self.pane - self.panes + 1

    def start(self, at: int) -> int:
        """Return where the window that ends at *at* begins (ms)."""
        return self.oldest(at) * self.pane

    def leaves(self, moment: int) -> int:
        """Return the first moment at which an event of *moment* (ms) is no longer inside."""
        return (moment // self.pane + self.panes) * self.pane


def length(text: str) -> int:
    """Return a written duration in ms."""
    return int(text[:-1]) * _UNITS[text[-1]]


def dimension(scope: str) -> str:
    """Return what a scope groups by."""
    return "overall" if scope == OVERALL else scope.split("=", 1)[0]


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that people decided."""

    laws: Sequence[Law] = ()
    resolutions: Sequence[ResolutionRecord] = ()
    states: Sequence[StateRecord] = ()
    protections: Sequence[ProtectionRecord] = ()

    def names(self) -> list[str]:
        """Return the names of all rules that ever were."""
        return sorted({law.version.name for law in self.laws})

    def versions(self, name: str) -> list[Law]:
        """Return the versions of a rule in the order in which they take effect."""
        mine = (law for law in self.laws if law.version.name == name)
        return sorted(mine, key=lambda law: (law.version.effective_from, law.version.version))

    def in_force(self, name: str, at: int) -> Law | None:
        """Return the version of a rule that is in force at *at*, None before the first."""
        past = [law for law in self.versions(name) if law.version.effective_from <= at]
        return past[-1] if past else None

    def epoch(self, at: int) -> int | None:
        """Return the greatest autonomy epoch in force at *at*."""
        past = (state.autonomy_epoch for state in self.states if state.effective_from <= at)
        return max(past, default=None)

    def with_resolutions(self, more: Iterable[ResolutionRecord]) -> Book:
        """Return a book in which people resolved some more trips."""
        return replace(self, resolutions=(*self.resolutions, *more))

    def protected(self, at: int) -> frozenset[str]:
        """Return the command types that keep scopes of their own at *at*."""
        past = [one for one in self.protections if one.effective_from <= at]
        newest = max(past, key=lambda one: (one.effective_from, one.version), default=None)
        return frozenset(newest.command_types if newest else ())


class Groupings:
    """Which labels are counted by, as a function of the clock."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._turns = sorted({law.version.effective_from for law in book.laws})
        self._memory: dict[int, frozenset[str]] = {}

    def __call__(self, clock: int) -> frozenset[str]:
        """Return the names of the labels that the rules in force at *clock* group by."""
        turn = max((moment for moment in self._turns if moment <= clock), default=-1)
        if turn not in self._memory:
            self._memory[turn] = frozenset(self._names(turn))
        return self._memory[turn]

    def _names(self, at: int) -> Iterable[str]:
        """Yield the labels grouped by at *at*."""
        for name in self._book.names():
            law = self._book.in_force(name, at)
            if law is not None and law.is_judged and law.dimension.startswith("labels."):
                yield law.dimension.removeprefix("labels.")
