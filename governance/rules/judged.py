"""Which rules judges judge by, against those that are in force: what nobody judges is no rule.

Pure: the judges say it with each frontier, the database says what is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from schemas.rules import RuleVersion

MARGIN: Final = timedelta(seconds=2)
"""How long after its time a version may be missing: a judge takes one that comes late at its
next flush."""


@dataclass(frozen=True, slots=True)
class RulesInUse:
    """The rules of one judge, which has decided everything up to ``judged_until`` (ms).

    ``versions`` is None where the judge does not say: its worker is of an older version, or it
    has not listed them yet. ``lacking`` are versions that it waits for and cannot find.
    """

    worker: str
    judged_until: int
    versions: Mapping[str, int] | None
    lacking: Mapping[str, int] = field(default_factory=dict)

    def holds(self, version: RuleVersion) -> bool:
        """Whether the judge judges as *version* says, or does not say how it judges."""
        if self.versions is None:
            return True
        used = self.versions.get(version.name)
        if used is not None:
            return used >= version.version
        return not _is_live(version)


def unjudged(newest: Mapping[str, RuleVersion], judges: Iterable[RulesInUse]) -> dict[str, str]:
    """Return the rules whose newest version is due and not judged by, each with the reason.

    A judge that has not come to a version's time says nothing about it.
    """
    wait = MARGIN // timedelta(milliseconds=1)
    behind: dict[str, dict[str, int]] = {}
    for judge in judges:
        for name, version in newest.items():
            if judge.judged_until >= version.effective_from + wait and not judge.holds(version):
                behind.setdefault(name, {})[judge.worker] = (judge.versions or {}).get(name, 0)
    return {name: _reason(newest[name], found) for name, found in sorted(behind.items())}


def without_rules(judges: Iterable[RulesInUse]) -> str | None:
    """Return which workers judge without any rule or wait for lost ones, or None: that is blind."""
    for judge in judges:
        if judge.lacking:
            names = ", ".join(f"{name}@{number}" for name, number in sorted(judge.lacking.items()))
            return f"worker {judge.worker} waits for rules that are gone from the topic: {names}"
    idle = sorted({judge.worker for judge in judges if judge.versions == {}})
    return f"judged without any rule by {', '.join(idle)}" if idle else None


def _reason(version: RuleVersion, workers: Mapping[str, int]) -> str:
    """Return in words who judges otherwise, and what to do if that does not pass."""
    said = ", ".join(
        f"{worker} judges by version {used}" if used else f"{worker} does not judge by it"
        for worker, used in sorted(workers.items())
    )
    what = "is in force" if _is_live(version) else "ends it"
    return (
        f"version {version.version} {what}, but {said}; it is told again within a minute: if this "
        "stays, look at the log of that worker, which may be too old for the rule"
    )


def _is_live(version: RuleVersion) -> bool:
    """Whether *version* is one to be judged by."""
    return version.rule is not None and version.rule.enabled
