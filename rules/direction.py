"""Whether a change tightens a rule, loosens it or keeps it: what may be done alone, and what not.

A rule is tighter than another if, on every log, its breaker is open at least whenever the other's
is, and acts and alerts at least as strongly. `direction` says so only where that is proven; what
cannot be compared counts as looser, so that nobody weakens a rule by writing it obscurely.

    before ─┐            ┌─ is after as tight as before? ─┐    yes, no  → tighter
            ├─► meaning ─┤                                ├─►  yes, yes → same
    after  ─┘            └─ is before as tight as after? ─┘    no       → looser

Each field has its own order, but condition, window, minSamples and recoverWhen are judged
together, as they only mean something together. `docs/rules.md` shows what to expect. A disabled
rule is compared as if it were enabled: else it could be weakened while nobody looks. Escalation
is the policy of the installation and not of a rule: it is not considered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Final

from rules.formulas import Atom, Formula, Group, formula_of
from rules.implication import Judged, carries
from rules.live import LiveRule, check_rule
from rules.metrics import METRICS
from rules.suggestions import plain, shown
from schemas.errors import RuleError
from schemas.events import Severity
from schemas.rules import Action, Rule

SEVERITIES: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
"""The severities from the mildest to the worst."""

LONGEST_SHOWN: Final = 160
"""Characters of a condition that a reason shows: an audit log has the whole rule besides."""


class Direction(StrEnum):
    """Where a change leads."""

    TIGHTER = "tighter"
    LOOSER = "looser"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Change:
    """Where a change leads, and the fields that decided that, in words for people."""

    direction: Direction
    reasons: tuple[str, ...] = ()


def direction(before: Rule | None, after: Rule | None) -> Direction:
    """Return whether a change makes a rule tighter or looser; None is a rule that is not there.

    Never raises: a rule that cannot go live cannot be compared either, and counts as looser.
    """
    if before is None or after is None or before == after:
        return _coming_or_going(before, after).direction
    try:
        return _Pair(before, after).direction()
    except RuleError:
        return Direction.LOOSER


def change(before: Rule | None, after: Rule | None) -> Change:
    """Return the `direction` of a change, and why; never raises either."""
    if before is None or after is None or before == after:
        return _coming_or_going(before, after)
    try:
        pair = _Pair(before, after)
    except RuleError as error:
        return Change(Direction.LOOSER, (f"cannot be compared: {error.field}: {error.problem}",))
    leads = pair.direction()
    return Change(leads, pair.reasons(leads))


def _coming_or_going(before: Rule | None, after: Rule | None) -> Change:
    """Return the change of a rule that is added, deleted or left alone."""
    if before == after:
        return Change(Direction.SAME)
    added, deleted = Change(Direction.TIGHTER, ("added",)), Change(Direction.LOOSER, ("deleted",))
    return added if before is None else deleted


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a rule does, however it is written; the fields are named as people know them."""

    name: str
    enabled: bool
    condition: Formula
    window: int
    action: Action
    alert_severity: Severity
    group_by: str
    for_: int
    keep_firing_for: int
    recover_when: Formula | None
    min_samples: int

    @property
    def breach(self) -> Judged:
        """Return the condition as this rule judges it."""
        return Judged(self.condition, self.window, self.min_samples)

    @property
    def recovery(self) -> Judged:
        """Return what lets an alert close: without ``recoverWhen`` that the condition is false."""
        if self.recover_when is None:
            return self.breach.opposite()
        return Judged(self.recover_when, self.window, self.min_samples)


def _meaning(live: LiveRule) -> _Meaning:
    """Return what a rule does."""
    return _Meaning(
        name=live.name,
        enabled=live.rule.enabled,
        condition=formula_of(live.condition.tree),
        window=live.window,
        action=live.rule.action,
        alert_severity=live.rule.alert_severity,
        group_by=live.dimension,
        for_=live.for_,
        keep_firing_for=live.keep_firing_for,
        recover_when=None if live.recover is None else formula_of(live.recover.tree),
        min_samples=live.min_samples,
    )


def _is_as_tight(one: _Meaning, other: _Meaning) -> bool:
    """Return whether *other* is proven to be at least as tight as *one*."""
    return (
        (one.name, one.group_by) == (other.name, other.group_by)
        and one.enabled <= other.enabled
        and not one.action.exceeds(other.action)
        and SEVERITIES.index(one.alert_severity) <= SEVERITIES.index(other.alert_severity)
        and _opens_as_soon(one, other)
        and (other.action.latches or _closes_no_sooner(one, other))
    )


def _opens_as_soon(one: _Meaning, other: _Meaning) -> bool:
    """Return whether *other* opens no later than *one*.

    With ``for``, not being breached matters as well: ``ok`` begins it anew, and missing data does
    not. So it must not be ``ok`` where *one* is short of data.
    """
    return other.for_ <= one.for_ and carries(one.breach, other.breach, unknown_too=other.for_ > 0)


def _closes_no_sooner(one: _Meaning, other: _Meaning) -> bool:
    """Return whether an alert of *other* closes no sooner than one of *one*.

    With ``keepFiringFor``, not recovering matters as well: it begins the time anew, and missing
    data does not.
    """
    return (
        other.keep_firing_for >= one.keep_firing_for
        and carries(other.recovery, one.recovery, unknown_too=one.keep_firing_for > 0)
        and (other.for_ == 0 or _closes_for_good(one, other) or _behaves_as(one, other))
    )


def _closes_for_good(one: _Meaning, other: _Meaning) -> bool:
    """Return whether *one* is ``ok`` whenever *other* recovers.

    Else *one* might be pending then, having counted its breach on, while *other* begins anew and
    opens after it: a condition that is short of data can recover by ``recoverWhen``.
    """
    return carries(other.recovery, one.breach.opposite(), unknown_too=False)


def _behaves_as(one: _Meaning, other: _Meaning) -> bool:
    """Return whether both open and close at the very same moments."""
    return (one.for_, one.keep_firing_for) == (other.for_, other.keep_firing_for) and all(
        carries(a, b, unknown_too=True)
        for left, right in ((one.breach, other.breach), (one.recovery, other.recovery))
        for a, b in ((left, right), (right, left))
    )


_ALIASES: Final = {name: field.alias or name for name, field in Rule.model_fields.items()}
"""The fields of a rule by their Python names, as people write them."""


class _Pair:
    """Two rules, of which the one becomes the other."""

    def __init__(self, before: Rule, after: Rule) -> None:
        """Take the rules.

        Raises:
            RuleError: one of them cannot go live.
        """
        self.texts = before, after
        self.before, self.after = _meaning(check_rule(before)), _meaning(check_rule(after))
        self.changed = [name for name in _ALIASES if self._is_changed(name)]

    def _is_changed(self, name: str) -> bool:
        """Return whether a field is written differently, or means something else."""
        pairs = (self.texts, (self.before, self.after))
        return any(getattr(a, name) != getattr(b, name) for a, b in pairs)

    def direction(self) -> Direction:
        """Return where the change leads as a whole."""
        if not _is_as_tight(self.before, self.after):
            return Direction.LOOSER
        is_same = _is_as_tight(self.after, self.before)
        return Direction.SAME if is_same else Direction.TIGHTER

    def reasons(self, leads: Direction) -> tuple[str, ...]:
        """Return the fields that decided where the change *leads*."""
        match leads:
            case Direction.LOOSER:
                return self._what_loosens()
            case Direction.TIGHTER:
                return self._what_tightens()
            case Direction.SAME:
                return tuple([f"{self._said(name)} (means the same)" for name in self.changed])

    def _what_loosens(self) -> tuple[str, ...]:
        """Return the fields that are not tighter by themselves; all, if only together."""
        guilty = [name for name in self.changed if not self._is_as_tight_alone(name)]
        unsure = " (cannot be compared)"
        return tuple(
            self._said(name) + ("" if guilty and self._is_as_loose_alone(name) else unsure)
            for name in guilty or self.changed
        )

    def _what_tightens(self) -> tuple[str, ...]:
        """Return the fields that are tighter by themselves; all, if only together."""
        strict = [name for name in self.changed if not self._is_as_loose_alone(name)]
        return tuple(map(self._said, strict or self.changed))

    def _is_as_tight_alone(self, name: str) -> bool:
        """Return whether changing one field, first or last of all, keeps the rule as tight."""
        first, last = self._with(name)
        return _is_as_tight(self.before, first) or _is_as_tight(last, self.after)

    def _is_as_loose_alone(self, name: str) -> bool:
        """Return whether changing one field back, last or first of all, keeps it as tight."""
        first, last = self._with(name)
        return _is_as_tight(first, self.before) or _is_as_tight(self.after, last)

    def _with(self, name: str) -> tuple[_Meaning, _Meaning]:
        """Return the old rule with one field new, and the new rule with that field old."""
        return (
            replace(self.before, **{name: getattr(self.after, name)}),
            replace(self.after, **{name: getattr(self.before, name)}),
        )

    def _said(self, name: str) -> str:
        """Return how a field changed, as an audit log shows it."""
        before, after = (getattr(text, name) for text in self.texts)
        if name == "group_by":
            before, after = self.before.group_by, self.after.group_by
        elif name == "enabled":
            return f"enabled: {'again' if after else 'no longer'}"
        elif name == "name":
            before, after = shown(before), shown(after)
        elif name in {"condition", "recover_when"}:
            limits = _limits(getattr(self.before, name), getattr(self.after, name))
            if limits is not None:
                return f"{_ALIASES[name]}: threshold {plain(limits[0])} → {plain(limits[1])}"
            before, after = _on_one_line(before), _on_one_line(after)
        return f"{_ALIASES[name]}: {before} → {after}"


def _limits(before: Formula | None, after: Formula | None) -> tuple[Fraction, Fraction] | None:
    """Return the old and the new bound if all that changed is that of one bare metric."""
    if isinstance(before, Atom) and isinstance(after, Atom):
        is_bare = before.term.key in METRICS and before.bound != after.bound
        is_all = is_bare and replace(before, bound=after.bound) == after
        return (before.bound, after.bound) if is_all else None
    if not (isinstance(before, Group) and isinstance(after, Group)):
        return None
    if (before.operator, len(before.parts)) != (after.operator, len(after.parts)):
        return None
    pairs = [pair for pair in zip(before.parts, after.parts, strict=True) if pair[0] != pair[1]]
    return _limits(*pairs[0]) if len(pairs) == 1 else None


def _on_one_line(condition: str | None) -> str:
    """Return a condition without line breaks, and cut when it is endless."""
    line = "none" if condition is None else " ".join(condition.split())
    return line if len(line) <= LONGEST_SHOWN else f"{line[:LONGEST_SHOWN]}…"
