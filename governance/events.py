"""Breaker events: the record of a trip that people resolve, as the API shows it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import Field

from schemas.actions import BreakerAction, Evidence
from schemas.events import Severity
from schemas.rules import Action, RuleSummary
from schemas.wire import Moment, Wire


class Finding(StrEnum):
    """What people found a trip to be; the runbook's false-positive rate is counted from it."""

    TRUE_POSITIVE = "true_positive"
    FALSE_POSITIVE = "false_positive"
    BENIGN_EXPECTED = "benign_expected"
    DUPLICATE = "duplicate"
    DRILL = "drill"


class Escalated(Wire):
    """What the escalation rules made of a trip, and which of them fired: the reason why.

    ``effect`` is what was done to the state, ``pause`` the command type that it paused,
    ``raised`` the ids of the events that it raised beside this one.
    """

    effect: Action
    pause: str | None = None
    raised: list[str] = []
    fired: list[str] = []


class BreakerEvent(Wire):
    """One trip, once: what tripped, on what evidence, what it did, and how people resolved it.

    ``timestamp`` is the log time of the trip, ``recorded_at`` when this service learned of it.
    ``severity`` and ``due_at`` say by when people answer. ``autonomy_epoch`` is the epoch after
    the event; ``caused_by`` names the trip that raised it, for an escalation. ``overdue`` says
    that nobody answered in time, as of the moment of the answer; reopening an event that was
    answered in time gives people as long again. ``cause`` is what people found behind it.
    """

    id: str
    timestamp: Moment
    rule: RuleSummary
    rule_version: int
    scope: str = Field(description="`*`, a command type, or `label=value`.")
    scope_key: str
    command_type: str | None
    action: Action
    severity: Severity
    metrics: dict[str, float | int | None]
    details: str
    due_at: Moment
    recorded_at: Moment
    autonomy_epoch: int
    caused_by: str | None = None
    resolved: bool = False
    resolved_at: Moment | None = None
    resolved_by: str | None = None
    finding: Finding | None = None
    notes: str | None = None
    cause: str | None = None
    incident_id: str | None = None
    acknowledged_at: Moment | None = None
    acknowledged_by: str | None = None
    reopened_at: Moment | None = None
    overdue: bool = False

    @property
    def answered_at(self) -> datetime | None:
        """Return when people first answered: by acknowledging it, or by resolving it at once."""
        return self.acknowledged_at or self.resolved_at

    def is_overdue(self, now: datetime) -> bool:
        """Whether people should have answered by *now* and have not."""
        return self.answered_at is None and now > self.due_at

    def seen_at(self, now: datetime) -> Self:
        """Return the event as it is shown at *now*."""
        overdue = self.is_overdue(now)
        return self if overdue == self.overdue else self.model_copy(update={"overdue": overdue})


class ExplainedEvent(BreakerEvent):
    """A breaker event with all it stands on; ``GET /api/circuit-breaker/events/{id}``.

    ``evidence`` is None for an event that the escalation rules raised: it stands on trips,
    which ``related`` names, and not on samples. ``judge_epoch`` is the epoch that the judge
    knew when it decided.
    """

    evidence: Evidence | None
    escalation: Escalated | None
    judge_epoch: int | None = None
    related: list[str] = []


class Answered(Wire):
    """The outcome of acknowledging or reopening: ``already`` means that it was so before."""

    success: bool = True
    id: str
    already: bool
    event: BreakerEvent


class Resolution(Wire):
    """The outcome of resolving: ``already`` means that an earlier request did it, and stands."""

    success: bool = True
    id: str
    already: bool
    event: BreakerEvent


def sentence(action: BreakerAction) -> str:
    """Return in one sentence why *action* was taken, with its numbers.

    The substituted condition comes from the judge; a reader can recompute it.
    """
    where = "overall" if action.scope == "*" else f"for {action.scope}"
    return (
        f"{action.rule.name}: {action.evidence.substituted} {where} "
        f"within {action.rule.window}, on {action.evidence.samples} samples"
    )
