"""The state: read, rolled back, and command types resumed. Nothing here raises a phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

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
from governance.store import Unit
from schemas.errors import Refused
from schemas.events import Severity
from schemas.governance import GovernanceState, Phase
from schemas.wire import Wire


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
    by: str,
    epoch: int,
    check: Check[GovernanceState] = as_it_is,
) -> GovernanceState:
    """Let paused command types run again, all of them or none; each has its audit row and alert.

    Raises:
        StaleEpoch: autonomy was lowered since.
        NotFound: one is not paused; carries near matches.
        Refused: unresolved events hold one or more; names each with its events.
        StreamBlind: nobody would see what they do.
        Unavailable: the database is busy or away.
    """
    adopt_sql_changes(desk)
    now = desk.clock()
    with desk.store.writing() as unit:
        check_records(desk, unit)
        state = present_autonomy(desk, unit, now)
        check(state.view(now))
        steps = [state]
        for name in command_types:
            steps.append(phases.resumed(steps[-1], name, epoch=epoch))
        check_sees(desk)
        _check_free({name: unit.events.unresolved_pauses(name) for name in command_types})
        for name, (before, after) in zip(command_types, pairwise(steps), strict=True):
            cause = Cause(Act.TYPE_RESUMED, actor=by, subject=name, because=f"resumed by {by}")
            change_autonomy(desk, unit, before=before, after=after, cause=cause, now=now)
    return steps[-1].view(now)


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
