"""A version of a rule, checked as a whole and ready to be judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rules.condition import Condition, compile_condition
from rules.metrics import PREFIX
from rules.verdict import Verdict
from schemas.durations import LONGEST_WINDOW, milliseconds, written
from schemas.errors import RuleError
from schemas.rules import Action, Rule, RuleVersion

OVERALL_DIMENSION: Final = "overall"
TYPE_DIMENSION: Final = "commandType"


@dataclass(frozen=True, slots=True)
class LiveRule:
    """A rule with its conditions compiled and its lengths of time in milliseconds.

    ``dimension`` is what it keeps one breaker for: ``overall``, ``commandType`` or ``labels.X``.
    ``recover`` is its ``recoverWhen``. In force from ``effective_from`` (ms of append time).
    """

    name: str
    version: int
    rule: Rule
    condition: Condition
    recover: Condition | None
    dimension: str
    window: int
    for_: int
    keep_firing_for: int
    min_samples: int
    effective_from: int

    def verdict(self, counts: Sequence[int]) -> Verdict:
        """Return what the condition says about *counts*."""
        return self.condition.verdict(counts, min_samples=self.min_samples, window=self.window)

    def recovery(self, counts: Sequence[int], verdict: Verdict) -> Verdict:
        """Return whether an open breaker recovers: `Verdict.BREACH` means that it does.

        That is what ``recoverWhen`` says about *counts*, as much a condition as any other;
        without one it follows from the rule's own *verdict*, see `recovery_from`.
        """
        if self.recover is None:
            return recovery_from(verdict)
        return self.recover.verdict(counts, min_samples=self.min_samples, window=self.window)


_RECOVERY: Final = {
    Verdict.BREACH: Verdict.OK,
    Verdict.OK: Verdict.BREACH,
    Verdict.INSUFFICIENT: Verdict.INSUFFICIENT,
}


def recovery_from(verdict: Verdict) -> Verdict:
    """Return the recovery of a rule without ``recoverWhen``: recovered once it is ok."""
    return _RECOVERY[verdict]


def make_live(version: RuleVersion) -> LiveRule:
    """Return a version of a rule, ready to be judged; a disabled rule is checked like any other.

    Raises:
        RuleError: the version deletes its rule, or the rule cannot go live.
    """
    if version.rule is None:
        raise RuleError(f"version {version.version} deletes the rule {version.name!r}", field=None)
    if version.rule.name != version.name:
        raise RuleError(
            f"version {version.version} of {version.name!r} holds the rule {version.rule.name!r}",
            suggestion=version.name,
            field="name",
        )
    return check_rule(version.rule, version=version.version, effective_from=version.effective_from)


def check_rule(rule: Rule, *, version: int = 1, effective_from: int = 0) -> LiveRule:
    """Return *rule* ready to be judged.

    Raises:
        RuleError: a condition is wrong, or the rule's parts contradict each other; ``field``
            names the part, as people write it.
    """
    condition = compile_condition(rule.condition)
    recover = rule.recover_when and compile_condition(rule.recover_when, field="recoverWhen")
    dimension = _dimension(rule, condition)
    _check_action(rule, dimension)
    if recover:
        _check_recovery(recover, dimension)
    return LiveRule(
        name=rule.name,
        version=version,
        rule=rule,
        condition=condition,
        recover=recover or None,
        dimension=dimension,
        window=milliseconds(rule.window),
        for_=_length(rule.for_, "for"),
        keep_firing_for=_length(rule.keep_firing_for, "keepFiringFor"),
        min_samples=rule.min_samples,
        effective_from=effective_from,
    )


def _dimension(rule: Rule, condition: Condition) -> str:
    """Return what the rule keeps one breaker for: as it says, or as its condition implies."""
    if rule.group_by is None:
        return TYPE_DIMENSION if condition.per_command_type else OVERALL_DIMENSION
    if condition.per_command_type and rule.group_by != TYPE_DIMENSION:
        raise RuleError(
            f"the condition counts per command type, and the rule groups by {rule.group_by!r}",
            source=rule.condition,
            position=rule.condition.find(PREFIX),
            suggestion="groupBy commandType, or the metric without the prefix commandType.",
            field="groupBy",
        )
    return rule.group_by


def _check_action(rule: Rule, dimension: str) -> None:
    """Refuse to pause a command type when the rule does not know which."""
    if rule.action is Action.PAUSE_COMMAND_TYPE and dimension != TYPE_DIMENSION:
        raise RuleError(
            f"pause_command_type needs a rule per command type, this one is per {dimension!r}",
            suggestion="groupBy commandType",
            field="groupBy",
        )


def _check_recovery(recover: Condition, dimension: str) -> None:
    """Refuse to recover by another scope's counts than those that tripped."""
    if recover.per_command_type and dimension != TYPE_DIMENSION:
        raise RuleError(
            f"recoverWhen counts per command type, and the rule is per {dimension!r}",
            source=recover.text,
            position=recover.text.find(PREFIX),
            suggestion=recover.text.replace(PREFIX, ""),
            field="recoverWhen",
        )


def _length(text: str, field: str) -> int:
    """Return a written duration in ms, refusing what is longer than any window."""
    length = milliseconds(text)
    if length > LONGEST_WINDOW:
        raise RuleError(
            f"{text} is longer than the longest window",
            suggestion=written(LONGEST_WINDOW),
            field=field,
        )
    return length
