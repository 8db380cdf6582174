"""Rules as a whole: what they keep a breaker for, and which parts contradict each other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rules.defaults import default_rules
from rules.live import check_rule, make_live, recovery_from
from rules.verdict import Verdict
from schemas.errors import RuleError
from schemas.rules import Rule, RuleVersion
from tests.unit.rules.facts import counts, live, rule

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("condition", "group_by", "dimension"),
    [
        ("errorRate > 0.05", None, "overall"),
        ("commandType.failures >= 3", None, "commandType"),
        ("errorRate > 0.05", "commandType", "commandType"),
        ("errorRate > 0.05", "overall", "overall"),
        ("errorRate > 0.05", "labels.region", "labels.region"),
        ("commandType.errorRate > 0.05", "commandType", "commandType"),
    ],
)
def test_a_rule_keeps_a_breaker_for_what_it_says_or_implies(
    condition: str, group_by: str | None, dimension: str
) -> None:
    """`groupBy` decides; without it the prefix `commandType.` does."""
    assert live(condition=condition, groupBy=group_by).dimension == dimension


def test_lengths_of_time_become_milliseconds() -> None:
    """The engine counts in milliseconds what people write as durations."""
    made = live(window="10m", **{"for": "30s"}, keepFiringFor="2m")

    assert (made.window, made.for_, made.keep_firing_for) == (600_000, 30_000, 120_000)


@pytest.mark.parametrize(
    ("fields", "field", "says", "suggestion"),
    [
        ({"condition": "errorRate > 5"}, "condition", "between 0 and 1", "0.05"),
        ({"recoverWhen": "errorrate < 0.01"}, "recoverWhen", "not a metric", "errorRate"),
        (
            {"action": "pause_command_type"},
            "groupBy",
            "needs a rule per command type",
            "groupBy commandType",
        ),
        (
            {"action": "pause_command_type", "groupBy": "labels.region"},
            "groupBy",
            "needs a rule per command type",
            "groupBy commandType",
        ),
        (
            {"condition": "commandType.failures > 3", "groupBy": "overall"},
            "groupBy",
            "counts per command type",
            "groupBy commandType, or the metric without the prefix commandType.",
        ),
        (
            {"condition": "commandType.failures > 3", "groupBy": "labels.region"},
            "groupBy",
            "counts per command type",
            "groupBy commandType, or the metric without the prefix commandType.",
        ),
        (
            {"recoverWhen": "commandType.errorRate < 0.01"},
            "recoverWhen",
            "recoverWhen counts per command type",
            "errorRate < 0.01",
        ),
        ({"for": "8d"}, "for", "longer than the longest window", "7d"),
        ({"keepFiringFor": "200h"}, "keepFiringFor", "longer than the longest window", "7d"),
    ],
)
def test_a_rule_whose_parts_contradict_each_other_cannot_go_live(
    fields: dict[str, str], field: str, says: str, suggestion: str
) -> None:
    """The error names the field, as people write it, and what would do."""
    with pytest.raises(RuleError, match=says) as caught:
        check_rule(rule(**fields))

    assert (caught.value.field, caught.value.suggestion) == (field, suggestion)


def test_a_version_goes_live_with_its_number_and_moment() -> None:
    """What judges adopt knows which version it is and from when it holds."""
    version = RuleVersion(
        name="High Error Rate", version=3, effective_from=1_700, rule=rule(), changed_at=NOON
    )

    made = make_live(version)

    assert (made.name, made.version, made.effective_from) == ("High Error Rate", 3, 1_700)


@pytest.mark.parametrize("held", [None, rule(name="Another")])
def test_a_version_that_holds_no_rule_of_its_name_cannot_go_live(held: Rule | None) -> None:
    """A deletion is not judged, and a version speaks of the rule that it is named for."""
    version = RuleVersion.model_construct(
        name="High Error Rate", version=3, effective_from=0, rule=held, changed_at=NOON
    )

    with pytest.raises(RuleError, match="version 3"):
        make_live(version)


def test_a_disabled_rule_is_checked_all_the_same() -> None:
    """What cannot go live is refused before somebody enables it."""
    with pytest.raises(RuleError):
        check_rule(rule(enabled=False, condition="errorRate > 5"))


def test_a_rule_judges_with_its_own_window_and_samples() -> None:
    """`minSamples` and the window's length are the rule's."""
    thin = live(minSamples=20)
    frequent = live(condition="failures / window >= 1 / 1m", window="1m")

    assert thin.verdict(counts(failed=19)) is Verdict.INSUFFICIENT
    assert thin.verdict(counts(failed=20)) is Verdict.BREACH
    assert frequent.verdict(counts(failed=1)) is Verdict.BREACH


@pytest.mark.parametrize(
    ("verdict", "recovery"),
    [
        (Verdict.OK, Verdict.BREACH),
        (Verdict.BREACH, Verdict.OK),
        (Verdict.INSUFFICIENT, Verdict.INSUFFICIENT),
    ],
)
def test_without_a_condition_of_its_own_recovery_is_being_ok(
    verdict: Verdict, recovery: Verdict
) -> None:
    """A rule without `recoverWhen` recovers when it is ok, never for want of data."""
    assert recovery_from(verdict) is recovery
    assert live().recovery(counts(), verdict) is recovery


def test_recovery_may_ask_for_more_than_being_ok() -> None:
    """With `recoverWhen` a rule that is ok has not recovered until that holds."""
    made = live(recoverWhen="errorRate < 0.01")
    row = counts(succeeded=97, failed=3)

    assert made.verdict(row) is Verdict.OK
    assert made.recovery(row, Verdict.OK) is Verdict.OK
    assert made.recovery(counts(succeeded=97), Verdict.OK) is Verdict.BREACH


def test_the_default_rules_are_those_of_the_contract() -> None:
    """A new installation starts with the four rules that operators know."""
    rows = [
        (r.name, r.condition, r.window, r.action.value, r.alert_severity.value, r.enabled)
        for r in default_rules()
    ]

    assert rows == [
        ("High Error Rate", "errorRate > 0.05", "5m", "revert_to_l3", "critical", True),
        (
            "Repeated Command Failures", "commandType.failures >= 3", "5m",
            "pause_command_type", "high", True,
        ),
        (
            "Critical Incident Detected", 'incident.severity === "critical"', "1m",
            "revert_to_l3", "critical", True,
        ),
        ("High Rollback Rate", "rollbackRate > 0.1", "15m", "alert_only", "medium", True),
    ]  # fmt: skip


def test_the_default_rules_are_judged_where_the_contract_says() -> None:
    """Repeated failures pause the command type that failed; the rest is overall."""
    assert [check_rule(r).dimension for r in default_rules()] == [
        "overall", "commandType", "overall", "overall",
    ]  # fmt: skip
