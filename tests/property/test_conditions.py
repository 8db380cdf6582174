"""Conditions against texts of every kind, and against a meaning built beside the text."""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.condition import Condition, compile_condition
from rules.metrics import METRICS, Unit
from rules.suggestions import SIGNS, WORDS
from rules.verdict import Verdict
from schemas.errors import RuleError
from schemas.rules import MAX_CONDITION
from schemas.tallies import WIDTH

WINDOW = 300_000
COUNTS = st.lists(st.integers(0, 30) | st.integers(0, 10**12), min_size=WIDTH, max_size=WIDTH)
LEAST = st.integers(1, 40)

# --------------------------------------------------------------- a text and, beside it, its meaning

Facts = tuple[Sequence[int], int]
"""Counts, and the least number of samples."""


@dataclass(frozen=True)
class Said:
    """A piece of a condition: its text, and what it is worth (None: nobody knows)."""

    text: str
    worth: Callable[[Facts], Any]


def metric(name: str) -> Said:
    """Return a metric by the formula of the catalogue, reckoned here."""
    row = METRICS[name]

    def worth(facts: Facts) -> Fraction | None:
        counts, least = facts
        above = sum(counts[column] for column in row.numerator)
        if row.denominator is None:
            return Fraction(above)
        below = sum(counts[column] for column in row.denominator)
        return None if below == 0 or below < least else Fraction(above, below)

    return Said(name, worth)


def number(value: int | Decimal) -> Said:
    """Return a number."""
    return Said(f"{value:f}", lambda facts: Fraction(value))


REACH: dict[str, Callable[[Fraction, Fraction], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else None,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
    "===": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "!==": lambda a, b: a != b,
}
COMPARISONS = st.sampled_from([">", ">=", "<", "<=", "==", "===", "!=", "!=="])


def joined(left: Said, sign: str, right: Said) -> Said:
    """Return two pieces with a sign between them; nobody knows it if nobody knows one."""

    def worth(facts: Facts) -> Any:
        one, other = left.worth(facts), right.worth(facts)
        return None if one is None or other is None else REACH[sign](one, other)

    return Said(f"({left.text} {sign} {right.text})", worth)


NUMBERS = (st.integers(0, 1_000) | st.decimals(0, 1_000, places=3)).map(number)
SHARES = st.decimals(0, 1, places=3).map(number)
SPANS = st.sampled_from(
    [
        Said("window", lambda facts: Fraction(WINDOW, 1000)),
        Said("90s", lambda facts: Fraction(90)),
        Said("2m", lambda facts: Fraction(120)),
        Said("1h", lambda facts: Fraction(3600)),
    ]
)
COUNT_NAMES = [name for name, row in METRICS.items() if row.unit is Unit.COUNT]
RATES = st.sampled_from([name for name in METRICS if name not in COUNT_NAMES]).map(metric)
BARE_COUNTS = st.sampled_from(COUNT_NAMES).map(metric)
SIGN = st.sampled_from(["+", "-"])
TOTALS = st.recursive(
    BARE_COUNTS,
    lambda inner: (
        st.builds(joined, inner, SIGN, inner | NUMBERS)
        | st.builds(joined, NUMBERS, st.just("*"), inner)
        | st.builds(joined, inner, st.just("/"), NUMBERS.filter(lambda said: float(said.text)))
        | st.builds(joined, RATES, st.just("*"), inner)
    ),
    max_leaves=4,
)
FREQUENCIES = st.builds(joined, TOTALS, st.just("/"), SPANS)
RATIOS = (
    st.builds(joined, TOTALS, st.just("/"), TOTALS)
    | st.builds(joined, RATES, st.just("*"), NUMBERS)
    | st.builds(joined, RATES, SIGN, RATES)
    | st.builds(joined, FREQUENCIES, st.just("/"), FREQUENCIES)
)
COMPARED = (
    st.builds(joined, RATES, COMPARISONS, SHARES | RATES | RATIOS)
    | st.builds(joined, SHARES, COMPARISONS, RATES)
    | st.builds(joined, TOTALS, COMPARISONS, NUMBERS | TOTALS)
    | st.builds(joined, NUMBERS, COMPARISONS, TOTALS)
    | st.builds(joined, FREQUENCIES, COMPARISONS, FREQUENCIES)
    | st.builds(joined, RATIOS, COMPARISONS, NUMBERS | RATES | RATIOS)
)


def both(left: Said, sign: str, right: Said) -> Said:
    """Return the conjunction: what is false settles it."""

    def worth(facts: Facts) -> bool | None:
        ways = {left.worth(facts), right.worth(facts)}
        return False if False in ways else None if None in ways else True

    return Said(f"({left.text} {sign} {right.text})", worth)


def either(left: Said, sign: str, right: Said) -> Said:
    """Return the disjunction: what is true settles it."""

    def worth(facts: Facts) -> bool | None:
        ways = {left.worth(facts), right.worth(facts)}
        return True if True in ways else None if None in ways else False

    return Said(f"({left.text} {sign} {right.text})", worth)


def opposite(sign: str, inner: Said) -> Said:
    """Return the negation."""

    def worth(facts: Facts) -> bool | None:
        way = inner.worth(facts)
        return None if way is None else not way

    return Said(f"{sign} {inner.text}", worth)


AND = st.sampled_from(["and", "AND", "And", "aNd", "&&"])
OR = st.sampled_from(["or", "OR", "Or", "oR", "||"])
NOT = st.sampled_from(["not", "NOT", "Not", "nOT", "!"])
CONDITIONS = st.recursive(
    COMPARED,
    lambda inner: (
        st.builds(both, inner, AND, inner)
        | st.builds(either, inner, OR, inner)
        | st.builds(opposite, NOT, inner)
    ),
    max_leaves=4,
).filter(lambda said: len(said.text) <= MAX_CONDITION)


@settings(max_examples=1_500, deadline=None)
@given(said=CONDITIONS, counts=COUNTS, least=LEAST)
def test_a_condition_means_what_its_parts_mean(said: Said, counts: list[int], least: int) -> None:
    """Whatever the grammar makes, its verdict is that of the meaning built beside the text."""
    expected = {True: Verdict.BREACH, False: Verdict.OK, None: Verdict.INSUFFICIENT}

    verdict = compile_condition(said.text).verdict(counts, min_samples=least, window=WINDOW)

    assert verdict is expected[said.worth((counts, least))]


# ------------------------------------------------------------------------------- any text at all

WORDBOOK = [
    *METRICS, *SIGNS, *WORDS, *REACH, "incident.severity", "commandType.", "commandType.failures",
    "window", "and", "or", "not", "NOT", "&&", "||", "!", "(", ")", '"', "'", '"critical"', "'low'",
    "0", "1", "0.05", "5%", "5m", "7d", "0s", "1e9", ".5", "5.", "999999999999999", " ", "\n",
    "\x00",
    "metric", "threshold", "null", "true", "eval", "__class__", "[", "]", "{", "}", ";", ",",
]  # fmt: skip
TERMS = [
    "errorRate > 0.05", "commandType.failures >= 3", 'incident.severity === "critical"',
    "rollbackRate > 0.1", "failures / window > 3 / 1m", "0.5 < approvalRate", "total != 0",
    "errorRate * 100 >= 5", "-failures < -2", "5% <= errorRate", "failures > 0.05 * attempts",
    "incidents.critical + incidents.high > 1", "successRate < 99.5%", "(failures) > (1 + 2) * 3",
]  # fmt: skip


def grammatical(random: Random, depth: int = 3) -> str:
    """Draw a right condition."""
    match random.randrange(5) if depth else 0:
        case 1:
            return f"not {grammatical(random, depth - 1)}"
        case 2:
            return f"({grammatical(random, depth - 1)})"
        case 3 | 4:
            sign = random.choice(["and", "or", "AND", "Or", "&&", "||"])
            return f"{grammatical(random, depth - 1)} {sign} {grammatical(random, depth - 1)}"
        case _:
            return random.choice(TERMS)


def mutated(random: Random) -> str:
    """Draw a right condition and make some mistakes in it."""
    text = grammatical(random)
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(text))
        upto = at + random.randint(0, 8)
        text = text[:at] + random.choice([*WORDBOOK, text[at:upto] * 2, ""]) + text[upto:]
    return text


def soup(random: Random) -> str:
    """Draw words of conditions in any order."""
    words = random.choices(WORDBOOK, k=random.randint(0, 60))
    return random.choice(["", " "]).join(words)


def noise(random: Random) -> str:
    """Draw characters of any kind, lone surrogates included."""
    limit = random.choice([128, 256, 0x3000, 0x110000])
    return "".join(chr(random.randrange(limit)) for _ in range(random.randint(0, 40)))


def repeated(random: Random) -> str:
    """Draw one word many times over."""
    return random.choice(WORDBOOK) * random.randint(1, 1_100)


KINDS = [grammatical, mutated, mutated, mutated, soup, soup, noise, repeated]
BATCH = 20


class Steps:
    """How many calls a piece of code made: time without a clock."""

    def __init__(self) -> None:
        self.calls = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the calls made inside."""

        def note(frame: object, event: str, argument: object) -> None:
            self.calls += event in {"call", "c_call"}

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            yield
        finally:
            sys.setprofile(before)


def attempt(text: str) -> Condition | RuleError:
    """Return the condition, or the error that refuses it; anything else is raised."""
    try:
        return compile_condition(text)
    except RuleError as error:
        return error


@settings(max_examples=10_000 // BATCH, deadline=None)
@given(seed=st.integers(0, 2**64), counts=COUNTS, least=LEAST)
def test_any_text_compiles_or_is_refused_with_a_place(
    seed: int, counts: list[int], least: int
) -> None:
    """Ten thousand texts: none raises anything but RuleError, or takes undue steps."""
    random = Random(seed)
    for _ in range(BATCH):
        check(random.choice(KINDS)(random), counts, least)


def check(text: str, counts: list[int], least: int) -> None:
    """Check that *text* compiles into something that can be judged, or is refused properly."""
    steps = Steps()
    with steps.counted():
        result = attempt(text)

    assert steps.calls <= 1_500 + 12 * min(len(text), MAX_CONDITION)
    if isinstance(result, RuleError):
        assert result.position is not None
        assert 0 <= result.position <= len(text)
        assert result.source == text
    else:
        result.verdict(counts, min_samples=least, window=WINDOW)
        assert result.substituted(counts, window=WINDOW)
        assert len(result.readings(counts)) == len(result.metrics)


@settings(max_examples=500, deadline=None)
@given(said=CONDITIONS, counts=COUNTS)
def test_the_substituted_text_is_the_text_with_values_put_in(said: Said, counts: list[int]) -> None:
    """Leaving the values out again gives the condition, character by character."""
    rest = iter(compile_condition(said.text).substituted(counts, window=WINDOW))

    assert all(character in rest for character in said.text)


HARDEST = [
    "||".join(["total>1"] * 113),
    " and ".join(["errorRate > 0.05"] * 48),
    "failures > " + "+".join(["1"] * 31),
    "(" * 30 + "failures > 1" + ")" * 30,
    "-" * 1_024,
    "not " * 255,
    "x" * 1_024,
    ("x" * 64 + " ") * 15,
    '"' + "x" * 1_023,
    '"x" ' * 255,
    "commandType." * 85,
    "1" * 1_024,
    "." * 1_024,
    "=" * 1_024,
]


@pytest.mark.parametrize("text", HARDEST, ids=lambda text: text[:24])
def test_the_hardest_texts_take_steps_by_their_length(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Texts that are made to be slow are not; the time is printed for people, not asserted."""
    steps = Steps()
    with steps.counted():
        attempt(text)
    fastest = min(timeit.repeat(lambda: attempt(text), number=3, repeat=5)) / 3

    with capsys.disabled():
        sys.stdout.write(f"\n  {fastest * 1e6:7.0f} µs  {steps.calls:6d} calls  {text[:40]!r}")
    assert steps.calls <= 1_500 + 12 * len(text)
