"""Autonomy as it stands: phases, the state, and what travels on the ``state`` topic."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from schemas.wire import Moment, Wire


class Phase(StrEnum):
    """How much automation may do by itself, from people approving everything to full."""

    L3 = "L3"
    L3_PLUS = "L3+"
    L4 = "L4"
    L4_PLUS = "L4+"
    L5 = "L5"

    @property
    def rank(self) -> int:
        """Return the position on the ladder, 0 for L3."""
        return LADDER.index(self)


LADDER: Final[tuple[Phase, ...]] = tuple(Phase)


class StateRecord(Wire):
    """The state as a whole, key ``governance``; also one record ``epoch/N`` for each epoch.

    ``effective_from`` is the log time (ms) from which judges show the epoch.
    """

    kind: Literal["state"] = "state"
    phase: Phase
    phase_start_date: Moment
    command_whitelist: list[str]
    paused_command_types: list[str]
    autonomy_epoch: int
    effective_from: int
    updated_at: Moment


class ResolutionRecord(Wire):
    """People resolved the trip ``action_id``, key ``resolution/ID``: its breaker starts afresh.

    From ``effective_from`` (ms of log time, a multiple of 100) the breaker of *rule* on
    *scope_key* is closed and counts only what comes after.
    """

    kind: Literal["resolution"] = "resolution"
    action_id: str
    rule: str
    scope_key: str
    effective_from: int
    resolved_at: Moment


StateTopicRecord = Annotated[StateRecord | ResolutionRecord, Field(discriminator="kind")]
STATE_TOPIC: Final[TypeAdapter[StateRecord | ResolutionRecord]] = TypeAdapter(StateTopicRecord)


class GovernanceState(Wire):
    """``GET /api/governance/state``."""

    current_phase: Phase
    phase_start_date: Moment
    command_whitelist: list[str]
    paused_command_types: list[str]
    autonomy_epoch: int
    days_since_phase_start: int
    last_report_date: Moment | None = None
    last_expansion_date: Moment | None = None
