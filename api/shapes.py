"""Shapes: requests and answers that exist only over HTTP.

What the state service already speaks (`BreakerEvent`, `RuleEntry`, `GovernanceState`,
`PeriodMetrics`) is answered as it is.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from governance.checklist import ChecklistEntry
from governance.events import Finding
from governance.health import Check, Health, Role
from governance.readiness import THRESHOLD, Assessment, Band
from governance.rulebook import RuleEntry
from schemas.governance import GovernanceState, Phase
from schemas.rules import Rule
from schemas.wire import MAX_PROSE, MAX_TEXT, Moment, Wire, without_nul

Prose = Annotated[str, StringConstraints(max_length=MAX_PROSE), AfterValidator(without_nul)]
Reason = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_PROSE, strip_whitespace=True),
    AfterValidator(without_nul),
]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_TEXT), AfterValidator(without_nul)
]


Fencing = Field(None, description="The number of the last take-over; it only grows.")
Active = Field(None, description="Where the active service answers, if one is known.")


class Strict(Wire):
    """The base of what people send: a field that nobody knows is refused, not lost."""

    model_config = ConfigDict(extra="forbid")


class HealthReport(Wire):
    """``GET /health``: ``reasons`` says in words why it is not healthy."""

    status: Health
    service: Literal["governance"] = "governance"
    timestamp: Moment
    uptime: float = Field(description="Seconds since the start.")
    version: str
    reasons: list[str]
    role: Role
    fencing: int | None = Fencing
    active: str | None = Active


class Readiness(Wire):
    """``GET /ready``: every part that the service stands on, by name."""

    status: Health
    timestamp: Moment
    uptime: float = Field(description="Seconds since the start.")
    checks: dict[str, Check]
    role: Role
    fencing: int | None = Fencing
    active: str | None = Active


class CatalogEntry(Wire):
    """One metric that may stand in a rule's condition, and how it is computed.

    ``numerator`` and ``denominator`` name what is added up; a count has no denominator.
    """

    name: str
    unit: str
    numerator: list[str]
    denominator: list[str] | None
    description: str
    scopes: list[str] = Field(description="How a condition may name it, and per what it counts.")


class ResolveRequest(Strict):
    """What people found out about a trip; all of it may be left out."""

    verdict: Finding | None = None
    notes: Prose | None = None
    cause: Prose | None = None
    incident_id: Name | None = None


class AcknowledgeRequest(Strict):
    """Nothing, or an object without fields: what people find is said when they resolve."""


class ReopenRequest(Strict):
    """Why an event waits for people again."""

    reason: Reason


class RollbackRequest(Strict):
    """To where and why autonomy is lowered."""

    target_phase: Phase
    reason: Reason
    incident_id: Name | None = None


class ResumeRequest(Strict):
    """The state on which the caller decided, as ``/api/governance/state`` showed it."""

    autonomy_epoch: Annotated[int, Field(ge=0, lt=2**63)]


class ResumeManyRequest(ResumeRequest):
    """Which command types run again, and the state on which the caller decided that."""

    command_types: Annotated[list[Name], Field(max_length=500)] = []
    all_paused: Literal[False] | None = Field(
        default=None,
        description="`false` ends the pause of every command type, as the kill switch begins it; "
        "what `pausedCommandTypes` names and `commandTypes` does not stays paused.",
    )

    @field_validator("command_types")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        """Return them in order: the same wish is the same however it is written."""
        return sorted(set(names))

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        """Refuse a wish for nothing."""
        if not self.command_types and self.all_paused is None:
            raise ValueError('name commandTypes, or say "allPaused": false')
        return self


class NewRule(Rule):
    """A rule to add."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("name")
    @classmethod
    def _addressable(cls, name: str) -> str:
        """Refuse what no address can hold: folders to a client, and what cannot be seen.

        So are the addresses below ``rules`` that show something else.
        """
        if name in (".", "..") or not name.isprintable():
            raise ValueError(f"{name!r} cannot stand in an address")
        if name == "enabled" or name.endswith(("/stats", "/decision")):
            raise ValueError(f"{name!r} is an address of its own; choose another name")
        return name

    def rule(self) -> Rule:
        """Return the rule itself."""
        return Rule.model_validate(self.model_dump())


class StateChanged(Wire):
    """The state after an act that changed it."""

    success: Literal[True] = True
    state: GovernanceState


class RuleChanged(Wire):
    """The rule after a change; it is in force on every worker from ``rule.effectiveFrom``."""

    success: Literal[True] = True
    name: str
    rule: RuleEntry


class RuleDeleted(Wire):
    """A rule was deleted; from ``effectiveFrom`` (ms of log time) no worker knows it."""

    success: Literal[True] = True
    name: str
    version: int
    effective_from: int


class ReadinessScore(Wire):
    """``GET /api/readiness/score``; from ``threshold`` on the score is enough."""

    score: float
    ready: bool
    band: Band
    threshold: float = THRESHOLD
    blockers: list[str]
    timestamp: Moment

    @classmethod
    def of(cls, assessment: Assessment) -> ReadinessScore:
        """Return the score of *assessment*."""
        whole = assessment.overall
        return cls(
            score=whole.score,
            ready=whole.ready,
            band=whole.band,
            blockers=whole.blockers,
            timestamp=assessment.timestamp,
        )


class ItemChanged(Wire):
    """An item of the checklist after a change, as it stands now."""

    success: Literal[True] = True
    name: str
    item: ChecklistEntry

    @classmethod
    def of(cls, item: ChecklistEntry) -> ItemChanged:
        """Return the answer that shows *item*."""
        return cls(name=item.name, item=item)
