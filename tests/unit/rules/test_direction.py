"""Tighter or looser: what people can foresee, field by field, and what the audit log tells them."""

from __future__ import annotations

from typing import Any

import pytest

from rules.direction import Change, Direction, change, direction
from tests.unit.rules.facts import rule

LEFT, RIGHT, ALIKE, APART = "left", "right", "alike", "apart"
"""Which of two rules is the tighter one; `APART` is neither that anybody could tell."""

CONDITIONS = [
    # thresholds
    ("errorRate > 0.05", RIGHT, "errorRate > 0.03"),
    ("errorRate > 0.05", LEFT, "errorRate > 0.08"),
    ("errorRate > 0.05", RIGHT, "errorRate >= 0.05"),
    ("errorRate >= 0.05", LEFT, "errorRate >= 0.06"),
    ("errorRate > 5%", RIGHT, "errorRate > 4.9%"),
    ("0.05 < errorRate", RIGHT, "errorRate > 0.04"),
    ("successRate < 0.95", RIGHT, "successRate < 0.99"),
    ("successRate < 0.95", RIGHT, "successRate <= 0.95"),
    ("0.95 >= successRate", LEFT, "0.9 > successRate"),
    ("failures >= 3", RIGHT, "failures >= 2"),
    ("failures >= 3", RIGHT, "failures > 0"),
    ("attempts < 5", RIGHT, "attempts < 9"),
    ("attempts <= 5", LEFT, "attempts < 5"),
    ("incidents.critical > 1", RIGHT, "incidents.critical > 0"),
    ("failures / window > 3 / 1m", RIGHT, "failures / window > 2 / 1m"),
    ("failures / attempts > 0.2", LEFT, "failures / attempts > 0.3"),
    ("failures + overridden > 4", RIGHT, "overridden + failures > 3"),
    ("errorRate * 100 > 5", RIGHT, "errorRate * 100 > 4"),
    ("rollbackRate > 0.1", LEFT, "rollbackRate > 0.15"),
    ("rollbackRate > 0.1", RIGHT, "rollbackRate > 0.02"),
    ("approvalRate < 0.8", RIGHT, "approvalRate < 90%"),
    ("commandType.failures >= 3", LEFT, "commandType.failures >= 10"),
    ("commandType.errorRate > 0.2", RIGHT, "commandType.errorRate > 0.1"),
    ("constraintViolations > 0", LEFT, "constraintViolations > 1"),
    ("emergencyAborts >= 2", RIGHT, "emergencyAborts >= 1"),
    ("safetyGateTriggers > 4.5", RIGHT, "safetyGateTriggers > 4.4 - 1"),
    ("errorRate * attempts > 5", LEFT, "errorRate * attempts > 6"),
    ("errorRate - rollbackRate > 0.1", RIGHT, "errorRate - rollbackRate > 0"),
    ("-failures < -2", LEFT, "-failures < -3"),
    ("3 / 1m < failures / window", LEFT, "failures / window > 4 / 1m"),
    # equality and inequality
    ("failures == 3", RIGHT, "failures >= 3"),
    ("failures == 3", RIGHT, "failures <= 3"),
    ("failures == 3", RIGHT, "failures != 4"),
    ("failures == 3", APART, "failures == 4"),
    ("failures == 3", APART, "failures != 3"),
    ("failures != 3", LEFT, "failures > 3"),
    ("failures != 3", RIGHT, "failures >= 0"),
    ("errorRate == 0.5", RIGHT, "errorRate > 0.4"),
    ("errorRate != 0.5", LEFT, "errorRate < 0.5"),
    # one meaning, written in several ways
    ("errorRate > 0.05", ALIKE, "errorRate > 5%"),
    ("errorRate > 0.05", ALIKE, "0.05 < errorRate"),
    ("errorRate > 0.05", ALIKE, "not errorRate <= 0.05"),
    ("errorRate > 0.05", ALIKE, "( errorRate>.050 )"),
    ("errorRate > 0.05", ALIKE, "errorRate > 1 / 20"),
    ("failures == 3", ALIKE, "failures === 3"),
    ("failures != 3", ALIKE, "!(failures == 3)"),
    ("failures != 3", ALIKE, "failures !== 3"),
    ("failures == 2.5", ALIKE, "failures > 2 and failures < 3"),
    ("failures == 2.5", RIGHT, "failures == 2"),
    ("failures >= 0", ALIKE, "attempts != 0.5"),
    ("errorRate <= 100%", ALIKE, "errorRate >= 0"),
    ("rollbackRate <= 1", RIGHT, "rollbackRate >= 0"),
    ("failures != 3", ALIKE, "failures > 3 or failures < 3"),
    ("failures == 3", ALIKE, "failures >= 3 and failures <= 3"),
    ("failures >= 3", ALIKE, "failures > 2"),
    ("failures >= 3", ALIKE, "failures > 2.5"),
    ("failures > 0", ALIKE, "failures != 0"),
    ("attempts < 5", ALIKE, "attempts <= 4"),
    ("errorRate < 1", ALIKE, "errorRate != 1"),
    ("failures > 1 && attempts > 9", ALIKE, "attempts > 9 and failures > 1"),
    ("failures > 1 || attempts > 9", ALIKE, "not (attempts <= 9 and failures <= 1)"),
    ("failures > 1 and failures > 2", ALIKE, "failures > 2"),
    ("failures > 1 or failures > 1 and errorRate > 0.1", ALIKE, "failures > 1"),
    ("failures > 1 and (total > 5 or proposed > 5)", ALIKE,
     "failures > 1 and total > 5 or failures > 1 and proposed > 5"),
    ("overridden * errorRate > 2", ALIKE, "2 < errorRate * overridden"),
    ("failures > succeeded", ALIKE, "succeeded < failures"),
    ("failures / 5m > 3 / 1m", ALIKE, "failures / 300s > 0.05 / 1s"),
    ("not not failures > 2", ALIKE, "failures > 2"),
    ("not (failures > 2 and not total > 5)", ALIKE, "total > 5 || failures <= 2"),
    ("failures > 2 or failures > 2", ALIKE, "failures > 2"),
    # severities
    ('incident.severity == "critical"', ALIKE, 'incident.severity === "critical"'),
    ('incident.severity == "critical"', ALIKE, '"critical" == incident.severity'),
    ('incident.severity == "critical"', ALIKE, "incidents.critical > 0"),
    ('incident.severity == "critical"', ALIKE, "incidents.critical >= 1"),
    ('incident.severity == "critical"', RIGHT,
     'incident.severity == "critical" or incident.severity == "high"'),
    ('incident.severity == "critical"', RIGHT, 'incident.severity != "low"'),
    ('incident.severity == "critical"', APART, 'incident.severity != "critical"'),
    ('incident.severity == "critical"', APART, 'incident.severity == "high"'),
    ('incident.severity == "critical"', LEFT, "incidents.critical > 1"),
    ('incident.severity != "low"', LEFT, 'incident.severity == "medium"'),
    ('not incident.severity == "low"', APART, 'incident.severity != "low"'),
    # conjuncts and disjuncts
    ("errorRate > 0.05", LEFT, "errorRate > 0.05 and attempts >= 20"),
    ("errorRate > 0.05 and attempts >= 20", RIGHT, "attempts >= 20"),
    ("errorRate > 0.05 and attempts >= 20", RIGHT, "errorRate > 0.05 and attempts >= 10"),
    ("errorRate > 0.05 and attempts >= 20", APART, "errorRate > 0.06 and attempts >= 10"),
    ("errorRate > 0.05", RIGHT, "errorRate > 0.05 or failures >= 3"),
    ("errorRate > 0.05", RIGHT, "failures >= 3 or errorRate > 0.03"),
    ("errorRate > 0.05", APART, "errorRate > 0.06 or failures >= 3"),
    ("errorRate > 0.05 and total > 1", RIGHT, "errorRate > 0.05 or total > 1"),
    ("errorRate > 0.05 and total > 1", RIGHT, "total > 1 or failures > 9"),
    ("errorRate > 0.1 or total > 5 and failures > 2", RIGHT,
     "(errorRate > 0.1 or total > 5) and (errorRate > 0.1 or failures > 1)"),
    ("failures > 2 and failures < 9", RIGHT, "failures > 2"),
    ("failures > 2 and failures < 9", RIGHT, "failures > 1 and failures < 10"),
    ("failures > 2 or failures > 9", LEFT, "failures > 3"),
    ("not (errorRate <= 0.05 or total < 9)", RIGHT, "errorRate > 0.05 and total > 5"),
    ("not (errorRate > 0.05 and total > 9)", LEFT, "not (errorRate > 0.05)"),
    # what is unknown is neither true nor false
    ("rollbackRate > 0.1 or rollbackRate <= 0.1", APART, "total >= 1"),
    ("rollbackRate > 0.1 or rollbackRate <= 0.1", ALIKE, "rollbackRate >= 0"),
    ("total > 2 or total <= 2", LEFT, "rollbackRate >= 0"),
    ("failures > 2 and failures < 2", RIGHT, "rollbackRate > 0.3"),
    ("errorRate > 0.3 and errorRate < 0.2", APART, "failures > 2"),
    # what nobody compares
    ("errorRate > 0.05", APART, "successRate < 0.95"),
    ("errorRate > 0.05", APART, "errorRate < 0.05"),
    ("errorRate > 0.05", APART, "rollbackRate > 0.05"),
    ("errorRate > 0.05", APART, "failures / attempts > 0.05"),
    ("errorRate > 0.05", APART, "errorRate * 1 > 0.05"),
    ("failures > 3", APART, "attempts > 3"),
    ("failures > 0.05 * attempts", APART, "failures > 0.03 * attempts"),
    ("failures > succeeded", RIGHT, "succeeded <= failures"),
    ("failures / window > 3 / 1m", APART, "failures / 5m > 3 / 1m"),
    ("failures + 1 > 3", APART, "failures > 2"),
    ("failures + overridden > 4", RIGHT, "failures + overridden > 3.5"),
]  # fmt: skip
"""Conditions of two rules that are otherwise the same."""

COUNT = {"condition": "failures >= 3"}
FEW = {"condition": "attempts < 5"}
LATCHED = {"action": "revert_to_l3"}
CALM = {"recoverWhen": "errorRate < 0.02"}
NONE = {"recoverWhen": "failures == 0"}
PER_TYPE = {"condition": "commandType.failures >= 3"}

FIELDS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"enabled": False}, RIGHT, {"enabled": True}),
    ({"enabled": False}, APART, {"condition": "errorRate > 0.08"}),
    ({"enabled": False}, RIGHT, {"condition": "errorRate > 0.03"}),
    ({"enabled": False}, RIGHT, {"enabled": False, "condition": "errorRate > 0.03"}),
    ({"name": "High Error Rate"}, APART, {"name": "Another"}),
    # action and severity
    ({"action": "alert_only"}, RIGHT, {"action": "revert_to_l3"}),
    (PER_TYPE, RIGHT, PER_TYPE | {"action": "pause_command_type"}),
    (PER_TYPE | LATCHED, LEFT, PER_TYPE | {"action": "pause_command_type"}),
    ({"alertSeverity": "medium"}, RIGHT, {"alertSeverity": "high"}),
    ({"alertSeverity": "high"}, RIGHT, {"alertSeverity": "critical"}),
    ({"alertSeverity": "low"}, RIGHT, {"alertSeverity": "critical"}),
    ({"alertSeverity": "medium"}, LEFT, {"alertSeverity": "low"}),
    ({"alertSeverity": "critical"}, LEFT, {"alertSeverity": "high", "for": "5s"}),
    ({"alertSeverity": "low"}, APART, {"alertSeverity": "high", "for": "5s"}),
    (PER_TYPE | {"action": "pause_command_type"}, RIGHT, PER_TYPE | LATCHED | {"window": "1h"}),
    (LATCHED | {"alertSeverity": "low"}, APART, {"alertSeverity": "high"}),
    (LATCHED, APART, {"condition": "errorRate > 0.03"}),
    # for
    ({"for": "30s"}, RIGHT, {"for": "10s"}),
    ({"for": "30s"}, RIGHT, {}),
    ({"for": "60s"}, ALIKE, {"for": "1m"}),
    ({"for": "90s"}, LEFT, {"for": "2m"}),
    (LATCHED | {"for": "90s"}, LEFT, LATCHED | {"for": "2m"}),
    (CALM | {"for": "30s"}, RIGHT, CALM | {"for": "10s"}),
    (NONE | {"for": "30s"}, APART, NONE | {"for": "10s"}),
    (NONE | {"for": "30s"}, RIGHT, NONE | {"for": "0s"}),
    (NONE | {"for": "30s"}, RIGHT, NONE | {"for": "30s", "alertSeverity": "high"}),
    # keepFiringFor
    ({"keepFiringFor": "1m"}, RIGHT, {"keepFiringFor": "5m"}),
    ({"keepFiringFor": "1m"}, LEFT, {}),
    ({"keepFiringFor": "60m"}, ALIKE, {"keepFiringFor": "1h"}),
    (LATCHED | {"keepFiringFor": "1m"}, ALIKE, LATCHED),
    ({"keepFiringFor": "1m"}, RIGHT, LATCHED),
    ({"keepFiringFor": "1m"}, APART, {"alertSeverity": "high"}),
    # window
    (COUNT, RIGHT, COUNT | {"window": "10m"}),
    (COUNT, LEFT, COUNT | {"window": "1m"}),
    (COUNT | {"window": "15m"}, RIGHT, COUNT | {"window": "901s"}),
    (COUNT | {"window": "24h"}, RIGHT, COUNT | {"window": "7d"}),
    (COUNT | {"window": "60m"}, ALIKE, COUNT | {"window": "1h"}),
    (FEW, LEFT, FEW | {"window": "10m"}),
    ({"condition": "not failures < 3"}, RIGHT, {"condition": "failures > 2", "window": "10m"}),
    (COUNT, RIGHT, {"condition": "failures >= 2", "window": "10m"}),
    (COUNT, APART, {"condition": "failures >= 2", "window": "1m"}),
    (COUNT, APART, {"condition": "failures >= 4", "window": "10m"}),
    (COUNT, RIGHT, {"condition": "failures >= 3 or errorRate > 0.5", "window": "10m"}),
    (COUNT | {"window": "10m"}, LEFT, {"condition": "failures >= 3 and errorRate > 0.5"}),
    ({"condition": 'incident.severity == "critical"', "window": "1m"}, RIGHT,
     {"condition": 'incident.severity == "critical"', "window": "5m"}),
    ({"condition": "failures + overridden > 4"}, RIGHT,
     {"condition": "failures + overridden > 4", "window": "1h"}),
    ({"window": "5m"}, APART, {"window": "10m"}),
    (LATCHED, APART, LATCHED | {"window": "10m"}),
    (LATCHED | {"condition": "failures - overridden > 4"}, APART,
     LATCHED | {"condition": "failures - overridden > 4", "window": "10m"}),
    (LATCHED | {"condition": "failures > succeeded"}, APART,
     LATCHED | {"condition": "failures > succeeded", "window": "10m"}),
    (LATCHED | {"condition": "failures / window > 3 / 1m"}, APART,
     LATCHED | {"condition": "failures / window > 3 / 1m", "window": "10m"}),
    ({"window": "5m"}, APART, {"condition": "errorRate > 0.01", "window": "10m"}),
    ({"condition": "failures == 3"}, APART, {"condition": "failures == 3", "window": "10m"}),
    ({"condition": "failures > 3 and attempts < 9"}, APART,
     {"condition": "failures > 3 and attempts < 9", "window": "10m"}),
    ({"condition": "failures / window > 3 / 1m"}, APART,
     {"condition": "failures / window > 3 / 1m", "window": "10m"}),
    ({"condition": "failures - overridden > 4"}, APART,
     {"condition": "failures - overridden > 4", "window": "10m"}),
    ({"condition": "failures > succeeded"}, APART,
     {"condition": "failures > succeeded", "window": "10m"}),
    (COUNT | NONE, RIGHT, COUNT | NONE | {"window": "10m"}),
    (COUNT | {"recoverWhen": "succeeded > 5"}, APART,
     COUNT | {"recoverWhen": "succeeded > 5", "window": "10m"}),
    (COUNT | CALM, APART, COUNT | CALM | {"window": "10m"}),
    (COUNT | CALM | LATCHED, RIGHT, COUNT | CALM | LATCHED | {"window": "10m"}),
    # minSamples
    (LATCHED | {"minSamples": 20}, RIGHT, LATCHED | {"minSamples": 10}),
    (LATCHED, LEFT, LATCHED | {"minSamples": 2}),
    (LATCHED | {"minSamples": 20, "for": "10s"}, APART,
     LATCHED | {"minSamples": 10, "for": "10s"}),
    (LATCHED | {"minSamples": 20, "for": "10s"}, RIGHT, LATCHED | {"minSamples": 10}),
    ({"minSamples": 20}, APART, {"minSamples": 10}),
    ({"minSamples": 20}, RIGHT, LATCHED | {"minSamples": 10}),
    (NONE | {"minSamples": 20}, RIGHT, NONE | {"minSamples": 10}),
    (CALM | {"minSamples": 20}, APART, CALM | {"minSamples": 10}),
    (COUNT | CALM | {"minSamples": 20}, LEFT, COUNT | CALM | {"minSamples": 10, "for": "5s"}),
    (COUNT | {"minSamples": 20}, ALIKE, COUNT | {"minSamples": 10}),
    ({"condition": "failures / attempts > 0.1", "minSamples": 20}, ALIKE,
     {"condition": "failures / attempts > 0.1", "minSamples": 10}),
    (COUNT | CALM | {"minSamples": 20, "keepFiringFor": "1m"}, APART,
     COUNT | CALM | {"minSamples": 10, "keepFiringFor": "1m"}),
    # recoverWhen
    ({}, RIGHT, CALM),
    ({}, ALIKE, {"recoverWhen": "errorRate <= 0.05"}),
    ({}, LEFT, {"recoverWhen": "errorRate <= 0.06"}),
    ({}, APART, NONE),
    (COUNT, RIGHT, COUNT | NONE),
    (CALM, RIGHT, {"recoverWhen": "errorRate < 0.01"}),
    (CALM, LEFT, {"recoverWhen": "errorRate < 2.5%"}),
    (CALM, RIGHT, {"recoverWhen": "errorRate < 0.02 and attempts > 9"}),
    (CALM, LEFT, {"recoverWhen": "errorRate < 0.02 or attempts == 0"}),
    (CALM, ALIKE, {"recoverWhen": "0.02 > errorRate"}),
    (CALM, APART, {"recoverWhen": "successRate > 0.98"}),
    (CALM, APART, {"recoverWhen": "errorRate < 0.03", "condition": "errorRate > 0.04"}),
    (CALM | LATCHED, ALIKE, LATCHED),
    # groupBy
    ({"groupBy": "overall"}, ALIKE, {}),
    (PER_TYPE, ALIKE, PER_TYPE | {"groupBy": "commandType"}),
    (PER_TYPE, ALIKE, COUNT | {"groupBy": "commandType"}),
    (PER_TYPE, APART, COUNT),
    ({"groupBy": "overall"}, APART, {"groupBy": "commandType"}),
    ({"groupBy": "labels.region"}, APART, {"groupBy": "labels.site"}),
]  # fmt: skip
"""Fields of two rules; what is not written is that of the default error rate rule."""

PAIRS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    *FIELDS,
    *(({"condition": left}, which, {"condition": right}) for left, which, right in CONDITIONS),
]


def way(which: str, tighter: str) -> Direction:
    """Return where a change leads to the rule on the side called *tighter*."""
    if which == ALIKE:
        return Direction.SAME
    return Direction.TIGHTER if which == tighter else Direction.LOOSER


@pytest.mark.parametrize(
    ("left", "which", "right"), PAIRS, ids=[f"{left} {w} {right}" for left, w, right in PAIRS]
)
def test_people_can_foresee_the_direction(
    left: dict[str, Any], which: str, right: dict[str, Any]
) -> None:
    """There and back: tighter one way is looser the other, and what is apart is looser both."""
    there, back = direction(rule(**left), rule(**right)), direction(rule(**right), rule(**left))

    assert (there, back) == (way(which, RIGHT), way(which, LEFT))


def test_the_table_is_as_long_as_promised() -> None:
    """At least 200 pairs of rules, none of them twice."""
    assert len({str(pair) for pair in PAIRS}) == len(PAIRS) >= 200


def test_a_rule_that_comes_tightens_and_one_that_goes_loosens() -> None:
    """A rule is more than none, even while it is disabled."""
    for fields in ({}, {"enabled": False}):
        assert change(None, rule(**fields)) == Change(Direction.TIGHTER, ("added",))
        assert change(rule(**fields), None) == Change(Direction.LOOSER, ("deleted",))
    assert change(None, None) == Change(Direction.SAME)


REASONS: list[tuple[dict[str, Any], dict[str, Any], Change]] = [
    ({}, {}, Change(Direction.SAME)),
    (
        {},
        {"condition": "errorRate > 8%"},
        Change(Direction.LOOSER, ("condition: threshold 0.05 → 0.08",)),
    ),
    (
        {"condition": "total > 9 and errorRate > 0.05"},
        {"condition": "total > 9 and 0.04 < errorRate"},
        Change(Direction.TIGHTER, ("condition: threshold 0.05 → 0.04",)),
    ),
    (
        {},
        {"condition": "errorRate >\n 0.05 or failures > 2"},
        Change(
            Direction.TIGHTER, ("condition: errorRate > 0.05 → errorRate > 0.05 or failures > 2",)
        ),
    ),
    ({}, {"enabled": False}, Change(Direction.LOOSER, ("enabled: no longer",))),
    ({"enabled": False}, {}, Change(Direction.TIGHTER, ("enabled: again",))),
    (
        {},
        {"window": "10m", "alertSeverity": "high"},
        Change(Direction.LOOSER, ("window: 5m → 10m (cannot be compared)",)),
    ),
    (
        {"for": "1m"},
        {"for": "10s", "alertSeverity": "high", "action": "revert_to_l3"},
        Change(
            Direction.TIGHTER,
            ("action: alert_only → revert_to_l3", "alertSeverity: medium → high", "for: 1m → 10s"),
        ),
    ),
    (
        {},
        {"condition": "commandType.errorRate > 0.05"},
        Change(Direction.LOOSER, ("groupBy: overall → commandType (cannot be compared)",)),
    ),
    (
        {"recoverWhen": "errorRate < 0.02"},
        {"enabled": False},
        Change(
            Direction.LOOSER, ("enabled: no longer", "recoverWhen: errorRate < 0.02 → none")
        ),
    ),
    (
        {"for": "60s"},
        {"for": "1m", "condition": "errorRate > 5%"},
        Change(
            Direction.SAME,
            (
                "condition: errorRate > 0.05 → errorRate > 5% (means the same)",
                "for: 60s → 1m (means the same)",
            ),
        ),
    ),
    (
        {},
        {"condition": "metric > threshold"},
        Change(
            Direction.LOOSER,
            ("cannot be compared: condition: 'metric' is not a metric",),
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "expected"), REASONS)
def test_the_reasons_are_the_fields_that_decided(
    before: dict[str, Any], after: dict[str, Any], expected: Change
) -> None:
    """An audit log shows what made a change looser, or what made it tighter, and nothing else."""
    assert change(rule(**before), rule(**after)) == expected


def test_what_no_person_can_read_cannot_be_compared() -> None:
    """A condition whose proof would take for ever is looser at once."""
    mess = " and ".join(f"(total > {n} or failures > {n})" for n in range(1, 31))

    found = change(rule(condition=mess), rule(condition=f"{mess} or failures > 99"))

    assert found.direction is Direction.LOOSER
    assert found.reasons[0].endswith("… (cannot be compared)")
