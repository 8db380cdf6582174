"""Moves on the ladder of phases, as functions from one state to the next.

    L3 ── L3+ ── L4 ── L4+ ── L5
     ◄──────────────────────────   automation and a rollback: downwards only, epoch + 1
     ──────►                       an approved proposal: one step, the epoch stays

The epoch counts lowerings, so that whatever was decided before one is seen to be stale. A rise
makes nothing stale: it needs no epoch of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from governance.autonomy import Autonomy
from schemas.errors import NotFound, PhaseSkipped, Refused, StaleEpoch
from schemas.governance import Phase, fits
from schemas.wire import listed

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


def killed(state: Autonomy, known_types: Collection[str], now: datetime) -> Autonomy:
    """Return *state* at L3 with nothing allowed and everything paused, whatever was ever seen.

    *known_types* are named as paused besides, as many as a state may name, so that each stays
    so until people resume it by name. A state that is so already stays as it is, epoch and all:
    pulling twice is pulling once.
    """
    if (state.phase, state.command_whitelist) == (Phase.L3, ()) and state.stands_still:
        return state
    held = _as_many_as_fit((*state.paused_command_types, *sorted(known_types)))
    return replace(
        reverted(state, now),
        paused_command_types=held,
        all_paused=True,
        resumed_command_types=(),
    )


def paused(state: Autonomy, command_type: str) -> Autonomy:
    """Return *state* with *command_type* paused; the epoch moves even if it was paused before.

    Beyond as many as a state may name, everything is paused instead: no pause is lost.
    """
    held = tuple(sorted({*state.paused_command_types, command_type}))
    named = fits(held)
    return replace(
        state,
        paused_command_types=held if named else state.paused_command_types,
        all_paused=state.all_paused or not named,
        resumed_command_types=_without(state.resumed_command_types, command_type),
        epoch=state.epoch + 1,
    )


def bounded(state: Autonomy, known_types: Collection[str]) -> Autonomy:
    """Return *state* so that a record can hold it, in a new epoch, or as it is if one can.

    Everything is paused where it names too many; it then names *known_types* before others.
    """
    held, left = state.paused_command_types, state.resumed_command_types
    if fits(held) and fits(left):
        return state
    return replace(
        state,
        paused_command_types=_as_many_as_fit(sorted(held, key=lambda one: one not in known_types)),
        all_paused=True,
        resumed_command_types=_as_many_as_fit(left) if state.all_paused else (),
        epoch=state.epoch + 1,
    )


def resumed(state: Autonomy, command_type: str, *, epoch: int) -> Autonomy:
    """Return *state* with *command_type* running again; people only, so the epoch stays.

    While everything is paused it becomes an exception.

    Raises:
        StaleEpoch: *epoch* is not the present one: the caller has not seen the last lowering.
        NotFound: the type is not paused.
        Refused: there are as many exceptions as a state may name.
    """
    if epoch != state.epoch:
        raise StaleEpoch(epoch, state.epoch)
    if not state.is_paused(command_type):
        raise NotFound("paused command type", command_type, state.paused_command_types)
    rest = _without(state.paused_command_types, command_type)
    if not state.all_paused:
        return replace(state, paused_command_types=rest)
    runs = tuple(sorted({*state.resumed_command_types, command_type}))
    if not fits(runs):
        raise Refused(
            f"{len(state.resumed_command_types)} command types run already while all others are "
            f"paused, and a state names no more",
            allowed_when='end the pause of everything, with "allPaused": false',
        )
    return replace(state, paused_command_types=rest, resumed_command_types=runs)


def unpaused(state: Autonomy, *, epoch: int) -> Autonomy:
    """Return *state* without the pause of everything; what it names as paused stays so.

    People only, so the epoch stays.

    Raises:
        StaleEpoch: *epoch* is not the present one: the caller has not seen the last lowering.
        NotFound: not everything is paused.
    """
    if epoch != state.epoch:
        raise StaleEpoch(epoch, state.epoch)
    if not state.all_paused:
        raise NotFound("pause", "allPaused")
    return replace(state, all_paused=False, resumed_command_types=())


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
    named = found.resumed_command_types if found.all_paused else ()
    runs = tuple(sorted({*named} - {*found.paused_command_types}))
    return replace(
        found, phase_start_date=since, resumed_command_types=runs, epoch=before.epoch + 1
    )


def restored(backup: Autonomy, others: Sequence[Autonomy], now: datetime) -> Autonomy:
    """Return what *backup* comes up as, given what else is known of later: the least of all.

    The lowest phase, what all of them allow, what any of them paused, in an epoch above all. So
    a restore never raises autonomy, and all that was decided before it is stale.
    """
    every = (backup, *others)
    phase = min((one.phase for one in every), key=lambda phase: phase.rank)
    allowed = frozenset.intersection(*(frozenset(one.command_whitelist) for one in every))
    held = frozenset.union(*(frozenset(one.paused_command_types) for one in every))
    exceptions = [frozenset(one.resumed_command_types) for one in every if one.all_paused]
    runs = frozenset.intersection(*exceptions) - held if exceptions else frozenset[str]()
    least = replace(
        backup,
        phase=phase,
        phase_start_date=backup.phase_start_date if phase is backup.phase else now,
        command_whitelist=tuple(name for name in backup.command_whitelist if name in allowed),
        paused_command_types=tuple(sorted(held)),
        all_paused=bool(exceptions),
        resumed_command_types=tuple(sorted(runs)),
        epoch=max(one.epoch for one in every) + 1,
    )
    return bounded(least, backup.paused_command_types).at_epoch(least.epoch)


def check_lowers(before: Autonomy, found: Autonomy) -> None:
    """Refuse a state that allows more than the one before.

    Raises:
        Refused: says what it would allow.
    """
    allowed = sorted(set(found.command_whitelist) - set(before.command_whitelist))
    named = {*before.paused_command_types, *found.resumed_command_types}
    freed = sorted(before.paused_among(named) - found.paused_among(named))
    for what, raises in (
        (
            f"raises the phase from {before.phase} to {found.phase}",
            found.phase.rank > before.phase.rank,
        ),
        (f"allows {listed(allowed)}", bool(allowed)),
        (f"resumes {listed(freed)}", bool(freed)),
        ("ends the pause of everything", before.all_paused and not found.all_paused),
        (
            f"claims a phase that began on {found.phase_start_date:%Y-%m-%d}",
            found.phase_start_date < before.phase_start_date - WHOLE_SECOND,
        ),
    ):
        if raises:
            raise Refused(
                f"a change by SQL {what}", allowed_when="autonomy is raised through the API only"
            )


def _without(names: Sequence[str], name: str) -> tuple[str, ...]:
    """Return *names* but *name*."""
    return tuple(one for one in names if one != name)


def _as_many_as_fit(names: Sequence[str]) -> tuple[str, ...]:
    """Return the first of *names* that a state may name together, in alphabetical order."""
    held: list[str] = []
    for name in dict.fromkeys(names):
        if not fits([*held, name]):
            break
        held.append(name)
    return tuple(sorted(held))


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
