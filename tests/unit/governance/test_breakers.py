"""What a trip does to autonomy."""

from datetime import timedelta

from governance.autonomy import Autonomy
from governance.breakers import full_effect, own_effect, within_reach
from rules.trips import Escalation
from schemas.governance import Phase
from schemas.rules import Action
from schemas.tallies import OTHER
from tests.desks import NOON

LATER = NOON + timedelta(hours=1)
STATE = Autonomy(Phase.L4, NOON, command_whitelist=("A",), epoch=3)


def test_an_alert_changes_nothing() -> None:
    """An alert leaves the state alone, the epoch too."""
    assert own_effect(Action.ALERT_ONLY, "A", state=STATE, now=LATER) is STATE
    quiet = Escalation(Action.ALERT_ONLY, None, (), ())
    assert full_effect(quiet, state=STATE, now=LATER) is STATE


def test_a_pause_pauses_and_a_revert_reverts() -> None:
    """Each action does what the runbook says of it."""
    paused = own_effect(Action.PAUSE_COMMAND_TYPE, "A", state=STATE, now=LATER)
    assert (paused.paused_command_types, paused.epoch) == (("A",), 4)
    reverted = own_effect(Action.REVERT_TO_L3, None, state=STATE, now=LATER)
    assert (reverted.phase, reverted.epoch) == (Phase.L3, 4)


def test_a_trip_that_does_both_opens_one_epoch() -> None:
    """A pause that was raised to a revert leaves the type paused and is one lowering."""
    both = Escalation(Action.REVERT_TO_L3, "A", ("Trip Storm",), ())
    after = full_effect(both, state=STATE, now=LATER)
    assert (after.phase, after.paused_command_types, after.epoch) == (Phase.L3, ("A",), 4)


def test_a_pause_of_the_overflow_is_a_revert() -> None:
    """Nobody's command type has that name, so pausing it would help nobody."""
    after = own_effect(Action.PAUSE_COMMAND_TYPE, OTHER, state=STATE, now=LATER)
    assert (after.phase, after.paused_command_types, after.epoch) == (Phase.L3, (), 4)
    wanted = Escalation(Action.PAUSE_COMMAND_TYPE, OTHER, (), ("own action pause",))
    found = within_reach(wanted)
    assert (found.effect, found.pause, found.fired) == (Action.REVERT_TO_L3, None, wanted.fired)
    assert full_effect(found, state=STATE, now=LATER) == after


def test_every_other_effect_is_within_reach() -> None:
    """A pause of a type and an alert stay what they are."""
    for pause in ("A", None):
        wanted = Escalation(Action.PAUSE_COMMAND_TYPE, pause, (), ())
        assert within_reach(wanted) is wanted
