"""What a trip does to autonomy: pure, from one state to the next."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from governance import phases
from governance.autonomy import Autonomy
from rules.trips import Escalation
from schemas.rules import Action
from schemas.tallies import OTHER


def own_effect(
    action: Action, command_type: str | None, *, state: Autonomy, now: datetime
) -> Autonomy:
    """Return *state* after *action* alone; an alert changes nothing, not even the epoch.

    A pause of all beyond the limit of distinct types, whose names nobody kept, is a revert.
    """
    if action is Action.REVERT_TO_L3 or (
        action is Action.PAUSE_COMMAND_TYPE and command_type == OTHER
    ):
        return phases.reverted(state, now)
    if action is Action.PAUSE_COMMAND_TYPE and command_type is not None:
        return phases.paused(state, command_type)
    return state


def within_reach(escalation: Escalation) -> Escalation:
    """Return *escalation* as it can be done: a pause of `OTHER` pauses no executor, so it reverts.

    ``OTHER`` stands for command types beyond the limit of distinct ones: none of them has it as
    its name.
    """
    if escalation.pause != OTHER:
        return escalation
    return replace(escalation, effect=Action.REVERT_TO_L3, pause=None)


def full_effect(escalation: Escalation, *, state: Autonomy, now: datetime) -> Autonomy:
    """Return *state* after all that follows from a trip: one lowering, one epoch.

    A trip that both pauses a type and reverts to L3 does both; the epoch still moves by one.
    """
    after = state
    if escalation.pause is not None:
        after = phases.paused(after, escalation.pause)
    if escalation.effect is Action.REVERT_TO_L3:
        after = phases.reverted(after, now)
    return after.at_epoch(state.epoch + 1) if after is not state else state
