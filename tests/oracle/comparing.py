"""Where what was published differs from what the oracle expects, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from schemas.actions import BreakerAction
from schemas.tallies import EARLINESS, OVERALL, Column, Cut, Cuts, dimension_of, value_of
from schemas.wire import to_ms
from tests.oracle.conditions import Measured
from tests.oracle.counting import Counts
from tests.oracle.judging import Trip


def summed_cuts(messages: Iterable[Cuts]) -> Counts:
    """Return what the cuts of one tallies partition add up to, each taken the first time."""
    counts: Counts = {}
    upto: dict[int, int] = {}
    first: dict[tuple[int, int], Cut] = {}
    for message in messages:
        for cut in message.cuts:
            if cut.frm < upto.setdefault(message.partition, cut.frm):
                assert first.get((message.partition, cut.frm)) == cut, "a repeated cut differs"
                continue
            first[message.partition, cut.frm] = cut
            assert cut.frm == upto[message.partition], "a cut is missing"
            upto[message.partition] = cut.upto
            for row in cut.rows:
                for pane, increments in row.panes:
                    cell = counts.setdefault((row.scope, pane, message.partition), {})
                    for column, more in increments:
                        cell[Column(column)] = cell.get(Column(column), 0) + more
    return counts


def count_differences(got: Counts, wanted: Counts) -> list[str]:
    """Return one line for each cell of the counts that differs."""
    return [
        f"counts of {key}: got {_named(got.get(key))}, wanted {_named(wanted.get(key))}"
        for key in sorted(got.keys() | wanted.keys())
        if got.get(key) != wanted.get(key)
    ]


def _named(cell: Mapping[Column, int] | None) -> dict[str, int]:
    """Return a cell as people read it."""
    return {column.name: number for column, number in sorted((cell or {}).items())}


@dataclass(frozen=True, slots=True)
class ActionDifferences:
    """How published actions differ from the expected ones, by id."""

    missing: tuple[str, ...]
    extra: tuple[str, ...]
    evidence: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """All of it, one line each."""
        return [
            *(f"missing: {line}" for line in self.missing),
            *(f"extra: {line}" for line in self.extra),
            *self.evidence,
        ]


def action_differences(
    got: Iterable[BreakerAction], wanted: Mapping[str, Trip], *, topic: str | None = None
) -> ActionDifferences:
    """Compare ids both ways, and the evidence of every record, repeats too."""
    actions = list(got)
    ids = {action.id for action in actions}
    known = [(action, wanted[action.id]) for action in actions if action.id in wanted]
    extra = {action.id: action for action in actions if action.id not in wanted}
    return ActionDifferences(
        missing=tuple(_brief(trip) for trip in wanted.values() if trip.id not in ids),
        extra=tuple(
            f"{one.rule.name}@{one.rule_version} on {one.scope_key} at {to_ms(one.decided_at)}"
            for one in extra.values()
        ),
        evidence=tuple(
            f"{_brief(trip)}: {line}"
            for action, trip in known
            for line in evidence_differences(action, trip, topic=topic)
        ),
    )


def _brief(trip: Trip) -> str:
    """Return a trip in one line."""
    version = trip.law.version
    return f"{version.name}@{version.version} on {trip.scope} at {trip.at}"


def evidence_differences(
    action: BreakerAction, trip: Trip, *, topic: str | None = None
) -> Iterator[str]:
    """Yield one line for each thing in *action* that the log does not bear out."""
    rule, evidence = trip.law.rule, action.evidence
    pairs: dict[str, tuple[object, object]] = {
        "rule": (action.rule, rule.summary()),
        "rule_version": (action.rule_version, trip.law.version.version),
        "scope": (action.scope, shown_scope(trip.scope)),
        "scope_key": (action.scope_key, trip.scope),
        "command_type": (action.command_type, _command_type(trip.scope)),
        "action": (action.action, rule.action),
        "severity": (action.severity, rule.alert_severity),
        "decided_at": (to_ms(action.decided_at), trip.at),
        "metrics": (action.metrics, {one.metric: one.value for one in trip.readings}),
        "epoch": (action.epoch, trip.epoch),
        "evidence.rule_version": (evidence.rule_version, trip.law.version.version),
        "evidence.condition": (evidence.condition, rule.condition),
        "window_start": (to_ms(evidence.window_start), trip.window_start),
        "window_end": (to_ms(evidence.window_end), trip.at),
        "readings": (
            [_reading(one) for one in evidence.readings],
            [_measured(one) for one in trip.readings],
        ),
        "samples": (evidence.samples, trip.samples),
        "command_ids": (evidence.command_ids, list(trip.command_ids)),
        "resolved_at": (_ms(evidence.resolved_at), _shown_mark(trip)),
        "upto": ({one.partition: one.upto for one in evidence.log}, trip.upto),
    }
    if topic is not None:
        pairs["topic"] = ({one.topic for one in evidence.log}, {topic})
    for name, (got, wanted) in pairs.items():
        if got != wanted:
            yield f"{name}: got {got!r}, wanted {wanted!r}"
    yield from _uncovered(action, trip)


def _ms(moment: datetime | None) -> int | None:
    """Return a moment in ms, None if there is none."""
    return None if moment is None else to_ms(moment)


def _shown_mark(trip: Trip) -> int | None:
    """Return the moment of the last resolution, while the window may hold what came before it."""
    is_over = trip.mark is None or trip.mark + EARLINESS <= trip.window_start
    return None if is_over else trip.mark


def _uncovered(action: BreakerAction, trip: Trip) -> Iterator[str]:
    """Yield a line for each partition with a counted event before the range that is named."""
    begins = {one.partition: one.from_ for one in action.evidence.log}
    for partition, offset in trip.first_counted.items():
        if begins.get(partition, offset + 1) > offset:
            yield f"log: partition {partition} counts from {offset}, not {begins.get(partition)}"


def _reading(one: object) -> tuple[object, ...]:
    """Return a published reading as plain values."""
    names = ("metric", "value", "numerator", "denominator", "samples")
    return tuple(getattr(one, name) for name in names)


def _measured(one: Measured) -> tuple[object, ...]:
    """Return an expected reading as plain values."""
    return (one.metric, one.value, one.numerator, one.denominator, one.samples)


def shown_scope(scope: str) -> str:
    """Return a scope as an action shows it: a label's scope keeps its name."""
    return scope.removeprefix("labels.") if scope.startswith("labels.") else value_of(scope)


def _command_type(scope: str) -> str | None:
    """Return the command type of a scope of one."""
    if scope == OVERALL or dimension_of(scope) != "commandType":
        return None
    return value_of(scope)
