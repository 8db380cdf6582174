"""Rules drawn by chance, and how people change them while the log runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from schemas.events import Severity
from schemas.governance import Phase, ProtectionRecord, StateRecord
from schemas.rules import Action, Rule, RuleVersion
from schemas.wire import from_ms
from tests.oracle.conditions import Both, Either, Not, Term, Tree, terms, written
from tests.oracle.laws import Book, Law
from tests.oracle.log import SourceLog, ceil_step

NAMES: Final = ("High Error Rate", "Repeated Failures", "rule@2", "Règle n° 1", "incidents")
WINDOWS: Final = ("5s", "5s", "10s", "10s", "1m", "1m", "5m", "15m", "20m", "1h", "25h", "7s")
GROUPS: Final = ("overall", "commandType", "commandType", "labels.region", None)
PATIENCE: Final = ("0s", "0s", "0s", "1s", "3s", "10s")
RATE_TERMS: Final = (
    ("errorRate", ">", ("0.05", "0.1", "0.25", "0.5")),
    ("errorRate", ">=", ("0.05", "0.2", "0.5")),
    ("successRate", "<", ("0.9", "0.75")),
    ("successRate", "<=", ("0.95", "0.5")),
    ("rollbackRate", ">", ("0.1", "0.02")),
    ("approvalRate", "<", ("0.5", "0.9")),
)
RECOVERIES: Final = {">": ("<=", "<"), ">=": ("<",), "<": (">=", ">"), "<=": (">",)}
"""Comparisons that exclude each other."""

COUNT_TERMS: Final = (
    ("commandType.failures", ">=", ("1", "3", "5")),
    ("commandType.failures", ">", ("2", "10")),
    ("failures", ">=", ("2", "4")),
    ("incidents.critical", ">", ("0", "1")),
    ("incidents.critical", ">=", ("1",)),
    ("incident.severity", "===", ("critical", "high")),
    ("incident.severity", "==", ("critical", "low")),
    ("constraintViolations", ">=", ("1", "2")),
    ("constraintViolations", "!=", ("0",)),
    ("emergencyAborts", ">", ("0",)),
)


def draw_book(random: Random, logs: tuple[SourceLog, ...], kinds: Sequence[str]) -> Book:
    """Return rules with all their versions, epochs, and which of *kinds* are protected."""
    times = sorted(record.time for log in logs for record in log.records)
    names = random.sample(NAMES, random.randint(1, 4))
    laws = [law for name in names for law in _versions(random, name, times)]
    states = tuple(_states(random, times))
    return Book(laws, (), states, tuple(_protections(random, kinds, times)))


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule with the trees that its conditions were written from."""

    rule: Rule
    tree: Tree
    recovery: Tree | None = None


def law_of(draft: Draft | None, *, name: str, version: int, since: int) -> Law:
    """Return a rule version in force from *since*; without a draft the rule is deleted."""
    made = RuleVersion(
        name=name,
        version=version,
        effective_from=since,
        rule=None if draft is None else draft.rule,
        changed_at=from_ms(max(since - 2_000, 0)),
    )
    return Law(made, *((None, None) if draft is None else (draft.tree, draft.recovery)))


def _versions(random: Random, name: str, times: list[int]) -> Iterator[Law]:
    """Yield the versions of one rule, the first mostly in force from the beginning."""
    since = ceil_step(times[0]) - 1_000 if random.random() < 0.85 else _some_time(random, times)
    law = law_of(_draft(random, name), name=name, version=1, since=since)
    yield law
    for version in range(2, random.choice((2, 2, 3, 4, 5))):
        since = max(since, _some_time(random, times))
        law = _changed(random, law, version, since)
        yield law


def _some_time(random: Random, times: list[int]) -> int:
    """Return a cut near some record."""
    return ceil_step(random.choice(times) + random.randrange(-500, 500))


def _changed(random: Random, law: Law, version: int, since: int) -> Law:
    """Return the next version: changed, switched off, deleted or back again."""
    name = law.version.name
    chance = random.random()
    if law.version.rule is None or law.tree is None:
        return law_of(_draft(random, name), name=name, version=version, since=since)
    if chance < 0.15:
        return law_of(None, name=name, version=version, since=since)
    if chance < 0.35:
        rule = law.rule.model_copy(update={"enabled": not law.rule.enabled})
        same = Draft(rule, law.tree, law.recovery)
        return law_of(same, name=name, version=version, since=since)
    if chance < 0.65:
        return law_of(_harsher(random, law), name=name, version=version, since=since)
    return law_of(_draft(random, name), name=name, version=version, since=since)


def _harsher(random: Random, law: Law) -> Draft:
    """Return a rule that mostly does more, and has another `for`; all else is as it was."""
    assert law.tree is not None
    is_typed = law.dimension == "commandType"
    actions = [Action.REVERT_TO_L3, *([Action.PAUSE_COMMAND_TYPE] if is_typed else [])]
    changes = {"action": random.choice(actions), "for_": random.choice(PATIENCE)}
    return Draft(law.rule.model_copy(update=changes), law.tree, law.recovery)


def _draft(random: Random, name: str) -> Draft:
    """Return a rule and its trees."""
    tree = _tree(random, depth=random.choice((0, 0, 0, 1, 1, 2)))
    action = random.choice((*Action, Action.ALERT_ONLY))
    is_typed = any(term.metric.startswith("commandType.") for term in terms(tree))
    is_typed = is_typed or action is Action.PAUSE_COMMAND_TYPE
    recovery = None if action.latches else _recovery(random, tree)
    rule = Rule(
        name=name,
        enabled=random.random() < 0.95,
        condition=written(tree),
        window=random.choice(WINDOWS),
        action=action,
        alert_severity=random.choice(tuple(Severity)),
        group_by="commandType" if is_typed else random.choice(GROUPS),
        for_=random.choice(PATIENCE),
        keep_firing_for="0s" if action.latches else random.choice(PATIENCE),
        recover_when=None if recovery is None else written(recovery),
        min_samples=random.choice((1, 1, 2, 5, 20)),
    )
    return Draft(rule, tree, recovery)


def _recovery(random: Random, tree: Tree) -> Tree | None:
    """Return a condition that cannot hold together with *tree*, mostly none."""
    if not isinstance(tree, Term) or tree.op not in RECOVERIES or random.random() < 0.3:
        return None
    choices = [Term(tree.metric, op, tree.threshold) for op in RECOVERIES[tree.op]]
    if tree.metric == "errorRate":
        choices += [Term("successRate", ">", "0.97"), Term("failures", "==", "0")]
        choices += [Term("errorRate", "<=", "0.02"), Term("errorRate", "==", "0")]
    return random.choice(choices)


def _tree(random: Random, *, depth: int, others: list[Term] | None = None) -> Tree:
    """Return a condition that names one severity at most."""
    used = [] if others is None else others
    if depth == 0:
        used.append(_term(random, used))
        return used[-1]
    if random.random() < 0.2:
        return Not(_tree(random, depth=depth - 1, others=used))
    kind = random.choice((Both, Either))
    left = _tree(random, depth=depth - 1, others=used)
    return kind(left, _tree(random, depth=depth - 1, others=used))


def _term(random: Random, used: list[Term]) -> Term:
    """Return a comparison; a severity only if none was used."""
    metric, op, thresholds = random.choice((*RATE_TERMS, *COUNT_TERMS))
    if metric == "incident.severity" and any(one.metric == metric for one in used):
        return _term(random, used)
    return Term(metric, op, random.choice(thresholds))


def _protections(
    random: Random, kinds: Sequence[str], times: list[int]
) -> Iterator[ProtectionRecord]:
    """Yield a few versions of the protected command types; each says all of them anew."""
    since = 0
    for version in range(1, random.choice((1, 2, 3, 4))):
        since = max(since, random.choice((0, _some_time(random, times))))
        chosen = random.sample(kinds, random.randint(0, min(3, len(kinds))))
        yield ProtectionRecord(version=version, command_types=chosen, effective_from=since)


def _states(random: Random, times: list[int]) -> Iterator[StateRecord]:
    """Yield a few autonomy epochs, each in force from some moment on."""
    for epoch in range(1, random.choice((1, 2, 4))):
        since = _some_time(random, times)
        yield StateRecord(
            phase=Phase.L3,
            phase_start_date=from_ms(times[0]),
            command_whitelist=[],
            paused_command_types=[],
            autonomy_epoch=epoch,
            effective_from=since,
            updated_at=from_ms(since),
        )
