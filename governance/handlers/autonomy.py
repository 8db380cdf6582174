"""The state: read, rolled back, and command types resumed. Nothing here raises a phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Literal

from governance import phases
from governance.audit import Act
from governance.autonomy import Autonomy
from governance.cooldown import Cooldown
from governance.desk import Desk
from governance.handlers.changes import Cause, change_autonomy
from governance.handlers.insistence import insist
from governance.handlers.lowering import coming_cooldown
from governance.handlers.preconditions import Check, as_it_is
from governance.handlers.records import check_records
from governance.handlers.sight import check_sees
from governance.handlers.sql_changes import adopt_sql_changes, present_autonomy
from governance.ladder import known_command_types
from governance.store import Unit
from schemas.errors import NotFound, Refused
from schemas.events import Severity
from schemas.governance import GovernanceState, Phase
from schemas.tallies import OTHER
from schemas.wire import Wire, listed


class RollbackPreview(Wire):
    """What a rollback would do; nothing was changed."""

    state: GovernanceState
    leaves_whitelist: list[str]
    voids_proposals: list[str]
    ends_validation: bool
    cooldown: Cooldown | None


def show_state(desk: Desk) -> GovernanceState:
    """Return the state as it is now."""
    now = desk.clock()
    with desk.store.reading() as unit:
        return unit.autonomy.load().view(now)


def show_phase_history(desk: Desk, *, limit: int = 100) -> list[dict[str, Any]]:
    """Return the phases held, newest first, with who ended each and why."""
    with desk.store.reading() as unit:
        return unit.autonomy.history(limit)


def count_phase_entries(desk: Desk) -> dict[Phase, int]:
    """Return how often each phase was entered, all five of them."""
    with desk.store.reading() as unit:
        return unit.autonomy.entries_by_phase()


def roll_back(
    desk: Desk,
    target: Phase,
    *,
    reason: str,
    by: str,
    incident_id: str | None = None,
    check: Check[GovernanceState] = as_it_is,
) -> GovernanceState:
    """Lower the phase to *target* with the whitelist that was last held there; L3 holds none.

    Staying at the present phase keeps its whitelist and still opens a new epoch, so that every
    decision made before it is stale.

    It waits for a database that another process holds, a minute at most, and then takes effect
    without being asked again. With an incident the cooldown that follows is the critical one.
    A standby does it as well; the active service tells Kafka.

    Raises:
        Refused: *target* is above the present phase, or what *check* raises of the state.
        Unavailable: the database was held or away for a minute; nothing was changed.
    """
    because = f"{reason} (incident {incident_id})" if incident_id else reason
    cause = Cause(
        Act.PHASE_ROLLED_BACK,
        actor=by,
        subject="governance",
        because=because,
        severity=_severity(incident_id),
    )
    return insist(lambda: _roll_back(desk, target, cause, check=check))


def preview_rollback(
    desk: Desk, target: Phase, *, incident_id: str | None = None
) -> RollbackPreview:
    """Return what a rollback to *target* would do, and change nothing.

    Raises:
        Refused: *target* is above the present phase.
    """
    now = desk.clock()
    with desk.store.reading() as unit:
        before = unit.autonomy.load()
        after = _rolled_back(unit, before, target, now)
        falls = after.phase.rank < before.phase.rank
        severity = _severity(incident_id)
        return RollbackPreview(
            state=after.view(now),
            leaves_whitelist=sorted({*before.command_whitelist} - {*after.command_whitelist}),
            voids_proposals=[proposal.id for proposal in unit.proposals.pending()],
            ends_validation=falls and unit.trials.running() is not None,
            cooldown=coming_cooldown(desk, unit, severity=severity, cause="rollback", now=now)
            if falls
            else None,
        )


def _severity(incident_id: str | None) -> Severity:
    """Return how grave a rollback is: an incident is behind it, or people only want it."""
    return Severity.CRITICAL if incident_id else Severity.HIGH


def _roll_back(
    desk: Desk, target: Phase, cause: Cause, *, check: Check[GovernanceState]
) -> GovernanceState:
    """Roll back once."""
    now = desk.clock()
    with desk.store.writing(lowers=True, needs_lease=False) as unit:
        before = present_autonomy(desk, unit, now)
        check(before.view(now))
        after = _rolled_back(unit, before, target, now)
        change_autonomy(desk, unit, before=before, after=after, cause=cause, now=now)
    return after.view(now)


def _rolled_back(unit: Unit, before: Autonomy, target: Phase, now: datetime) -> Autonomy:
    """Return *before* at *target*, with the whitelist that was last held there."""
    stays = target is before.phase
    held = before.command_whitelist if stays else unit.autonomy.last_whitelist(target)
    return phases.rolled_back(before, target, whitelist=held, now=now)


def resume_command_type(
    desk: Desk,
    command_type: str,
    *,
    by: str,
    epoch: int,
    check: Check[GovernanceState] = as_it_is,
) -> GovernanceState:
    """Let a paused command type run again; people only, on the state of *epoch* that they saw.

    Raises:
        StaleEpoch: autonomy was lowered since.
        NotFound: the type is not paused; carries near matches.
        Refused: an unresolved event holds it: its breaker is open and could not trip again.
        StreamBlind: nobody would see what it does.
        Unavailable: the database is busy or away.
    """
    return resume_command_types(desk, (command_type,), by=by, epoch=epoch, check=check)


def resume_command_types(
    desk: Desk,
    command_types: Sequence[str],
    *,
    all_paused: Literal[False] | None = None,
    by: str,
    epoch: int,
    check: Check[GovernanceState] = as_it_is,
) -> GovernanceState:
    """Let paused command types run again, all of them or none; each has its audit row and alert.

    With *all_paused* False the pause of everything ends first, if there is one; what is paused by
    name and not among *command_types* stays so.

    Raises:
        StaleEpoch: autonomy was lowered since.
        NotFound: one is not paused, or nobody knows it; carries near matches.
        Refused: unresolved events hold one or more, named with its events; or there are as many
            exceptions to the pause of everything as a state may name.
        StreamBlind: nobody would see what they do.
        Unavailable: the database is busy or away.
    """
    adopt_sql_changes(desk)
    now = desk.clock()
    with desk.store.writing() as unit:
        check_records(desk, unit)
        state = present_autonomy(desk, unit, now)
        check(state.view(now))
        steps = _resumed(desk, unit, state, command_types, all_paused=all_paused, epoch=epoch)
        check_sees(desk)
        _check_free({name: unit.events.unresolved_pauses(name) for name in command_types})
        if all_paused is False and state.all_paused:
            _check_nothing_held(unit, state)
        for (_, before), (name, after) in pairwise(steps):
            cause = Cause(Act.TYPE_RESUMED, actor=by, subject=name, because=f"resumed by {by}")
            change_autonomy(desk, unit, before=before, after=after, cause=cause, now=now)
    return steps[-1][1].view(now)


def _resumed(
    desk: Desk,
    unit: Unit,
    state: Autonomy,
    command_types: Sequence[str],
    *,
    all_paused: Literal[False] | None,
    epoch: int,
) -> list[tuple[str, Autonomy]]:
    """Return each state on the way from *state*, with what was resumed by it.

    Raises:
        StaleEpoch, NotFound, Refused: as `resume_command_types`.
    """
    _check_known(desk, unit, state, command_types)
    steps = [("", state)]
    if all_paused is False and (state.all_paused or not command_types):
        steps.append(("*", phases.unpaused(state, epoch=epoch)))
    for name in command_types:
        if steps[-1][1].is_paused(name) or not state.is_paused(name):
            steps.append((name, phases.resumed(steps[-1][1], name, epoch=epoch)))
    return steps


def _check_known(desk: Desk, unit: Unit, state: Autonomy, command_types: Sequence[str]) -> None:
    """Refuse to resume by name what is paused only because everything is, and nobody ever saw.

    A misspelt name would else be taken for a new command type.

    Raises:
        NotFound: carries near matches.
        Refused: one is the name of those beyond the limit of distinct ones.
    """
    if OTHER in command_types and OTHER not in state.paused_command_types:
        raise Refused(
            f"{OTHER} is no command type: it stands for all beyond the limit of distinct ones",
            allowed_when="name a command type",
        )
    if not state.all_paused:
        return
    known = known_command_types(desk.settings.phase_whitelists) | {*state.paused_command_types}
    strange = [name for name in command_types if name not in known]
    if strange and (nobodys := unit.rule_records.never_seen(strange)):
        raise NotFound("known command type", nobodys[0], sorted(known))


def _check_nothing_held(unit: Unit, state: Autonomy) -> None:
    """Refuse to end the pause of everything while it is all that holds what a breaker paused.

    Raises:
        Refused: names the command types.
    """
    held = unit.events.held_types() - {*state.paused_command_types, OTHER}
    if held:
        raise Refused(
            f"unresolved events hold {listed(sorted(held))}, which nothing else pauses",
            allowed_when="resolve them first",
        )


def _check_free(holders: Mapping[str, list[str]]) -> None:
    """Refuse to resume what open breakers hold: the ids of their events by command type.

    Raises:
        Refused: names the command types with the events.
    """
    held = [
        f"{name} is held by unresolved events: {', '.join(ids)}"
        for name, ids in holders.items()
        if ids
    ]
    if held:
        raise Refused("; ".join(held), allowed_when="resolve them first")
