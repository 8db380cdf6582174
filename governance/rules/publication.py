"""The rules of the database against those on the ``rules`` topic: what puts the two right.

    topic lacks a version                       it is published again, as it was
    topic has later versions, not looser        they are taken over, number and all
    topic has later versions, looser            ours follows on them, under a number of its own
    both have a version, and it differs         the tighter of both follows, under a new number

Pure. A number is never used for two rules: judges remember by which one they judged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rules.direction import Direction, change
from rules.live import make_live
from schemas.errors import RuleError
from schemas.rules import Rule, RuleVersion


@dataclass(frozen=True, slots=True)
class Superseding:
    """A version to be written after all that is known of: *rule*, or its end where that is None."""

    name: str
    rule: Rule | None
    beyond: int
    not_before: int


@dataclass(frozen=True, slots=True)
class RuleRepair:
    """What is to be done; nothing where all three are empty.

    ``missing`` are names and versions to publish again, the newest of each rule first: a judge
    that is told of an older one alone would judge by it. ``adopted`` are in order of version.
    """

    missing: tuple[tuple[str, int], ...] = ()
    adopted: tuple[RuleVersion, ...] = ()
    superseding: tuple[Superseding, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.adopted or self.superseding)


def compare_rules(
    kept: Mapping[str, RuleVersion],
    numbers: Mapping[str, Collection[int]],
    published: Mapping[str, Mapping[int, RuleVersion]],
    taken: Mapping[str, int],
) -> RuleRepair:
    """Return what puts the topic and the database right.

    *kept* is the newest version of each rule in the database, *numbers* all of them; *taken* are
    numbers that are in use though nobody can read them: judges know them, or a newer program.
    """
    missing: list[tuple[str, int]] = []
    adopted: list[RuleVersion] = []
    superseding: list[Superseding] = []
    for name in sorted({*kept, *published, *taken}):
        ours, theirs = kept.get(name), published.get(name, {})
        step = _step(name, ours, theirs, taken.get(name, 0))
        if isinstance(step, Superseding):
            superseding.append(step)
        elif step:
            adopted += [theirs[number] for number in sorted(theirs) if number > _number(ours)]
        lacking = [number for number in numbers.get(name, ()) if number not in theirs]
        missing += [(name, number) for number in sorted(lacking, reverse=True)]
    return RuleRepair(tuple(missing), tuple(adopted), tuple(superseding))


def _step(
    name: str, ours: RuleVersion | None, theirs: Mapping[int, RuleVersion], taken: int
) -> Superseding | bool:
    """Return the version to be written, or whether the later ones of the topic are taken over."""
    newest = theirs[max(theirs)] if theirs else None
    top = max(_number(ours), _number(newest))
    if taken > top:
        if ours is None and newest is None:
            return Superseding(name, None, taken, 0)
        return _superseding(name, ours, newest, beyond=taken)
    if newest is None or newest.version < _number(ours):
        return False
    if ours is not None and newest.version == ours.version:
        same = (newest.rule, newest.effective_from) == (ours.rule, ours.effective_from)
        return False if same else _superseding(name, ours, newest, beyond=top)
    if not _may_live(newest):
        return False if ours is None else _superseding(name, ours, None, beyond=top)
    if ours is not None and _is_tighter(ours.rule, newest.rule):
        return _superseding(name, ours, newest, beyond=top)
    return True


def _superseding(
    name: str, ours: RuleVersion | None, theirs: RuleVersion | None, *, beyond: int
) -> Superseding:
    """Return the tighter of two versions as one that follows on *beyond*."""
    both = [version for version in (ours, theirs) if version is not None]
    usable = [version for version in both if version is ours or _may_live(version)]
    rule = usable[0].rule if usable else None
    if len(usable) == 2 and not _is_tighter(usable[0].rule, usable[1].rule):
        rule = usable[1].rule
    return Superseding(name, rule, beyond, max(version.effective_from for version in both))


def _is_tighter(ours: Rule | None, theirs: Rule | None) -> bool:
    """Whether going from *theirs* to *ours* tightens the rule; what cannot be told does not."""
    return change(theirs, ours).direction is Direction.TIGHTER


def _may_live(version: RuleVersion) -> bool:
    """Whether this program can judge by *version*; an end can always be told."""
    if version.rule is None:
        return True
    try:
        make_live(version)
    except RuleError:
        return False
    return True


def _number(version: RuleVersion | None) -> int:
    """Return the number of *version*, 0 for none."""
    return version.version if version else 0
