"""Whatever dies, and whoever wakes up: every event counts once, every trip happens at its T.

Hostile logs go through worlds that crash (`tests.oracle.world`), and what comes out is compared
with the brute-force oracle: counts, dead letters, action ids and evidence. A failure names the
seeds; the same case again, anywhere:

    from tests.oracle.logs import hostile
    from tests.oracle.world import outcome
    outcome(hostile(SEED), SEED)
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.deltas import TallyDelta
from streams.rulebook import PROTECTION, Entry
from streams.tally import Tally
from tests.oracle.logs import Case, cases, hostile
from tests.oracle.parts import Habits
from tests.oracle.world import outcome

CHUNK = 20
ALWAYS = 240
WIDENED = 160
CHAOS = 5_000
PLANTED = 60
"""Among so many logs each planted fault must show; most show among the first three."""


def _failures(seeds: Iterable[int], habits: Habits | None = None) -> list[str]:
    """Return a report of each seed whose outcome differs from the oracle's."""
    return [
        f"outcome(hostile({seed}), {seed}): {len(lines)} differences\n  " + "\n  ".join(lines[:5])
        for seed in seeds
        if (lines := outcome(hostile(seed), seed, habits))
    ]


@pytest.mark.parametrize("first", range(0, ALWAYS, CHUNK))
def test_hostile_logs_come_out_exactly(first: int) -> None:
    """Crashes, zombies and lost places change no count, no dead letter, no id, no evidence."""
    failures = _failures(range(first, first + CHUNK))
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("first", range(0, WIDENED, CHUNK))
def test_a_log_that_is_widened_comes_out_exactly(first: int) -> None:
    """Partitions added at any moment count from one T on, the same for whoever reads the log."""
    failures = _failures(range(first, first + CHUNK), Habits(widens=True))
    assert not failures, "\n".join(failures)


@pytest.mark.chaos
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("first", range(ALWAYS, ALWAYS + CHAOS, 500))
def test_thousands_of_hostile_logs_come_out_exactly(first: int) -> None:
    """The same for thousands of logs."""
    failures = _failures(range(first, first + 500))
    assert not failures, "\n".join(failures)


@settings(max_examples=40, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(case=cases(), world=st.integers(0, 2**32))
def test_any_small_log_comes_out_exactly(case: Case, world: int) -> None:
    """Hypothesis looks for the smallest log that any crash turns into another outcome."""
    assert outcome(case, world, steps=300) == []


class ForgetfulTally(Tally):
    """A planted fault: the ids that it has seen are not in what it stores."""

    def delta(self) -> TallyDelta | None:
        """Return what changed, without the ids."""
        delta = super().delta()
        if delta is None:
            return None
        bare = [msgspec.structs.replace(one, ids=[]) for one in delta.generations]
        return msgspec.structs.replace(delta, generations=bare)


class HeedlessTally(Tally):
    """A planted fault: it hears of rules, and not of protected command types."""

    def learn(
        self, entries: Iterable[Entry] = (), *, unusable: Iterable[tuple[str, int]] = ()
    ) -> None:
        """Hear of what has the name of a rule."""
        rules = [entry for entry in entries if entry.name != PROTECTION]
        super().learn(rules, unusable=unusable)


class HastyTally(Tally):
    """A planted fault: types are protected as soon as it is heard of, not from their T."""

    def learn(
        self, entries: Iterable[Entry] = (), *, unusable: Iterable[tuple[str, int]] = ()
    ) -> None:
        """Hear of everything, and use what is newest at once."""
        heard = list(entries)
        super().learn(heard, unusable=unusable)
        for entry in heard:
            if entry.name == PROTECTION:
                self.memory.protected = entry.protected


@pytest.mark.parametrize(
    "habits",
    [
        pytest.param(Habits(tally=HeedlessTally), id="protected-types-are-not-heard-of"),
        pytest.param(Habits(tally=HastyTally), id="protection-begins-when-it-is-heard-of"),
        pytest.param(Habits(tally=ForgetfulTally), id="ids-are-not-stored"),
        pytest.param(Habits(awaits_outputs=False), id="a-flush-does-not-await-outputs"),
        pytest.param(Habits(commits_ahead=True), id="the-position-is-ahead-of-the-flush"),
        pytest.param(Habits(recovers=False), id="recovery-is-skipped"),
    ],
)
def test_a_planted_fault_is_found(habits: Habits) -> None:
    """The comparison is worth something: each of these faults shows in a few logs."""
    assert any(
        outcome(hostile(seed), seed, habits) and not outcome(hostile(seed), seed)
        for seed in range(PLANTED)
    )
