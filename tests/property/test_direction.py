"""What is called tighter is tighter: against the engine itself, on counts and on whole logs.

Pairs of rules are mostly mutations of one another, since unrelated ones are seldom comparable.
The conditions are written here, each in one of many spellings, and judged by compiled rules: the
only thing taken from `rules.direction` is its answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.breaker import CLOSED_BREAKER, Breaker, Position, advance
from rules.direction import Direction, direction
from rules.live import LiveRule, check_rule
from rules.verdict import Verdict
from rules.windows import Panes
from schemas.errors import RuleError
from schemas.rules import Action, Rule
from schemas.tallies import WIDTH, Column
from tests.unit.rules import facts

BATCH: Final = 20
SEEDS = st.integers(0, 2**64)

# -------------------------------------------------------- conditions, and their many spellings


@dataclass(frozen=True)
class Compared:
    """A term, an operator and a limit."""

    term: str
    sign: str
    limit: str


@dataclass(frozen=True)
class Joint:
    """``and`` or ``or`` of some, or ``not`` of one."""

    sign: str
    parts: tuple[Tree, ...]


Tree = Compared | Joint

RATES = ["errorRate", "errorRate", "successRate", "rollbackRate"]
COUNTS = [
    "failures", "failures", "attempts", "incidents.critical", "failures + rolledBack",
    "failures - rolledBack",
]  # fmt: skip
SHARES = ["0", "0.05", "0.1", "0.2", "0.5", "0.9", "1"]
NUMBERS = ["0", "1", "2", "2.5", "3", "5"]
FREQUENCIES = ["1 / 10s", "2 / 10s", "3 / 10s"]
SIGNS = [">", ">=", "<", "<=", "==", "!="]
LIMITS = {
    **dict.fromkeys(RATES, SHARES),
    **dict.fromkeys(COUNTS, NUMBERS),
    "failures / attempts": SHARES,
    "failures / window": FREQUENCIES,
    "failures": [*NUMBERS, "succeeded", "attempts * 0.5", "errorRate * attempts"],
    "incident.severity": ['"critical"', '"high"', '"medium"'],
}
TERMS = [*RATES, *COUNTS, "failures / attempts", "failures / window", "incident.severity"]
MIRRORED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "==": "!=", "!=": "=="}
PERCENT = {"0.05": "5%", "0.1": "10.0%", "0.5": "50%", "0.9": "0.90", "1": "100%"}


def compared(random: Random, term: str | None = None) -> Compared:
    """Draw a comparison."""
    term = term or random.choice(TERMS)
    signs = ["==", "!="] if term == "incident.severity" else [*SIGNS, ">", ">="]
    return Compared(term, random.choice(signs), random.choice(LIMITS[term]))


def drawn(random: Random, depth: int = 1) -> Tree:
    """Draw a condition."""
    if not depth or random.random() < 0.4:
        return compared(random)
    sign = random.choice(["and", "or", "or", "not"])
    number = 1 if sign == "not" else random.choice([2, 2, 3])
    return Joint(sign, tuple(drawn(random, depth - 1) for _ in range(number)))


def mutated(random: Random, tree: Tree) -> Tree:
    """Draw a condition that is near to *tree*."""
    match random.randrange(9), tree:
        case 0 | 1 | 2, Compared(term, sign, _):
            return Compared(term, sign, random.choice(LIMITS[term]))
        case 3, Compared(term):
            return compared(random, term)
        case 0 | 1 | 2 | 3, Joint(sign, parts):
            index = random.randrange(len(parts))
            one = mutated(random, parts[index])
            return Joint(sign, (*parts[:index], one, *parts[index + 1 :]))
        case 4, Joint(sign, parts) if len(parts) > 1:
            return Joint(sign, parts[1:]) if len(parts) > 2 else parts[random.randrange(2)]
        case 5, Joint("not", (inner,)):
            return inner
        case 4 | 5 | 6, _:
            return Joint("or", (tree, drawn(random, 1)))
        case 7, _:
            return Joint("and", (tree, drawn(random, 1)))
        case _:
            return Joint("not", (tree,))


def written(random: Random, tree: Tree) -> str:
    """Return a condition in one of its spellings."""
    if random.random() < 0.1:
        return f"not ({written(random, opposite(tree))})"
    match tree:
        case Joint("not", (inner,)):
            return f"{random.choice(['not ', '!'])}({written(random, inner)})"
        case Joint(sign, parts):
            texts = [f"({written(random, part)})" for part in parts]
            random.shuffle(texts)
            word = random.choice([sign, {"and": "&&", "or": "||"}[sign]])
            return f" {word} ".join(texts)
        case Compared(term, sign, limit):
            limit = random.choice([limit, PERCENT.get(limit, limit)]) if term in RATES else limit
            gap = random.choice(["", " ", "\n  "])
            if random.random() < 0.3:
                term, sign, limit = limit, MIRRORED[sign], term
            sign = {"==": "===", "!=": "!=="}.get(sign, sign) if random.random() < 0.5 else sign
            return f"{term}{gap}{sign}{gap}{limit}"


def opposite(tree: Tree) -> Tree:
    """Return the opposite, by De Morgan; that of a severity is not the one of its sign."""
    match tree:
        case Compared(term, sign, limit):
            if term == "incident.severity":
                return Joint("not", (tree,))
            return Compared(term, OPPOSITE[sign], limit)
        case Joint("not", (inner,)):
            return inner
        case Joint(sign, parts):
            return Joint({"and": "or", "or": "and"}[sign], tuple(map(opposite, parts)))


# --------------------------------------------------------------------------------------- rules

ACTIONS = ["alert_only", "alert_only", "pause_command_type", "revert_to_l3"]
SEVERITIES = ["low", "medium", "high", "critical"]
WINDOWS = ["5s", "10s", "20s", "15m", "901s", "1h"]
LENGTHS = ["0s", "0s", "1s", "5s", "20s"]


@dataclass(frozen=True)
class Draft:
    """A rule before it is written."""

    condition: Tree
    recover: Tree | None
    fields: dict[str, Any]

    def rule(self, random: Random) -> Rule:
        """Return the rule in one of its spellings."""
        return Rule.model_validate(
            {
                "name": "a rule",
                "condition": written(random, self.condition),
                "recoverWhen": self.recover and written(random, self.recover),
                "groupBy": "commandType",
                **self.fields,
            }
        )


def recovery(random: Random, condition: Tree) -> Tree | None:
    """Draw a condition of recovery: often none, or one that is the condition's opposite."""
    match random.randrange(6):
        case 0:
            return mutated(random, opposite(condition))
        case 1:
            return Joint("and", (opposite(condition), drawn(random, 1)))
        case 2:
            return drawn(random, 1)
        case _:
            return None


def field(random: Random, name: str) -> Any:
    """Draw what a field says."""
    choices: dict[str, list[Any]] = {
        "enabled": [True, True, True, False],
        "window": WINDOWS,
        "action": ACTIONS,
        "alertSeverity": SEVERITIES,
        "for": LENGTHS,
        "keepFiringFor": LENGTHS,
        "minSamples": [1, 1, 2, 5],
    }
    return random.choice(choices[name])


NAMES = ["enabled", "window", "action", "alertSeverity", "for", "keepFiringFor", "minSamples"]


def draft(random: Random) -> Draft:
    """Draw a rule."""
    condition = drawn(random, random.choice([0, 1, 1, 2]))
    fields = {name: field(random, name) for name in NAMES}
    return Draft(condition, recovery(random, condition), fields | {"enabled": True})


def changed(random: Random, old: Draft) -> Draft:
    """Draw a rule that is near to *old*: one or two things are different."""
    new = old
    for _ in range(random.choice([1, 1, 2])):
        match random.randrange(8):
            case 0 | 1 | 2 | 3:
                new = replace(new, condition=mutated(random, new.condition))
            case 4:
                again = new.recover and mutated(random, new.recover)
                new = replace(new, recover=again or recovery(random, new.condition))
            case _:
                name = random.choice([*NAMES, "window", "minSamples"])
                new = replace(new, fields=new.fields | {name: field(random, name)})
    return new


def checked(random: Random, one: Draft) -> Rule | None:
    """Return the rule of a draft, unless it is more than a condition may be."""
    try:
        rule = one.rule(random)
        check_rule(rule)
    except (RuleError, ValueError):
        return None
    return rule


def pair(random: Random) -> tuple[Rule, Rule] | None:
    """Draw two rules: unrelated, of two windows, or near to each other in some other way."""
    one = draft(random)
    match random.randrange(10):
        case 0:
            other = draft(random)
        case 1 | 2:
            other = replace(one, fields=one.fields | {"window": field(random, "window")})
        case _:
            other = changed(random, one)
    before, after = checked(random, one), checked(random, other)
    return None if before is None or after is None else (before, after)


def way(before: Rule, after: Rule) -> Direction:
    """Return the direction, which is never tighter or same both ways round unless same."""
    there, back = direction(before, after), direction(after, before)
    assert (there is Direction.SAME) == (back is Direction.SAME), (before, after)
    assert Direction.TIGHTER not in {there, back} or there is not back, (before, after)
    return there


# --------------------------------------------------------------------------------- the oracles


def counts(random: Random) -> list[int]:
    """Draw what was counted: often nothing, often right at a limit that conditions name."""
    row = [0] * WIDTH
    attempts = random.choice([0, 0, 1, 2, 4, 5, 10, 20, 40])
    share = random.choice([0, 0.05, 0.1, 0.2, 0.5, 0.9, 1, random.random()])
    failures = min(max(round(share * attempts) + random.choice([-1, 0, 0, 1]), 0), attempts)
    row[Column.SUCCEEDED] = attempts - failures
    row[Column.TIMED_OUT] = random.randint(0, failures)
    row[Column.FAILED] = failures - row[Column.TIMED_OUT]
    row[Column.ROLLED_BACK] = random.choice([0, 0, 1, 2, random.randint(0, attempts)])
    for column in (Column.INCIDENT_CRITICAL, Column.INCIDENT_HIGH, Column.INCIDENT_LOW):
        row[column] = random.choice([0, 0, 1, 2, 3])
    return row


def check_counts(random: Random, before: LiveRule, after: LiveRule) -> None:
    """Check that what breaches the old rule breaches the new one; a longer window holds more."""
    near = counts(random)
    far = [a + b for a, b in zip(near, counts(random), strict=True)]
    longer = after.window - before.window
    old, new = (near, far) if longer > 0 else (far, near) if longer < 0 else (near, near)
    if before.verdict(old) is Verdict.BREACH:
        assert after.verdict(new) is Verdict.BREACH, (before.rule, after.rule, old, new)


class Side:
    """One of two rules that live through the same log."""

    def __init__(self, live: LiveRule) -> None:
        self.live = live
        self.breaker: Breaker = CLOSED_BREAKER

    def see(self, seen: Sequence[int], at: int) -> bool:
        """Judge what was counted at *at*; return whether the breaker is open then."""
        verdict = self.live.verdict(seen)
        recovered = self.live.recovery(seen, verdict)
        self.breaker, _ = advance(
            self.breaker, verdict, recovered, at=at, live=self.live, scope="commandType=A"
        )
        return self.breaker.position in {Position.OPEN, Position.RECOVERING}


JUMPS = [100, 100, 1_000, 1_000, 3_000, 5_000, 20_000, 600_000]
HAPPENINGS = [
    Column.SUCCEEDED, Column.SUCCEEDED, Column.FAILED, Column.FAILED, Column.TIMED_OUT,
    Column.ROLLED_BACK, Column.INCIDENT_CRITICAL, Column.INCIDENT_HIGH,
]  # fmt: skip


def check_log(random: Random, before: LiveRule, after: LiveRule, *, alike: bool) -> None:
    """Check on a whole log that the new breaker is open whenever the old one is."""
    at, panes = 1_000_000_000, Panes()
    panes.track({before.window, after.window}, at)
    old, new = Side(before), Side(after)
    story: list[tuple[int, list[Column]]] = []
    for _ in range(40):
        at += random.choice(JUMPS)
        events = random.choices(HAPPENINGS, k=random.choice([0, 0, 1, 1, 2, 5]))
        for column in events:
            panes.add(at // 1_000, [(column, 1)])
        panes.slide(at)
        story.append((at, events))
        was_open = old.see(panes.counts(before.window), at)
        is_open = new.see(panes.counts(after.window), at)
        assert was_open <= is_open, (before.rule, after.rule, story)
        assert not alike or was_open == is_open, (before.rule, after.rule, story)


def check_moods(random: Random, before: LiveRule, after: LiveRule, *, alike: bool) -> None:
    """Check the same while what was counted goes to and fro between a few states.

    So it is seen how breach, ok and missing data take turns, which on logs are seldom near.
    """
    old, new = Side(before), Side(after)
    moods = [[0] * WIDTH, *(counts(random) for _ in range(3))]
    story = [random.choice(moods) for _ in range(40)]
    at = 1_000_000_000
    for mood in story:
        at += random.choice([500, 1_000, 5_000])
        was_open, is_open = old.see(mood, at), new.see(mood, at)
        assert was_open <= is_open, (before.rule, after.rule, story)
        assert not alike or was_open == is_open, (before.rule, after.rule, story)


def both_live(before: Rule, after: Rule) -> tuple[LiveRule, LiveRule]:
    """Return two rules compiled."""
    return check_rule(before), check_rule(after)


STRENGTH = [Action.ALERT_ONLY, Action.PAUSE_COMMAND_TYPE, Action.REVERT_TO_L3]


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_what_is_called_tighter_opens_whenever_the_old_rule_did(seed: int) -> None:
    """On counts at every limit, and on logs across rings of panes; `same` is so both ways."""
    random = Random(seed)
    for before, after in filter(None, (pair(random) for _ in range(BATCH))):
        found = way(before, after)
        if found is Direction.LOOSER:
            continue
        assert before.enabled <= after.enabled
        assert STRENGTH.index(before.action) <= STRENGTH.index(after.action)
        live = both_live(before, after)
        for _ in range(15):
            check_counts(random, *live)
        check_log(random, *live, alike=found is Direction.SAME)
        if before.window == after.window:
            check_moods(random, *live, alike=found is Direction.SAME)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_a_rule_is_the_same_however_it_is_spelt(seed: int) -> None:
    """Signs, spaces, sides, shares, the order of parts and negations pushed about."""
    random = Random(seed)
    for one in (draft(random) for _ in range(BATCH)):
        before, after = checked(random, one), checked(random, one)
        if before is not None and after is not None:
            assert direction(before, after) is Direction.SAME, (before, after)


def climb(random: Random) -> tuple[list[Rule], list[Direction]]:
    """Draw a rule and what it becomes in some steps that are tighter or same, and the steps."""
    one = draft(random)
    while (rule := checked(random, one)) is None:
        one = draft(random)
    rules, steps = [rule], list[Direction]()
    for _ in range(8):
        near = changed(random, one)
        rule = checked(random, near)
        if rule is not None and (step := direction(rules[-1], rule)) is not Direction.LOOSER:
            one = near
            rules.append(rule)
            steps.append(step)
    return rules, steps


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS)
def test_steps_in_one_direction_lead_there_at_once(seed: int) -> None:
    """What is tightened twice, or tightened and kept, is tighter than it was at first."""
    rules, steps = climb(Random(seed))
    for start in range(len(rules)):
        for end in range(start + 2, len(rules)):
            is_tighter = Direction.TIGHTER in steps[start:end]
            whole = Direction.TIGHTER if is_tighter else Direction.SAME
            assert direction(rules[start], rules[end]) is whole, rules[start : end + 1]


def test_enough_of_what_is_drawn_can_be_compared() -> None:
    """The laws above are put to the test by hundreds of tighter and same rules, not by a few."""
    random = Random(7)
    pairs = filter(None, (pair(random) for _ in range(300)))
    found = Counter(direction(before, after) for before, after in pairs)

    assert min(found[way] for way in Direction) >= 30


# ---------------------------------------------------------------- why some changes are refused

NOTHING, FEW, BAD, GOOD = (
    facts.counts(),
    facts.counts(succeeded=3),
    facts.counts(succeeded=15, failed=5),
    facts.counts(succeeded=20),
)
DOUBTS: list[tuple[dict[str, Any], dict[str, Any], list[list[int]]]] = [
    # A shorter `for`: opens, recovers on nothing at all, and begins anew; the longer one goes on.
    (
        {"for": "30s", "recoverWhen": "failures == 0"},
        {"for": "10s", "recoverWhen": "failures == 0"},
        [BAD, BAD, BAD, NOTHING, BAD],
    ),
    # Fewer samples: an alert that stands for lack of data is seen to be over.
    ({"minSamples": 20}, {"minSamples": 3}, [BAD, FEW]),
    # Fewer samples: a breach that is counted on over a gap is seen to have ended in it.
    (
        {"minSamples": 20, "for": "15s", "action": "revert_to_l3"},
        {"minSamples": 3, "for": "15s", "action": "revert_to_l3"},
        [BAD, FEW, BAD, BAD],
    ),
]


@pytest.mark.parametrize(("before", "after", "story"), DOUBTS)
def test_what_looks_tighter_may_open_later(
    before: dict[str, Any], after: dict[str, Any], story: list[list[int]]
) -> None:
    """Changes that look tighter and are refused have a log on which only the old rule is open."""
    sides = Side(facts.live(**before)), Side(facts.live(**after))
    opened = [
        tuple(side.see(seen, at * 10_000) for side in sides) for at, seen in enumerate(story, 1)
    ]

    assert opened[-1] == (True, False)
    assert direction(facts.rule(**before), facts.rule(**after)) is Direction.LOOSER
