"""The kill switch: all autonomy gone, in one transaction, whatever is down or was ever seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

from governance import phases
from governance.audit import Act
from governance.desk import Desk
from governance.handlers.changes import Cause, change_autonomy
from governance.handlers.insistence import insist
from governance.handlers.sql_changes import present_autonomy
from governance.ladder import known_command_types
from schemas.events import Severity
from schemas.governance import GovernanceState
from schemas.wire import Wire

RECENT: Final = timedelta(days=1)
"""How far back a command type must have run to be named by its traffic."""

NEWEST: Final = 5_000
"""Counts that are looked at for that: the kill switch takes as long whatever was seen."""

FEW: Final = 100
"""Types that are so named at most; more are a flood, and none of them is."""


class Killed(Wire):
    """The kill switch was pulled; ``already`` means that it had been, and nothing changed."""

    success: Literal[True] = True
    already: bool
    voided_proposals: list[str]
    state: GovernanceState


def pull_kill_switch(desk: Desk, *, reason: str, by: str) -> Killed:
    """Go to L3, allow nothing, pause every command type there is, and void what was pending.

    That is one small fact, ``allPaused``, however many types were ever seen. Those that some
    phase allows, that are allowed now, and that ran lately are named as paused besides, the last
    only where they are few: for people, and for executors that read the names alone.

    Kafka need not answer: it is told as soon as it does. What is stored survives a restart; a
    type runs again only when people resume it, or end the pause of everything. A standby does it
    as well.

    Raises:
        Unavailable: the database was held or away for a minute; nothing was changed.
    """
    return insist(lambda: _pull(desk, reason=reason, by=by))


def _pull(desk: Desk, *, reason: str, by: str) -> Killed:
    """Pull once."""
    now = desk.clock()
    with desk.store.writing(lowers=True, needs_lease=False) as unit:
        before = present_autonomy(desk, unit, now)
        known = known_command_types(desk.settings.phase_whitelists)
        seen = unit.rule_records.types_seen(now - RECENT, rows=NEWEST)
        known |= {*before.command_whitelist, *(seen if len(seen) <= FEW else ())}
        after = phases.killed(before, known, now)
        pending = [proposal.id for proposal in unit.proposals.pending()]
        if after is before and not pending:
            return Killed(already=True, voided_proposals=[], state=before.view(now))
        after = after.at_epoch(before.epoch + 1)
        cause = Cause(
            Act.KILL_SWITCH_PULLED,
            actor=by,
            subject="governance",
            because=f"kill switch: {reason}",
            severity=Severity.CRITICAL,
        )
        change_autonomy(desk, unit, before=before, after=after, cause=cause, now=now)
    return Killed(already=False, voided_proposals=pending, state=after.view(now))
