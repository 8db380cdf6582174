"""What conditions mean: operators, units, missing data, evidence."""

from __future__ import annotations

import pytest

from rules.condition import compile_condition
from rules.verdict import Verdict
from schemas.tallies import SampleClass
from tests.unit.rules.facts import WINDOW, counts

BREACH, OK, INSUFFICIENT = Verdict.BREACH, Verdict.OK, Verdict.INSUFFICIENT
HEALTHY = counts(succeeded=96, failed=4)
FAILING = counts(succeeded=90, failed=7)


def verdict(text: str, row: list[int], *, least: int = 1, window: int = WINDOW) -> Verdict:
    """Return what *text* says about *row*."""
    return compile_condition(text).verdict(row, min_samples=least, window=window)


@pytest.mark.parametrize(
    ("text", "breaching", "fine"),
    [
        ("errorRate > 0.05", counts(succeeded=94, failed=6), counts(succeeded=95, failed=5)),
        ("commandType.failures >= 3", counts(failed=2, timed_out=1), counts(failed=2)),
        ('incident.severity === "critical"', counts(incident_critical=1), counts(incident_high=9)),
        ("rollbackRate > 0.1", counts(succeeded=9, rolled_back=1), counts(succeeded=9)),
    ],
)
def test_the_default_conditions_say_what_they_said(
    text: str, breaching: list[int], fine: list[int]
) -> None:
    """The four conditions that installations already use keep their meaning."""
    assert (verdict(text, breaching), verdict(text, fine)) == (BREACH, OK)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("failures > 7", OK),
        ("failures >= 7", BREACH),
        ("failures < 7", OK),
        ("failures <= 7", BREACH),
        ("failures == 7", BREACH),
        ("failures === 7", BREACH),
        ("failures != 7", OK),
        ("failures !== 7", OK),
        ("7 > failures", OK),
        ("7 <= failures", BREACH),
        ("errorRate > 5%", BREACH),
        ("errorRate > .05", BREACH),
        ("0.08 < errorRate", OK),
        ("errorRate * 100 > 7.2", BREACH),
        ("failures / attempts > 0.07", BREACH),
        ("failures > 0.05 * attempts", BREACH),
        ("failures > 5% * attempts", BREACH),
        ("failures + rejected == 7", BREACH),
        ("attempts - failures == succeeded", BREACH),
        ("-failures < 0", BREACH),
        ("failures > 2 * (1 + 2)", BREACH),
        ("failures > 2 * 1 + 2", BREACH),
        ("failures == 10 - 2 - 1", BREACH),
        ("failures == 28 / 2 / 2", BREACH),
        ("errorRate < successRate", BREACH),
        ("failures / window >= 1 / 1m", BREACH),
        ("failures / window > 2 / 1m", OK),
        ("failures / 5m == 7 / window", BREACH),
        ("failures > 1 / 1m * window", BREACH),
        ("failures / (window / 1m) > 1.3", BREACH),
    ],
)
def test_operators_mean_what_they_mean_everywhere(text: str, expected: Verdict) -> None:
    """Comparisons and arithmetic follow school; the window is five minutes, 7 of 97 failed."""
    assert verdict(text, FAILING) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("failures > 9 or failures > 1 and failures > 2", BREACH),
        ("(failures > 1 or failures > 9) and failures > 9", OK),
        ("failures > 1 or failures > 9 and failures > 9", BREACH),
        ("not failures > 9", BREACH),
        ("!failures > 9", BREACH),
        ("not failures > 9 and failures > 9", OK),
        ("not (failures > 9 and failures > 1)", BREACH),
        ("not not failures > 1", BREACH),
        ("failures > 1 && failures > 2 || failures > 9", BREACH),
        ("failures > 1\n  and\tfailures > 2", BREACH),
    ],
)
def test_or_binds_least_then_and_then_not(text: str, expected: Verdict) -> None:
    """Precedence is that of every programming language, and `not` is below comparisons."""
    assert verdict(text, FAILING) is expected


UNKNOWN, TRUE, FALSE = "approvalRate < 0.5", "failures > 1", "failures > 9"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (UNKNOWN, INSUFFICIENT),
        (f"not {UNKNOWN}", INSUFFICIENT),
        (f"{UNKNOWN} and {TRUE}", INSUFFICIENT),
        (f"{UNKNOWN} and {FALSE}", OK),
        (f"{FALSE} and {UNKNOWN}", OK),
        (f"{UNKNOWN} or {TRUE}", BREACH),
        (f"{TRUE} or {UNKNOWN}", BREACH),
        (f"{UNKNOWN} or {FALSE}", INSUFFICIENT),
        (f"not ({UNKNOWN} and {FALSE})", BREACH),
        (f"not ({UNKNOWN} or {TRUE})", OK),
        (f"({UNKNOWN} or {FALSE}) and {TRUE}", INSUFFICIENT),
    ],
)
def test_what_is_unknown_decides_only_when_nothing_else_does(text: str, expected: Verdict) -> None:
    """Missing data is neither true nor false, and loses against either where that settles it."""
    assert verdict(text, FAILING) is expected


@pytest.mark.parametrize(
    ("text", "row", "least", "expected"),
    [
        ("errorRate > 0.05", FAILING, 97, BREACH),
        ("errorRate > 0.05", FAILING, 98, INSUFFICIENT),
        ("errorRate > 0.05", counts(), 1, INSUFFICIENT),
        ("errorRate > 0.05", counts(), 0, INSUFFICIENT),
        ("errorRate <= 0.05", counts(), 1, INSUFFICIENT),
        ("errorRate * 1 > 0.05", FAILING, 98, INSUFFICIENT),
        ("failures >= 3", FAILING, 1_000, BREACH),
        ("failures >= 3", counts(), 1_000, OK),
        ('incident.severity == "low"', counts(), 1_000, OK),
        ("failures / attempts > 0.05", FAILING, 98, BREACH),
    ],
)
def test_only_rates_need_samples(text: str, row: list[int], least: int, expected: Verdict) -> None:
    """A rate over too little is unknown; a count is exact however small."""
    assert verdict(text, row, least=least) is expected


@pytest.mark.parametrize(
    "text",
    [
        "failures / rejected > 1",
        "rejected / rejected == 1",
        "failures / (approved * 2) < 1",
        "errorRate / rollbackRate > 2",
    ],
)
def test_dividing_by_nothing_is_unknown(text: str) -> None:
    """A divisor that turns out to be 0 makes the comparison unknown, and raises nothing."""
    assert verdict(text, FAILING) is INSUFFICIENT


def test_a_value_beyond_all_floats_is_compared_all_the_same() -> None:
    """Values are whole numbers and fractions of them, which know no largest one."""
    product = " * ".join(["999999999999999"] * 25)

    assert verdict(f"failures * {product} > failures", FAILING) is BREACH
    assert verdict(f"failures * {product} < failures", FAILING) is OK


@pytest.mark.parametrize("hundredth", range(101))
@pytest.mark.parametrize(
    "written", ["errorRate * 100", "100 * errorRate", "errorRate / 1%", "failures / attempts * 100"]
)
def test_a_limit_met_exactly_is_met_however_it_is_reckoned(written: str, hundredth: int) -> None:
    """7 of 100 is not more than 7 per cent and not less, by any way to write it."""
    found = counts(failed=hundredth, succeeded=100 - hundredth)

    for text in (f"{written} == {hundredth}", f"errorRate == {hundredth}%"):
        assert verdict(text, found) is BREACH
    for text in (f"{written} > {hundredth}", f"{written} < {hundredth}"):
        assert verdict(text, found) is OK


def test_a_limit_is_as_exact_as_it_is_written() -> None:
    """A third is more than any number of threes behind the point."""
    found = counts(failed=1, succeeded=2)

    assert verdict(f"errorRate > 0.{'3' * 40}", found) is BREACH
    assert verdict(f"errorRate < 0.{'3' * 39}4", found) is BREACH


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        ("errorRate > 0.05", ("errorRate",)),
        ("commandType.failures >= 3", ("failures",)),
        ("failures > 3 and errorRate > 0.1 or failures > 9", ("failures", "errorRate")),
        ("1 < failures and 0.1 < errorRate", ("failures", "errorRate")),
        ('incident.severity === "high"', ("incidents.high",)),
        (
            'incident.severity != "high" and failures > 1',
            ("incidents.critical", "incidents.medium", "incidents.low", "failures"),
        ),
    ],
)
def test_metrics_are_named_once_in_the_order_of_the_text(
    text: str, metrics: tuple[str, ...]
) -> None:
    """Evidence lists the catalogue's names, each once, as the reader meets them."""
    condition = compile_condition(text)

    assert condition.metrics == metrics
    assert tuple(reading.metric for reading in condition.readings(FAILING)) == metrics


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("errorRate > 0.05", False),
        ("commandType.errorRate > 0.05", True),
        ("errorRate > 0.05 and commandType.failures > 3", True),
        ('commandType.incident.severity == "low"', True),
    ],
)
def test_one_prefix_makes_the_rule_per_command_type(text: str, expected: bool) -> None:
    """All metrics of a condition are of one scope, and one prefix says which."""
    assert compile_condition(text).per_command_type is expected


def test_a_condition_shows_the_bad_events_of_all_its_metrics() -> None:
    """The classes of evidence are those of the metrics together."""
    condition = compile_condition('errorRate > 0.1 or incident.severity == "low"')

    assert condition.sample_classes == {SampleClass.FAILURE, SampleClass.INCIDENT}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("errorRate > 0.05", "errorRate 0.072165 (7/97) > 0.05"),
        ("approvalRate < 0.5", "approvalRate null (0/0) < 0.5"),
        ("commandType.failures >= 3", "commandType.failures 7 >= 3"),
        ("failures / window > 3 / 1m", "failures 7 / window 5m > 3 / 1m"),
        ('incident.severity == "low"', 'incident.severity (0 low) == "low"'),
        (
            '"low" != incident.severity',
            '"low" != incident.severity (0 critical, 0 high, 0 medium)',
        ),
    ],
)
def test_values_stand_behind_their_names(text: str, expected: str) -> None:
    """People read the condition as they wrote it, with what was measured beside each name."""
    assert compile_condition(text).substituted(FAILING, window=WINDOW) == expected


@pytest.mark.parametrize("failed", range(1, 101))
def test_a_rate_on_its_threshold_is_not_above_it(failed: int) -> None:
    """Division and the written decimal round alike, so equality is exact at every percent."""
    row = counts(succeeded=100 - failed, failed=failed)

    assert verdict(f"errorRate > {failed / 100}", row) is OK
    assert verdict(f"errorRate >= {failed}%", row) is BREACH


def test_the_deepest_condition_that_is_allowed_is_judged() -> None:
    """Thirty levels compile and run; the limit is far above what people write."""
    text = "not " * 30 + "failures > 1"

    assert verdict(text, FAILING) is BREACH


def test_conditions_of_one_text_are_equal() -> None:
    """A condition is known by its text: closures do not count."""
    assert compile_condition("errorRate > 0.05") == compile_condition("errorRate > 0.05")
