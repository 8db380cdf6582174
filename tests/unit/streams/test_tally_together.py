"""Counting many records at once is counting them one by one, only faster."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.tallies import EARLINESS, LATENESS, STEP
from streams.batch import Batch
from streams.rulebook import PROTECTION, Entry
from streams.tally import Tally
from tests.unit.streams.facts import NOON, batch, command, entry
from tests.unit.streams.logs import KINDS, fold_all, logs, ordered, pieces

with_little_memory = settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
"""The fixture that shrinks limits means the same for all examples."""


class OneByOne(Tally):
    """A tally that never counts records together."""

    def _count_together(self, *_: Any) -> bool:
        return False


class Watched(Tally):
    """A tally that says how many records it has counted together."""

    together = 0

    def _count_together(self, *found: Any) -> bool:
        done = super()._count_together(*found)
        self.together += len(found[0]) * done
        return done


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let generations be full soon, and few records be taken at once."""
    monkeypatch.setattr("streams.memory.ID_LIMIT", 24)
    monkeypatch.setattr("streams.tally.TOGETHER", 7)


@pytest.mark.usefixtures("little_memory")
@with_little_memory
@given(
    log=logs(),
    limit=st.sampled_from((1, 2, 1_000)),
    labels=st.booleans(),
    protected=st.sets(st.sampled_from(KINDS)).map(frozenset),
    data=st.data(),
)
def test_together_is_one_by_one(
    log: Batch, limit: int, labels: bool, protected: frozenset[str], data: st.DataObject
) -> None:
    """Whatever the records are, the same is published and stored, and the same was seen."""
    ways = [way(0, tally_partitions=2, scope_limit=limit) for way in (Tally, OneByOne)]
    found = []
    batches = data.draw(pieces(log))
    for way in ways:
        way.learn([entry(1, since=NOON + 200, groupBy="labels.site")] * labels)
        way.learn([Entry(PROTECTION, 1, NOON + 200, None, protected)])
        found.append((fold_all(way, batches), ordered(way.delta()), way.stats))
    assert found[0] == found[1]


FIRST: Final = [command("first")]
"""After this record the command type is known."""


@pytest.mark.parametrize(
    ("second", "time"),
    [
        (command("e2"), NOON),
        (command("e2", status="failed"), NOON),
        (command("e2", at=NOON - LATENESS + STEP), NOON),
        (command("e2", at=NOON + EARLINESS - 1_000), NOON),
    ],
)
def test_ordinary_records_are_counted_together(second: bytes, time: int) -> None:
    """What is new, in time and of a known type is counted at once: the speed rests on it."""
    state = Watched(0, tally_partitions=1)
    state.fold(batch(FIRST))
    state.fold(batch([command("e1"), second], times=time, start=1))
    assert state.together == 2


@pytest.mark.parametrize(
    ("second", "time", "events"),
    [
        (command("e1"), NOON, 2),
        (command("first"), NOON, 2),
        (command("e2", commandType="DRUM"), NOON, 3),
        (command("e2", at=NOON - LATENESS - 1), NOON, 2),
        (command("e2", at=NOON - LATENESS), NOON + 1, 2),
        (command("e2", at=NOON + EARLINESS), NOON, 3),
    ],
)
def test_doubtful_records_are_taken_one_by_one(second: bytes, time: int, events: int) -> None:
    """A repeat, a new type, or a moment at the edge of late or early is looked at alone."""
    state = Watched(0, tally_partitions=1)
    state.fold(batch(FIRST))
    state.fold(batch([command("e1"), second], times=[NOON, time], start=1))
    assert (state.together, state.stats.events) == (0, events)


def test_a_label_that_a_rule_groups_by_makes_all_records_doubtful() -> None:
    """Each may have a value that is over the limit."""
    state = Watched(0, tally_partitions=1)
    state.learn([entry(1, groupBy="labels.site")])
    state.fold(batch(FIRST))
    state.fold(batch([command("e1"), command("e2")], start=1))
    assert state.together == 0
