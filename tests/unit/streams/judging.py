"""A judge in a story: what it sees, and when it trips."""

from __future__ import annotations

from typing import Any, Final

from schemas.tallies import STEP, Cut
from schemas.wire import to_ms
from streams.batch import Output
from streams.judge import Judge
from streams.rulebook import Entry
from tests.unit.streams.facts import NOON, actions, cut, row, tallies

FIRST: Final = NOON
"""Where the only source partition's first cut begins: nothing is judged at it."""

ERRORS: Final[dict[str, Any]] = {"condition": "failures >= 3", "window": "1m"}


def judge(*entries: Entry, sources: int = 1) -> Judge:
    """Return a judge that has heard of *entries*."""
    state = Judge(0, source_partitions=sources)
    state.learn(entries)
    return state


def see(state: Judge, *cuts: Cut, source: int = 0) -> list[Output]:
    """Give *state* cuts of one source partition; return what it publishes."""
    return state.fold(tallies((source, cuts), start=state.pos))


def begun(*entries: Entry) -> Judge:
    """Return a judge of one source partition whose first cut is over."""
    state = judge(*entries)
    see(state, cut(FIRST - STEP, upto=FIRST))
    return state


def trips(outputs: list[Output]) -> list[int]:
    """Return when the actions among *outputs* were decided, in ms from noon."""
    return [to_ms(action.decided_at) - NOON for action in actions(outputs)]


def failing(frm: int, number: int = 3, **fields: Any) -> Cut:
    """Return a cut with failures that happened when it began."""
    return cut(frm, row(failed=number, at=frm, **fields))
