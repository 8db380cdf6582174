"""Moves on the ladder: automation only lowers, and every lowering opens an epoch."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import phases
from governance.autonomy import Autonomy
from schemas.errors import NotFound, Refused, StaleEpoch
from schemas.governance import Phase
from tests.desks import NOON

LATER = NOON + timedelta(days=3)
HIGH = Autonomy(
    Phase.L4, NOON, command_whitelist=("SET_FAN", "SET_POWER"), paused_command_types=("X",), epoch=7
)


def test_reverting_empties_the_whitelist_and_starts_the_phase_anew() -> None:
    """A revert is L3, nothing allowed, a new epoch, and a phase that begins now."""
    after = phases.reverted(HIGH, LATER)
    assert (after.phase, after.command_whitelist, after.epoch) == (Phase.L3, (), 8)
    assert after.phase_start_date == LATER
    assert after.paused_command_types == ("X",)


def test_reverting_at_the_floor_keeps_the_start_of_the_phase() -> None:
    """The time at L3 does not begin again because a breaker tripped there."""
    once = phases.reverted(HIGH, NOON)
    twice = phases.reverted(once, LATER)
    assert twice.phase_start_date == NOON
    assert twice.epoch == once.epoch + 1


def test_pausing_adds_the_type_once_and_always_opens_an_epoch() -> None:
    """A second pause of one type changes no list, and still makes older decisions stale."""
    after = phases.paused(phases.paused(HIGH, "A"), "A")
    assert after.paused_command_types == ("A", "X")
    assert after.epoch == HIGH.epoch + 2


def test_resuming_takes_the_epoch_that_is_in_force() -> None:
    """Who has not seen the last lowering may not resume."""
    with pytest.raises(StaleEpoch, match="you saw autonomy epoch 6, it is now 7"):
        phases.resumed(HIGH, "X", epoch=6)
    after = phases.resumed(HIGH, "X", epoch=7)
    assert after.paused_command_types == ()
    assert after.epoch == 7


def test_resuming_what_is_not_paused_names_what_is() -> None:
    """A misspelt command type gets its near match."""
    state = phases.paused(HIGH, "SET_POWER")
    with pytest.raises(NotFound, match="near matches: SET_POWER"):
        phases.resumed(state, "SET_POWR", epoch=state.epoch)


def test_a_rollback_goes_down_or_stays_and_never_up() -> None:
    """A rollback upwards is refused and says what would allow it."""
    with pytest.raises(Refused, match="takes a proposal"):
        phases.rolled_back(HIGH, Phase.L5, whitelist=(), now=LATER)
    assert phases.rolled_back(HIGH, Phase.L4, whitelist=["A"], now=LATER).epoch == 8
    down = phases.rolled_back(HIGH, Phase.L3_PLUS, whitelist=["A"], now=LATER)
    assert (down.phase, down.command_whitelist) == (Phase.L3_PLUS, ("A",))


def test_a_rollback_to_the_floor_holds_nothing() -> None:
    """L3 has an empty whitelist, whatever it is said to have held."""
    assert phases.rolled_back(HIGH, Phase.L3, whitelist=["A"], now=LATER).command_whitelist == ()


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (Autonomy(Phase.L5, NOON), "raises the phase"),
        (Autonomy(Phase.L4, NOON, ("ABORT",), ("X",)), "allows ABORT"),
        (Autonomy(Phase.L3, NOON), "resumes X"),
    ],
)
def test_sql_may_not_raise_autonomy(found: Autonomy, why: str) -> None:
    """What takes people in the API cannot be had by an UPDATE."""
    with pytest.raises(Refused, match=why):
        phases.adopted(HIGH, found, LATER)


def test_sql_may_lower_autonomy() -> None:
    """The runbook's UPDATE is taken over, in a new epoch, at the moment that it names."""
    found = Autonomy(Phase.L3, LATER, paused_command_types=("X",))
    assert phases.adopted(HIGH, found, LATER + timedelta(seconds=5)) == Autonomy(
        Phase.L3, LATER, paused_command_types=("X",), epoch=8
    )


STATES = st.builds(
    Autonomy,
    phase=st.sampled_from(Phase),
    phase_start_date=st.just(NOON),
    command_whitelist=st.sets(st.sampled_from("ABCD")).map(lambda names: tuple(sorted(names))),
    paused_command_types=st.sets(st.sampled_from("ABCD")).map(lambda names: tuple(sorted(names))),
    epoch=st.integers(1, 100),
)


@given(STATES, STATES)
def test_whatever_sql_leaves_behind_never_allows_more(before: Autonomy, found: Autonomy) -> None:
    """A state that is taken over is below the one before in every respect."""
    try:
        after = phases.adopted(before, found, LATER)
    except Refused:
        return
    assert after.phase.rank <= before.phase.rank
    assert set(after.command_whitelist) <= set(before.command_whitelist)
    assert set(after.paused_command_types) >= set(before.paused_command_types)
    assert after.epoch == before.epoch + 1
