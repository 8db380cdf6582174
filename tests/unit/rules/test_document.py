"""`docs/rules.md` says what the code does."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

import pytest

from rules import breaker, grammar
from rules.breaker import MOVES
from rules.condition import compile_condition
from rules.defaults import default_rules
from rules.direction import SEVERITIES, change
from rules.escalation import INFERENCES
from rules.grammar import MAX_HEIGHT
from rules.metrics import METRICS
from rules.trips import Escalated
from rules.verdict import Verdict
from rules.windows import RINGS
from schemas.durations import milliseconds
from schemas.errors import RuleError
from schemas.rules import MAX_CONDITION, STRENGTHS, Rule
from schemas.settings import Settings, variable_of
from schemas.tallies import Column
from tests.unit.rules.facts import rule

TEXT = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")


def table(header: str) -> list[list[str]]:
    """Return the cells of the table that begins with *header*, without code marks."""
    lines = TEXT.split(f"\n{header}\n")[1].splitlines()[1:]
    rows = takewhile(lambda line: line.startswith("|"), lines)
    return [[cell.strip().replace("`", "") for cell in row.strip("|").split("|")] for row in rows]


def formula(columns: tuple[Column, ...], *, inside: bool) -> str:
    """Return a sum of columns, in brackets when it is one of several inside a quotient."""
    summed = " + ".join(column.name.lower() for column in columns)
    return f"({summed})" if inside and len(columns) > 1 else summed


def test_the_fields_are_those_of_a_rule() -> None:
    """Every field of a rule has its row, in the order of the model, and no other has."""
    assert [row[0] for row in table("| field | meaning |")] == [
        "name", "enabled", "condition", "window", "action", "alertSeverity",
        *(field.alias for name, field in Rule.model_fields.items()
          if name not in {"name", "enabled", "condition", "window", "action", "alert_severity"}),
    ]  # fmt: skip


def test_the_default_rules_are_listed() -> None:
    """The table of default rules is `defaults.yaml`."""
    rows = [
        [r.name, r.condition, r.window, str(r.action), str(r.alert_severity)]
        for r in default_rules()
    ]

    assert table("| name | condition | window | action | severity |") == rows


def test_the_metrics_are_the_catalogue() -> None:
    """Names, units, formulas and meanings are those that are computed."""
    rows = []
    for metric in METRICS.values():
        text = formula(metric.numerator, inside=metric.denominator is not None)
        if metric.denominator is not None:
            text += f" / {formula(metric.denominator, inside=True)}"
        rows.append([metric.name, metric.unit.value, text, metric.description.replace("`", "")])

    assert table("| metric | unit | formula | meaning |") == rows


def test_the_verdicts_are_listed() -> None:
    """Each verdict has its row."""
    assert [row[0] for row in table("| verdict | meaning |")] == [str(v) for v in Verdict]


def test_the_panes_are_those_of_the_windows() -> None:
    """How far each resolution reaches is what windows keep."""
    rows = [[milliseconds(reach), milliseconds(pane)]
            for reach, pane in table("| window up to | pane |")]  # fmt: skip

    assert rows == [[ring.reach, ring.resolution] for ring in RINGS]


def test_the_moves_are_the_table_of_the_breaker() -> None:
    """Every legal move is written down, and no other."""
    rows = {frm: set(to.split(", ")) for frm, to in table("| from | to |")}

    assert rows == {str(frm): {str(to) for to in moves} for frm, moves in MOVES.items()}


def test_the_drawing_is_that_of_the_breaker() -> None:
    """The diagram is the one in the module, line by line."""
    drawn = [line.strip() for line in (breaker.__doc__ or "").splitlines() if line.strip()]
    shown = [line.strip() for line in TEXT.split("## Breakers")[1].split("```")[1].splitlines()]

    assert [line for line in shown if line] == drawn[1 : 1 + len([s for s in shown if s])]


def test_the_grammar_is_that_of_the_module() -> None:
    """The grammar is the one that the parser was written from."""
    written = re.findall(r"^    (\S.*|  .*)$", grammar.__doc__ or "", re.MULTILINE)
    shown = TEXT.split("## Conditions")[1].split("```")[1].strip("\n").splitlines()

    assert [line.strip() for line in shown] == [line.strip() for line in written]


def test_the_limits_are_those_of_the_grammar() -> None:
    """Length and depth are the numbers that are enforced."""
    assert f"at most {MAX_CONDITION:,} characters and {MAX_HEIGHT} levels" in TEXT


def test_the_escalations_are_those_that_can_be_raised() -> None:
    """Names, limits, settings and actions are those in force by default."""
    fields = ("escalate_medium_trips", "escalate_paused_types", "escalate_storm_scopes")
    rows = table("| escalation | when | action |")

    assert [(name, action) for name, _, action in rows] == [(e, e.action) for e in Escalated]
    for (_, when, _), field in zip(rows, fields, strict=True):
        assert when.startswith(f"{Settings.model_fields[field].default} ")
        assert f"({variable_of(field)})" in when


def test_the_rules_of_the_engine_are_listed_in_their_order() -> None:
    """Whoever reads `fired` on an event finds each name here."""
    assert [row[0] for row in table("| rule | fires when |")] == [i.name for i in INFERENCES]


@pytest.mark.parametrize(
    "text",
    [
        "errorRate <= 5%",
        "failures / 5m > 3 / 1h",
        "failures / attempts > 0.1",
        "errorRate * 100 > 5",
        "!errorRate > 0.1",
        "failures / window > 3 / 1m",
        'incident.severity != "critical"',
    ],
)
def test_what_the_page_shows_compiles(text: str) -> None:
    """The examples of the page are right conditions."""
    assert compile_condition(text).text == text


def test_the_mistake_on_the_page_is_answered_as_shown() -> None:
    """The example of an error is what people get to read."""
    with pytest.raises(RuleError) as caught:
        compile_condition("errorrate > 0.05", field="")

    assert f"```\n{caught.value.caret}\n{caught.value}\n```" in TEXT


def test_the_examples_of_tighter_and_looser_are_true() -> None:
    """Each change of a condition leads where its row says."""
    for before, after, says in table("| from | to | is |"):
        old, new = (rule(condition=text) for text in (before, after))
        found = change(old, new)
        unsure = any("cannot be compared" in reason for reason in found.reasons)

        assert f"{found.direction}{': cannot be compared' if unsure else ''}" == says


def test_every_field_is_said_to_be_tighter_or_looser() -> None:
    """The table of directions has a row for each field of a rule, and shows the orders."""
    rows = table("| field | tighter | looser | cannot be compared, so looser |")
    shown = {row[0]: row[1] for row in rows}

    assert set(shown) == {row[0] for row in table("| field | meaning |")} | {"the rule itself"}
    assert shown["action"] == " → ".join(STRENGTHS)
    assert shown["alertSeverity"] == " → ".join(SEVERITIES)
