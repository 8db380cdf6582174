"""The ladder: what each rise allows, who approves it, and for how long it is then validated.

to    adds                         validation   approved by
L3+   SET_POWER, SET_FAN              14 days   tech-lead
L4    SET_DRUM, SET_AIRFLOW           21 days   ... and ops-lead
L4+   PREHEAT, COOLING_CYCLE          30 days   ... and product-lead
L5    EMERGENCY_SHUTDOWN, ABORT       60 days   ... and exec-sponsor
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from schemas.governance import LADDER, Phase


class ApproverRole(StrEnum):
    """The roles in which people approve a rise, in the order in which they are asked."""

    TECH_LEAD = "tech-lead"
    OPS_LEAD = "ops-lead"
    PRODUCT_LEAD = "product-lead"
    EXEC_SPONSOR = "exec-sponsor"


class RiskLevel(StrEnum):
    """How much a rise puts at stake."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """Return the position, 1 for low to 3 for high."""
        return list(RiskLevel).index(self) + 1


@dataclass(frozen=True, slots=True)
class Rise:
    """One step up: ``inherent_risk`` is what it puts at stake even on the best evidence."""

    target: Phase
    adds: tuple[str, ...]
    validation: timedelta
    roles: tuple[ApproverRole, ...]
    inherent_risk: RiskLevel

    @property
    def accepted_risk(self) -> RiskLevel:
        """Return the risk up to which it may be approved: high only where it cannot be less."""
        return max(RiskLevel.MEDIUM, self.inherent_risk, key=lambda level: level.rank)


def _rise(
    target: Phase, adds: tuple[str, ...], *, days: int, approvers: int, risk: RiskLevel
) -> Rise:
    """Return one row of the phase table; the first *approvers* roles approve it."""
    return Rise(target, adds, timedelta(days=days), tuple(ApproverRole)[:approvers], risk)


RISES: Final[tuple[Rise, ...]] = (
    _rise(Phase.L3_PLUS, ("SET_POWER", "SET_FAN"), days=14, approvers=1, risk=RiskLevel.LOW),
    _rise(Phase.L4, ("SET_DRUM", "SET_AIRFLOW"), days=21, approvers=2, risk=RiskLevel.MEDIUM),
    _rise(Phase.L4_PLUS, ("PREHEAT", "COOLING_CYCLE"), days=30, approvers=3, risk=RiskLevel.MEDIUM),
    _rise(Phase.L5, ("EMERGENCY_SHUTDOWN", "ABORT"), days=60, approvers=4, risk=RiskLevel.HIGH),
)
"""The phase table; what a rise adds may be set otherwise by an installation."""


def rise_to(target: Phase, whitelists: Mapping[Phase, Sequence[str]]) -> Rise | None:
    """Return the rise to *target*, with what *whitelists* say that it adds, or None for L3."""
    for rise in RISES:
        if rise.target is target:
            adds = tuple(whitelists.get(target, rise.adds))
            return Rise(target, adds, rise.validation, rise.roles, rise.inherent_risk)
    return None


def next_rise(phase: Phase, whitelists: Mapping[Phase, Sequence[str]]) -> Rise | None:
    """Return the rise from *phase*, or None at the top."""
    if phase is LADDER[-1]:
        return None
    return rise_to(LADDER[phase.rank + 1], whitelists)


def known_command_types(whitelists: Mapping[Phase, Sequence[str]]) -> set[str]:
    """Return every command type that some phase allows."""
    return {name for rise in RISES for name in whitelists.get(rise.target, rise.adds)}
