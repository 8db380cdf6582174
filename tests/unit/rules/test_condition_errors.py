"""What people are told about a condition that is wrong: where, why, and what they meant."""

from __future__ import annotations

import pytest

from rules.condition import compile_condition
from rules.suggestions import SIGNS
from schemas.errors import RuleError

MISTAKES = [
    # nothing, or half of something
    ("", 0, "empty", "errorRate > 0.05"),
    ("  \n ", 0, "empty", "errorRate > 0.05"),
    ("errorRate >", 11, "a value is missing at the end", None),
    ("errorRate > 0.05 and", 20, "a value is missing at the end", None),
    ("> 0.05", 0, "'>' where a value should be", None),
    ("errorRate 0.05", 10, "'0.05' where an operator or the end should be", None),
    ("failures > 3 errorRate > 0.1", 13, "where an operator", "and"),
    ("failures > 3 not failures > 9", 13, "where an operator", "and"),
    ("()", 1, "')' where a value should be", None),
    ("(failures > 3", 0, "not closed", ")"),
    ("failures > 3)", 12, "nothing opens", None),
    ("failures > (3 4)", 14, "where an operator", None),
    ('incident.severity == "critical', 21, "does not end", '"critical"'),
    # bare values, and values that are no conditions
    ("errorRate", 0, "a rate is not a condition", "errorRate > 0.05"),
    ("commandType.failures", 0, "a count is not a condition", "commandType.failures >= 3"),
    ("incident.severity", 0, "a severity is not", 'incident.severity == "critical"'),
    ("0.05", 0, "a number is not a condition", None),
    ("window", 0, "a duration is not a condition", None),
    ("'critical'", 0, "a string is not a condition", None),
    ("failures > 3 and errorRate", 17, "a rate is not a condition", "errorRate > 0.05"),
    ("not failures", 4, "a count is not a condition", "failures >= 3"),
    ("failures + 3", 0, "a count is not a condition", None),
    # units
    ("errorRate > 5", 12, "between 0 and 1", "0.05"),
    ("errorRate > 7.5", 12, "between 0 and 1", "0.075"),
    ("5 < errorRate", 0, "between 0 and 1", "0.05"),
    ("errorRate > 10 / 2", 12, "between 0 and 1", "0.05"),
    ("errorRate > 150%", 12, "between 0 and 1", None),
    ("errorRate > 1000", 12, "between 0 and 1", None),
    ("errorRate > -0.1", 12, "between 0 and 1", None),
    ("failures > 'three'", 9, "a count cannot be compared with a string", None),
    ("failures > 5%", 9, "a count cannot be compared with a rate", None),
    ("failures > window", 9, "a count cannot be compared with a duration", None),
    ("failures > errorRate", 9, "a count cannot be compared with a rate", None),
    ("errorRate > 'high'", 10, "a rate cannot be compared with a string", None),
    ("failures / 5m > 3", 14, "a frequency cannot be compared with a number", "3 / 1s"),
    ("0.5 < failures / window", 4, "a number cannot be compared", "0.5 / 1s"),
    ("failures + errorRate > 3", 9, "a count + a rate measures nothing", None),
    ("failures * failures > 3", 9, "a count * a count measures nothing", None),
    ("errorRate - window > 3", 10, "measures nothing", None),
    ("-'critical' > 3", 0, "a string has no sign", None),
    ("failures > 3 / 0", 15, "divided by zero", None),
    ("failures / 0s > 3 / 1m", 11, "divided by zero", None),
    ("1 < 2", 2, "holds no metric", None),
    ("window > 5m", 7, "holds no metric", None),
    ("failures > 3 or 5m * 2 > window", 23, "holds no metric", None),
    # severities
    ('incident.severity > "high"', 18, "== and != only", "incidents.high > 0"),
    ('incident.severity == "Critical"', 21, "a severity is compared with", '"critical"'),
    ('incident.severity == "urgent"', 21, "a severity is compared with", None),
    ("incident.severity == critical", 21, "'critical' is not a metric", '"critical"'),
    ("incident.severity == 3", 21, "a severity is compared with", None),
    ("incident.severity == incident.severity", 21, "a severity is compared with", None),
    ("incidents.severity == 'high'", 0, "is not a metric", "incident.severity"),
    # names
    ("errorrate > 0.1", 0, "'errorrate' is not a metric", "errorRate"),
    ("error_rate > 0.1", 0, "is not a metric", "errorRate"),
    ("metrics.errorRate > 0.1", 0, "is not a metric", "errorRate"),
    ("erorRate > 0.1", 0, "is not a metric", "errorRate"),
    ("failed >= 3", 0, "is not a metric", "failures"),
    ("commandType.failed >= 3", 0, "is not a metric", "commandType.failures"),
    ("commandtype.failures >= 3", 0, "is not a metric", "commandType.failures"),
    ("commandType.SET_POWER.failures > 3", 0, "is not a metric", "commandType.failures"),
    ("commandType.window > 3", 0, "is not a metric", "window"),
    ("timeouts > 3", 0, "is not a metric", "timedOut"),
    ("incidents > 3", 0, "is not a metric", "incidents.total"),
    ("metric > threshold", 0, "'metric' is not a metric", None),
    ("x > 3", 0, "'x' is not a metric", None),
    ("errorRate > null", 12, "'null' is not a metric", None),
    # comparisons do not chain
    ("errorRate > 0.1 > 0.2", 16, "do not chain", "errorRate > 0.1 and 0.1 > 0.2"),
    ("0.1 < errorRate < 0.2", 16, "do not chain", "0.1 < errorRate and errorRate < 0.2"),
    ("(failures > 1) > 2", 15, "do not chain", "and"),
    ("(failures > 1) == (failures > 2)", 15, "do not chain", "and"),
    ("3 < (failures > 1)", 2, "a condition is not compared", "and"),
    # numbers and durations
    ("errorRate > 1.2.3", 12, "'1.2.3' is not a number", "1.2"),
    ("errorRate > 5.", 12, "is not a number", "5"),
    ("errorRate > 0,05", 13, "',' means nothing here", "."),
    ("failures > 1_000", 11, "is not a number", "1000"),
    ("errorRate > 1e-3", 12, "is not a number", "0.001"),
    ("failures / 5min > 1 / 1m", 11, "is not a number", "5m"),
    ("failures / 500ms > 1 / 1m", 11, "is not a number", None),
    ("failures / 1h30m > 1 / 1m", 11, "is not a number", "90m"),
    ("failures / 5M > 1 / 1m", 11, "is not a number", "5m"),
    ("failures > 1234567890123456", 11, "too large", None),
    # other languages
    ("errorRate = 0.05", 10, "'=' means nothing here", "=="),
    ("errorRate <> 0.05", 10, "'<>' means nothing here", "!="),
    ("errorRate => 0.05", 10, "'=>' means nothing here", ">="),
    ("errorRate =< 0.05", 10, "'=<' means nothing here", "<="),
    ("errorRate ≥ 0.05", 10, "'≥' means nothing here", ">="),
    ("failures > 3 & failures > 4", 13, "'&' means nothing here", "and"),
    ("failures > 3 | failures > 4", 13, "'|' means nothing here", "or"),
    ("failures > 3 ANDfailures > 4", 13, "where an operator", None),
    ("AND failures > 3", 0, "where a value", None),
    ("failures > 3 OR", 15, "a value is missing", None),
    ("NOTfailures > 3", 0, "is not a metric", "failures"),
    ("failures is 3", 9, "where an operator", "=="),
    ("failures gte 3", 9, "where an operator", ">="),
    ("failures in 3", 9, "where an operator", None),
    ("len(failures) > 3", 0, "no functions", None),
    ("errorRate.toFixed(2) > 0.1", 0, "no functions", "errorRate"),
    ("__import__('os').system('x')", 16, "'.' means nothing here", None),
    ("eval('1')", 0, "no functions", None),
    ("failures > 3; drop table", 12, "';' means nothing here", None),
    ("failures > 3 ? 1 : 0", 13, "'?' means nothing here", None),
    ("failures ** 2 > 3", 9, "'**' means nothing here", None),
    ("failures // 2 > 3", 9, "'//' means nothing here", "/"),
    ("failures % 2 > 1", 9, "'%' means nothing here", None),
    ("failures[0] > 1", 8, "'[' means nothing here", "("),
    ("incident.severity == “high”", 21, "means nothing here", '"'),
    ("failures\xa0> 3", 8, "means nothing here", "a plain space"),
    ("failures > 3\x00", 12, "means nothing here", None),
    ("failures > ３", 11, "means nothing here", None),
    ("\ud800", 0, "means nothing here", None),
    # sizes
    ("failures > 3 " + "or failures > 3 " * 64, 1024, "at most 1024 characters", None),
    ("(" * 40 + "failures > 3" + ")" * 40, 32, "more than 32 deep", None),
    ("not " * 40 + "failures > 3", 128, "more than 32 deep", None),
    ("failures > " + "1 + " * 40 + "1", 137, "more than 32 deep", None),
]
"""``(text, position, part of what is said, suggestion)``"""


@pytest.mark.parametrize(("text", "position", "says", "suggestion"), MISTAKES)
def test_a_mistake_is_shown_where_it_is(
    text: str, position: int, says: str, suggestion: str | None
) -> None:
    """Each usual slip has its place, its sentence, and what was probably meant."""
    with pytest.raises(RuleError) as caught:
        compile_condition(text)

    error = caught.value
    assert says in error.problem
    assert (error.position, error.suggestion) == (position, suggestion)


def test_the_caret_stands_under_the_fault() -> None:
    """People see the text as they wrote it, with a caret under the first wrong character."""
    with pytest.raises(RuleError) as caught:
        compile_condition("errorRate > 5")

    assert caught.value.caret == "errorRate > 5\n            ^"


def test_an_error_names_the_field_that_it_is_about() -> None:
    """The condition of recoverWhen is reported as recoverWhen."""
    with pytest.raises(RuleError, match=r"^recoverWhen: 'x' is not a metric$") as caught:
        compile_condition("x > 3", field="recoverWhen")

    assert caught.value.field == "recoverWhen"


def test_a_suggestion_for_a_value_mends_the_condition() -> None:
    """Whoever takes the suggestion for the share has a condition that compiles."""
    with pytest.raises(RuleError) as caught:
        compile_condition("errorRate > 5")
    error = caught.value
    assert error.position is not None and error.suggestion is not None

    mended = error.source[: error.position] + error.suggestion

    assert compile_condition(mended).text == "errorRate > 0.05"


@pytest.mark.parametrize("sign", SIGNS)
def test_no_foreign_sign_compiles(sign: str) -> None:
    """What has a suggestion as a foreign sign is no sign of ours."""
    with pytest.raises(RuleError):
        compile_condition(f"failures {sign} 3")
