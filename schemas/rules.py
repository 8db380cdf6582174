"""Breaker rules: what people write, and what travels on the ``rules`` topic."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from schemas.durations import Duration, Window
from schemas.events import Severity
from schemas.faults import GROUP_BY
from schemas.wire import MAX_TEXT, Moment, Wire, without_nul

MAX_CONDITION: Final = 1_024

RuleName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_TEXT, strip_whitespace=True),
    AfterValidator(without_nul),
]
Condition = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_CONDITION), AfterValidator(without_nul)
]
GroupBy = Annotated[str, Field(pattern=GROUP_BY)]
"""What a rule keeps one breaker for: everything, each command type, each value of a label."""


class Action(StrEnum):
    """What a tripped breaker does; both lowering actions latch until people resolve the event."""

    REVERT_TO_L3 = "revert_to_l3"
    PAUSE_COMMAND_TYPE = "pause_command_type"
    ALERT_ONLY = "alert_only"

    @property
    def latches(self) -> bool:
        """Whether only people close a breaker that took this action."""
        return self is not Action.ALERT_ONLY

    def exceeds(self, other: Action) -> bool:
        """Whether this takes more autonomy away than *other* does."""
        return STRENGTHS.index(self) > STRENGTHS.index(other)


STRENGTHS: Final = (Action.ALERT_ONLY, Action.PAUSE_COMMAND_TYPE, Action.REVERT_TO_L3)
"""The actions from the weakest to the strongest, as escalation orders them."""


class RuleSummary(Wire):
    """The six fields by which the runbook knows a rule."""

    name: RuleName
    enabled: bool = True
    condition: Condition
    window: Window
    action: Action
    alert_severity: Severity


class Rule(RuleSummary):
    """A rule as people write it.

    ``group_by`` None means: inferred from the condition (``commandType.x`` → per command type,
    anything else → overall). ``for_`` is how long a breach must last before the breaker opens,
    ``keep_firing_for`` how long it must be over before an alert closes, ``recover_when`` a
    condition of its own for that, ``min_samples`` how many events a rate must stand on.
    """

    group_by: GroupBy | None = None
    for_: Duration = Field(default="0s", alias="for")
    keep_firing_for: Duration = "0s"
    recover_when: Condition | None = None
    min_samples: Annotated[int, Field(ge=1, le=1_000_000)] = 1

    def summary(self) -> RuleSummary:
        """Return the six fields that events show of their rule."""
        return RuleSummary.model_validate(self.model_dump())


class RulePatch(Wire):
    """Any subset of a rule's fields but its name; an unknown field is refused by name."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool | None = None
    condition: Condition | None = None
    window: Window | None = None
    action: Action | None = None
    alert_severity: Severity | None = None
    group_by: GroupBy | None = None
    for_: Duration | None = Field(default=None, alias="for")
    keep_firing_for: Duration | None = None
    recover_when: Condition | None = None
    min_samples: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class RuleVersion(Wire):
    """One version of a rule on the ``rules`` topic, key ``name@version``; kept for ever.

    In force from ``effective_from`` (ms of append time, a multiple of 100) until the next
    version of the same name is. ``rule`` None means that the rule was deleted.
    """

    name: RuleName
    version: Annotated[int, Field(ge=1)]
    effective_from: Annotated[int, Field(ge=0)]
    rule: Rule | None
    changed_by: str = "system"
    changed_at: Moment

    @property
    def key(self) -> str:
        """Return the record key."""
        return f"{self.name}@{self.version}"
