"""The state: read, rolled back, and command types resumed. Nothing here raises a phase."""

from __future__ import annotations

from typing import Any

from governance import phases
from governance.audit import Act
from governance.desk import Desk
from governance.handlers.changes import Cause, change_autonomy
from governance.handlers.sql_changes import present_autonomy
from schemas.errors import Refused
from schemas.governance import GovernanceState, Phase


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
    desk: Desk, target: Phase, *, reason: str, by: str, incident_id: str | None = None
) -> GovernanceState:
    """Lower the phase to *target* with the whitelist that was last held there; L3 holds none.

    Staying at the present phase keeps its whitelist and still opens a new epoch, so that every
    decision made before it is stale.

    Raises:
        Refused: *target* is above the present phase.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        before = present_autonomy(desk, unit, now)
        stays = target is before.phase
        held = before.command_whitelist if stays else unit.autonomy.last_whitelist(target)
        after = phases.rolled_back(before, target, whitelist=held, now=now)
        because = f"{reason} (incident {incident_id})" if incident_id else reason
        cause = Cause(Act.PHASE_ROLLED_BACK, actor=by, subject="governance", because=because)
        change_autonomy(desk, unit, before=before, after=after, cause=cause, now=now)
    return after.view(now)


def resume_command_type(desk: Desk, command_type: str, *, by: str, epoch: int) -> GovernanceState:
    """Let a paused command type run again; people only, on the state of *epoch* that they saw.

    Raises:
        StaleEpoch: autonomy was lowered since.
        NotFound: the type is not paused; carries near matches.
        Refused: an unresolved event holds it: its breaker is open and could not trip again.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        before = present_autonomy(desk, unit, now)
        after = phases.resumed(before, command_type, epoch=epoch)
        _check_free(command_type, unit.events.unresolved_pauses(command_type))
        cause = Cause(Act.TYPE_RESUMED, actor=by, subject=command_type, because=f"resumed by {by}")
        change_autonomy(desk, unit, before=before, after=after, cause=cause, now=now)
    return after.view(now)


def _check_free(command_type: str, holders: list[str]) -> None:
    """Refuse to resume what an open breaker holds.

    Raises:
        Refused: names the events.
    """
    if holders:
        raise Refused(
            f"{command_type} is held by unresolved events: {', '.join(holders)}",
            allowed_when="resolve them first",
        )
