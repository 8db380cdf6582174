"""Autonomy as it stands: phases, the state, and what travels on the ``state`` topic."""

from __future__ import annotations

import json
from collections.abc import Sequence
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

MOST_PAUSED: Final = 200
"""Command types that a state names as paused, and as exceptions, at most.

With `MOST_PAUSED_BYTES` it keeps every record and alert that holds a state, or two of them, far
below the megabyte that Kafka takes. A pause beyond it pauses everything.
"""

MOST_PAUSED_BYTES: Final = 64 * 1024
"""Bytes that each of these lists has as JSON at most."""


def fits(names: Sequence[str]) -> bool:
    """Return whether a state may name *names* as paused, or as exceptions.

    >>> fits(["SET_FAN"]), fits(["x" * 256] * 201)
    (True, False)
    """
    return len(names) <= MOST_PAUSED and len(json.dumps(list(names))) <= MOST_PAUSED_BYTES


class StateRecord(Wire):
    """The state as a whole, key ``governance``; also one record ``epoch/N`` for each epoch.

    ``effective_from`` is the log time (ms) from which judges show the epoch. While
    ``all_paused`` holds, every command type is paused but ``resumed_command_types``, also one
    that nobody has seen yet; otherwise exactly ``paused_command_types`` are.
    """

    kind: Literal["state"] = "state"
    phase: Phase
    phase_start_date: Moment
    command_whitelist: list[str]
    paused_command_types: list[str]
    all_paused: bool = False
    resumed_command_types: list[str] = []
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


class ProtectionRecord(Wire):
    """Command types that keep a scope of their own whatever else is seen, key ``protection/N``.

    N is ``version``; every version is kept for ever. In force from ``effective_from`` (ms of log
    time, a multiple of 100) until a later one is.
    """

    kind: Literal["protection"] = "protection"
    version: Annotated[int, Field(ge=1)]
    command_types: list[str]
    effective_from: Annotated[int, Field(ge=0)]

    @property
    def key(self) -> str:
        """Return the record key."""
        return f"protection/{self.version}"


StateTopicRecord = Annotated[
    StateRecord | ResolutionRecord | ProtectionRecord, Field(discriminator="kind")
]
STATE_TOPIC: Final[TypeAdapter[StateRecord | ResolutionRecord | ProtectionRecord]] = TypeAdapter(
    StateTopicRecord
)


class GovernanceState(Wire):
    """``GET /api/governance/state``."""

    current_phase: Phase
    phase_start_date: Moment
    command_whitelist: list[str]
    paused_command_types: list[str]
    all_paused: bool = Field(
        default=False,
        description="Every command type is paused but `resumedCommandTypes`, seen before or not.",
    )
    resumed_command_types: list[str] = Field(
        default=[], description="What runs while `allPaused` holds; empty otherwise."
    )
    autonomy_epoch: int
    days_since_phase_start: int
    last_report_date: Moment | None = None
    last_expansion_date: Moment | None = None
