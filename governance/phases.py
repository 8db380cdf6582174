"""Moves on the ladder of phases, as functions from one state to the next.

    L3 ── L3+ ── L4 ── L4+ ── L5
     ◄──────────────────────────   automation and a rollback: downwards only, epoch + 1
     ──────►                       an approved proposal: one step, the epoch stays

The epoch counts lowerings, so that whatever was decided before one is seen to be stale. A rise
makes nothing stale: it needs no epoch of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from governance.autonomy import Autonomy
from schemas.errors import NotFound, PhaseSkipped, Refused, StaleEpoch
from schemas.governance import Phase

WHOLE_SECOND: Final = timedelta(seconds=1)
"""SQL's ``datetime('now')`` cuts off what is less."""


def reverted(state: Autonomy, now: datetime) -> Autonomy:
    """Return *state* at L3 with an empty whitelist; the phase starts anew only if it changed."""
    return _lowered(state, Phase.L3, whitelist=(), now=now)


def rolled_back(
    state: Autonomy, target: Phase, *, whitelist: Sequence[str], now: datetime
) -> Autonomy:
    """Return *state* at *target*, with the *whitelist* that was last held there.

    L3 holds none, whatever was held before.

    Raises:
        Refused: *target* is above the present phase.
    """
    if target.rank > state.phase.rank:
        raise Refused(
            f"{target} is above the present phase {state.phase}",
            allowed_when=f"a rollback goes to {state.phase} or below; a rise takes a proposal",
        )
    held = () if target is Phase.L3 else tuple(whitelist)
    return _lowered(state, target, whitelist=held, now=now)


def promoted(state: Autonomy, target: Phase, *, adds: Sequence[str], now: datetime) -> Autonomy:
    """Return *state* one phase up, at *target*, with the command types that it *adds* allowed.

    What is paused stays paused.

    Raises:
        PhaseSkipped: *target* is not the next phase.
    """
    if target.rank != state.phase.rank + 1:
        raise PhaseSkipped(f"{target} does not follow on the present phase {state.phase}")
    return replace(
        state,
        phase=target,
        phase_start_date=now,
        command_whitelist=tuple(sorted({*state.command_whitelist, *adds})),
        last_expansion_date=now,
    )


def killed(state: Autonomy, known_types: Sequence[str], now: datetime) -> Autonomy:
    """Return *state* at L3 with nothing allowed and every known command type paused.

    A state that is so already stays as it is, epoch and all: pulling twice is pulling once.
    """
    held = tuple(sorted({*state.paused_command_types, *known_types}))
    stopped = replace(reverted(state, now), paused_command_types=held)
    return state if stopped.at_epoch(state.epoch) == state else stopped


def paused(state: Autonomy, command_type: str) -> Autonomy:
    """Return *state* with *command_type* paused; the epoch moves even if it was paused before."""
    held = {*state.paused_command_types, command_type}
    return replace(state, paused_command_types=tuple(sorted(held)), epoch=state.epoch + 1)


def resumed(state: Autonomy, command_type: str, *, epoch: int) -> Autonomy:
    """Return *state* with *command_type* running again; people only, so the epoch stays.

    Raises:
        StaleEpoch: *epoch* is not the present one: the caller has not seen the last lowering.
        NotFound: the type is not paused.
    """
    if epoch != state.epoch:
        raise StaleEpoch(epoch, state.epoch)
    if command_type not in state.paused_command_types:
        raise NotFound("paused command type", command_type, state.paused_command_types)
    rest = tuple(held for held in state.paused_command_types if held != command_type)
    return replace(state, paused_command_types=rest)


def adopted(before: Autonomy, found: Autonomy, now: datetime) -> Autonomy:
    """Return the state that SQL left behind, in a new epoch, if it only lowers autonomy.

    A phase that changed without a start of its own begins now.

    Raises:
        Refused: it would raise the phase, allow a command type, resume one, or make the phase
            older than it is: time at a phase is what a rise is earned by.
    """
    check_lowers(before, found)
    moved = found.phase is not before.phase
    kept = found.phase_start_date == before.phase_start_date
    since = now if moved and kept else found.phase_start_date
    return replace(found, phase_start_date=since, epoch=before.epoch + 1)


def restored(backup: Autonomy, others: Sequence[Autonomy], now: datetime) -> Autonomy:
    """Return what *backup* comes up as, given what else is known of later: the least of all.

    The lowest phase, what all of them allow, what any of them paused, in an epoch above all. So
    a restore never raises autonomy, and all that was decided before it is stale.
    """
    every = (backup, *others)
    phase = min((one.phase for one in every), key=lambda phase: phase.rank)
    allowed = frozenset.intersection(*(frozenset(one.command_whitelist) for one in every))
    held = frozenset.union(*(frozenset(one.paused_command_types) for one in every))
    return replace(
        backup,
        phase=phase,
        phase_start_date=backup.phase_start_date if phase is backup.phase else now,
        command_whitelist=tuple(name for name in backup.command_whitelist if name in allowed),
        paused_command_types=tuple(sorted(held)),
        epoch=max(one.epoch for one in every) + 1,
    )


def check_lowers(before: Autonomy, found: Autonomy) -> None:
    """Refuse a state that allows more than the one before.

    Raises:
        Refused: says what it would allow.
    """
    allowed = sorted(set(found.command_whitelist) - set(before.command_whitelist))
    freed = sorted(set(before.paused_command_types) - set(found.paused_command_types))
    for what, raises in (
        (
            f"raises the phase from {before.phase} to {found.phase}",
            found.phase.rank > before.phase.rank,
        ),
        (f"allows {', '.join(allowed)}", bool(allowed)),
        (f"resumes {', '.join(freed)}", bool(freed)),
        (
            f"claims a phase that began on {found.phase_start_date:%Y-%m-%d}",
            found.phase_start_date < before.phase_start_date - WHOLE_SECOND,
        ),
    ):
        if raises:
            raise Refused(
                f"a change by SQL {what}", allowed_when="autonomy is raised through the API only"
            )


def _lowered(state: Autonomy, phase: Phase, *, whitelist: Sequence[str], now: datetime) -> Autonomy:
    """Return *state* at *phase* in a new epoch."""
    since = state.phase_start_date if phase is state.phase else now
    return replace(
        state,
        phase=phase,
        phase_start_date=since,
        command_whitelist=tuple(whitelist),
        epoch=state.epoch + 1,
    )
