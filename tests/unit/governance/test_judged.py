"""A rule that is in force and that nobody judges by is no rule: it is said, with who and what."""

from __future__ import annotations

from typing import Any

import pytest

from governance.frontier import Frontiers
from governance.rules import RulesInUse, unjudged, without_rules
from governance.rules.judged import MARGIN
from schemas.actions import Frontier, ruleset_digest
from schemas.rules import RuleVersion
from schemas.wire import from_ms
from tests.unit.rules.facts import rule
from tests.unit.streams.facts import NOON

LATER = NOON + round(MARGIN.total_seconds() * 1000)
NAME = "High Error Rate"


def newest(number: int = 3, *, since: int = NOON, **fields: Any) -> dict[str, RuleVersion]:
    """Return a rule's newest version, by name."""
    written = None if fields.get("deleted") else rule(**fields)
    version = RuleVersion(
        name=NAME,
        version=number,
        effective_from=since,
        rule=written,
        changed_at=from_ms(NOON),
    )
    return {NAME: version}


def judge(version: int | None, *, until: int = LATER, worker: str = "w-0") -> RulesInUse:
    """Return a judge that judges by *version* of the rule, or does not know it."""
    return RulesInUse(worker, until, {} if version is None else {NAME: version})


@pytest.mark.parametrize(
    ("version", "problem"),
    [(3, None), (4, None), (2, "w-0 judges by version 2"), (None, "w-0 does not judge by it")],
)
def test_a_version_that_is_due_must_be_judged_by(version: int | None, problem: str | None) -> None:
    """An older one, or none, is a problem that names the worker."""
    found = unjudged(newest(), [judge(3, worker="w-1"), judge(version)])
    assert list(found) == ([NAME] if problem else [])
    assert problem is None or problem in found[NAME]


def test_a_version_whose_time_has_not_come_is_no_problem() -> None:
    """A judge takes it at its moment of the log, and reports with the next flush."""
    assert not unjudged(newest(), [judge(2, until=LATER - 1)])
    assert not unjudged(newest(since=NOON + 1), [judge(None)])


def test_a_worker_of_before_says_nothing_and_harms_nobody() -> None:
    """That it does not say by which rules it judges is no sign that it does not."""
    quiet = RulesInUse("w-0", LATER, None)
    assert not unjudged(newest(), [quiet])
    assert without_rules([quiet]) is None


@pytest.mark.parametrize("fields", [{"enabled": False}, {"deleted": True}])
def test_a_rule_that_people_took_out_of_force_may_be_unknown(fields: dict[str, Any]) -> None:
    """But nobody may go on judging by what it was."""
    assert not unjudged(newest(**fields), [judge(None)])
    assert not unjudged(newest(**fields), [judge(3)])
    assert "version 3 ends it, but w-0 judges by version 2" in str(
        unjudged(newest(**fields), [judge(2)])
    )


def test_whoever_judges_without_any_rule_is_blind() -> None:
    """So is whoever waits for rules that are gone; to know that all are disabled is not."""
    assert without_rules([judge(3), judge(2)]) is None
    assert without_rules([judge(3), judge(None, worker="w-7")]) == (
        "judged without any rule by w-7"
    )
    waits = RulesInUse("w-0", LATER, {}, {NAME: 3})
    assert "w-0 waits for rules that are gone from the topic: High Error Rate@3" in str(
        without_rules([judge(3), waits])
    )


def report(until: int, digest: str | None, rules: dict[str, int] | None = None) -> Frontier:
    """Return what a judge reports."""
    return Frontier(
        partition=0,
        partitions=1,
        judged_until=from_ms(until),
        worker="w-0",
        ruleset=digest,
        rule_versions=rules,
    )


def test_a_list_holds_for_as_long_as_its_digest() -> None:
    """Frontiers between two lists name the set only; another set is unknown until it is listed."""
    frontiers, digest = Frontiers(), ruleset_digest({NAME: 3})
    frontiers.note(report(NOON, digest))
    assert [one.versions for one in frontiers.in_use()] == [None]
    frontiers.note(report(NOON, digest, {NAME: 3}))
    frontiers.note(report(NOON + 100, digest))
    assert [one.versions for one in frontiers.in_use()] == [{NAME: 3}]
    assert frontiers.known_rules() == {NAME: 3}
    frontiers.note(report(NOON + 200, ruleset_digest({NAME: 4})))
    assert [one.versions for one in frontiers.in_use()] == [None]
    frontiers.note(report(NOON + 300, None))
    assert frontiers.known_rules() == {}
