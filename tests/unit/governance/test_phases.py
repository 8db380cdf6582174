"""Moves on the ladder: automation only lowers, and every lowering opens an epoch."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import phases
from governance.autonomy import Autonomy
from schemas.errors import NotFound, Refused, StaleEpoch
from schemas.governance import MOST_PAUSED, Phase, fits
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


KILLED = phases.killed(HIGH, {"A", "B"}, LATER)
NAMES = st.lists(st.text(min_size=1, max_size=256), unique=True, max_size=300)


def test_the_kill_switch_pauses_what_nobody_has_seen() -> None:
    """One fact says it; the known types are named besides, and stay so on their own."""
    assert KILLED.is_paused("NEVER SEEN")
    assert KILLED.paused_command_types == ("A", "B", "X")
    assert phases.killed(KILLED, {"A", "B"}, LATER) is KILLED


@given(NAMES, NAMES)
def test_a_killed_state_fits_into_a_record(paused: list[str], known: list[str]) -> None:
    """However many types are known, and whatever their names hold, it is small."""
    state = phases.killed(HIGH, set(known), LATER)
    assert fits(state.paused_command_types)
    for name in paused:
        state = phases.paused(state, name)
    assert fits(state.paused_command_types)
    assert state.paused_among(paused) == set(paused)


@given(NAMES)
def test_no_pause_is_ever_lost(names: list[str]) -> None:
    """Beyond what a state may name, everything is paused."""
    state = HIGH
    for name in names:
        state = phases.paused(state, name)
    assert fits(state.paused_command_types)
    assert state.paused_among(names) == set(names)
    assert state.epoch == HIGH.epoch + len(names)


def test_a_resumed_type_is_an_exception_while_everything_is_paused() -> None:
    """Only it runs; a pause takes it back, and a second pull takes all of them back."""
    state = phases.resumed(KILLED, "A", epoch=KILLED.epoch)
    assert (state.is_paused("A"), state.is_paused("B")) == (False, True)
    assert state.resumed_command_types == ("A",)
    assert phases.paused(state, "A").resumed_command_types == ()
    assert phases.killed(state, {"A"}, LATER).resumed_command_types == ()
    with pytest.raises(NotFound):
        phases.resumed(state, "A", epoch=KILLED.epoch)


def test_exceptions_are_bounded_too() -> None:
    """One too many is refused, and the answer says what to do."""
    state = KILLED
    for number in range(MOST_PAUSED):
        state = phases.resumed(state, f"T{number}", epoch=state.epoch)
    with pytest.raises(Refused, match="end the pause of everything"):
        phases.resumed(state, "ONE MORE", epoch=state.epoch)


def test_ending_the_pause_of_everything_keeps_what_is_named() -> None:
    """What a breaker or people paused by name stays paused."""
    with pytest.raises(StaleEpoch):
        phases.unpaused(KILLED, epoch=KILLED.epoch - 1)
    state = phases.unpaused(KILLED, epoch=KILLED.epoch)
    assert (state.is_paused("A"), state.is_paused("NEVER SEEN")) == (True, False)
    with pytest.raises(NotFound, match="allPaused"):
        phases.unpaused(state, epoch=state.epoch)


def test_a_restore_keeps_the_pause_of_everything() -> None:
    """If any state had it, it holds, with the exceptions that all of those had."""
    one = phases.resumed(phases.resumed(KILLED, "A", epoch=8), "B", epoch=8)
    other = phases.resumed(KILLED, "A", epoch=8)
    found = phases.restored(HIGH, [one, other], LATER)
    assert found.all_paused
    assert found.resumed_command_types == ("A",)
    alike = phases.restored(one, [one], LATER)
    assert alike.resumed_command_types == ("A", "B")


PAUSES = st.builds(
    Autonomy,
    phase=st.just(Phase.L3),
    phase_start_date=st.just(NOON),
    paused_command_types=st.sets(st.sampled_from("ABCD")).map(lambda names: tuple(sorted(names))),
    all_paused=st.booleans(),
    resumed_command_types=st.sets(st.sampled_from("ABCD")).map(lambda one: tuple(sorted(one))),
    epoch=st.integers(1, 100),
)


@given(PAUSES, PAUSES)
def test_whatever_sql_leaves_behind_never_resumes(before: Autonomy, found: Autonomy) -> None:
    """No column, and no mixture of them, lets a type run that was paused; named or not."""
    try:
        after = phases.adopted(before, found, LATER)
    except Refused:
        return
    types = ("A", "B", "C", "D", "never seen")
    assert after.paused_among(types) >= before.paused_among(types)


@given(PAUSES, st.lists(PAUSES, max_size=3))
def test_a_restore_never_resumes(backup: Autonomy, others: list[Autonomy]) -> None:
    """What any of the states paused is paused after it."""
    found = phases.restored(backup, others, LATER)
    types = ("A", "B", "C", "D", "never seen")
    for one in (backup, *others):
        assert found.paused_among(types) >= one.paused_among(types)
