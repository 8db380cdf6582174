"""Autonomy as it stands: the phase, what may run unasked, what is paused, and the epoch.

Pure: every change is a function in `phases` or `breakers` from one `Autonomy` to the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from schemas.governance import MOST_PAUSED, GovernanceState, Phase, StateRecord
from schemas.wire import iso


@dataclass(frozen=True, slots=True)
class Autonomy:
    """The whole state; ``epoch`` counts the lowerings, so that a stale decision is seen.

    ``paused_command_types`` are paused by name. While ``all_paused`` holds everything else is
    too, but for ``resumed_command_types``, which people let run again one by one.
    """

    phase: Phase
    phase_start_date: datetime
    command_whitelist: tuple[str, ...] = ()
    paused_command_types: tuple[str, ...] = ()
    epoch: int = 1
    last_report_date: datetime | None = None
    last_expansion_date: datetime | None = None
    all_paused: bool = False
    resumed_command_types: tuple[str, ...] = ()

    def is_paused(self, command_type: str) -> bool:
        """Return whether *command_type* may not run."""
        return bool(self.paused_among((command_type,)))

    @property
    def stands_still(self) -> bool:
        """Whether every command type is paused, without exception."""
        return self.all_paused and not self.resumed_command_types

    def paused_among(self, command_types: Iterable[str]) -> frozenset[str]:
        """Return which of *command_types* may not run."""
        asked = frozenset(command_types)
        named = asked.intersection(self.paused_command_types)
        return named | asked.difference(self.resumed_command_types) if self.all_paused else named

    def view(self, now: datetime) -> GovernanceState:
        """Return what ``GET /api/governance/state`` shows at *now*."""
        return GovernanceState(
            current_phase=self.phase,
            phase_start_date=self.phase_start_date,
            command_whitelist=list(self.command_whitelist),
            paused_command_types=list(self.paused_command_types),
            all_paused=self.all_paused,
            resumed_command_types=list(self.resumed_command_types),
            autonomy_epoch=self.epoch,
            days_since_phase_start=max(0, (now - self.phase_start_date).days),
            last_report_date=self.last_report_date,
            last_expansion_date=self.last_expansion_date,
        )

    def record(self, effective_from: int, now: datetime) -> StateRecord:
        """Return what the ``state`` topic says from *effective_from* (ms of log time)."""
        return StateRecord(
            phase=self.phase,
            phase_start_date=self.phase_start_date,
            command_whitelist=list(self.command_whitelist),
            paused_command_types=list(self.paused_command_types),
            all_paused=self.all_paused,
            resumed_command_types=list(self.resumed_command_types),
            autonomy_epoch=self.epoch,
            effective_from=effective_from,
            updated_at=now,
        )

    def told(self) -> dict[str, Any]:
        """Return `facts`, with the first names only of a list that an older version let grow."""
        facts, more = self.facts(), len(self.paused_command_types) - MOST_PAUSED
        if more > 0:
            facts["pausedCommandTypes"] = facts["pausedCommandTypes"][:MOST_PAUSED]
            facts["morePausedCommandTypes"] = more
        return facts

    def at_epoch(self, epoch: int) -> Autonomy:
        """Return the same state in *epoch*."""
        return replace(self, epoch=epoch)

    def facts(self) -> dict[str, Any]:
        """Return what the audit log keeps of this state, JSON-ready.

        It speaks of a pause of everything only while there is one.
        """
        everything = {
            "allPaused": True,
            "resumedCommandTypes": list(self.resumed_command_types),
        }
        return {
            "phase": self.phase.value,
            "phaseStartDate": iso(self.phase_start_date),
            "commandWhitelist": list(self.command_whitelist),
            "pausedCommandTypes": list(self.paused_command_types),
            "autonomyEpoch": self.epoch,
            **(everything if self.all_paused else {}),
        }
