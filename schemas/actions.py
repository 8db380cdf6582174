"""What judge publishes on ``breaker-actions``: trips, with the evidence that they stand on.

The topic has one partition, so its order is total. Between the actions the judges publish how
far they have decided (`Frontier`): everything before it has been judged and published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from schemas.events import Severity
from schemas.rules import Action, RuleSummary
from schemas.wire import Moment, Wire


class Reading(Wire):
    """One metric as it stood: ``value`` None when the denominator is 0.

    Counts have no denominator; ``samples`` is then the number of events they count.
    """

    metric: str
    value: int | float | None
    numerator: int
    denominator: int | None
    samples: int


class LogRange(Wire):
    """Offsets ``[from, upto)`` of a partition: every event in the window lies inside."""

    topic: str
    partition: int
    from_: int = Field(alias="from")
    upto: int


class Evidence(Wire):
    """Why a breaker opened: enough to recompute it by hand.

    ``command_ids`` are the newest bad events of the kinds that the condition looks at, at
    most 20; ``resolved_at`` is the moment before which events no longer count because people
    resolved the breaker's last trip.
    """

    rule_version: int
    condition: str
    substituted: str
    window_start: Moment
    window_end: Moment
    resolved_at: Moment | None = None
    readings: list[Reading]
    samples: int
    command_ids: list[str]
    log: list[LogRange]


class BreakerAction(Wire):
    """One trip of one breaker; the same log always makes the same ``id`` and evidence."""

    kind: Literal["action"] = "action"
    schema_version: Literal[1] = 1
    id: str
    rule: RuleSummary
    rule_version: int
    scope: str = Field(description="`*`, a command type, or `label=value`.")
    scope_key: str = Field(description="The scope's key in tallies, e.g. `commandType=SET_POWER`.")
    command_type: str | None
    action: Action
    severity: Severity
    decided_at: Moment
    metrics: dict[str, int | float | None]
    evidence: Evidence
    epoch: int | None = Field(
        default=None, description="The autonomy epoch in force at `decidedAt`, as judge knew it."
    )


class Frontier(Wire):
    """How far one judge has decided; all its actions up to ``judged_until`` are published.

    It also says by which rule versions: always as a digest (`ruleset_digest`), and as a list when
    that changes and every few seconds. A worker of a version that cannot tell sends neither.
    """

    kind: Literal["frontier"] = "frontier"
    partition: int
    partitions: int
    judged_until: Moment
    worker: str
    ruleset: str | None = Field(default=None, description="Digest of the rule versions in force.")
    rule_versions: dict[str, int] | None = Field(
        default=None, description="The version in force of each rule, disabled and deleted too."
    )
    lacking: dict[str, int] | None = Field(
        default=None,
        description="Versions it judged by before and cannot find on `rules`: it waits for them.",
    )
    overflowed: int = Field(
        default=0,
        description="Distinct values beyond the limit that this worker counted as one lately.",
    )


Decision = Annotated[BreakerAction | Frontier, Field(discriminator="kind")]
DECISION: Final[TypeAdapter[BreakerAction | Frontier]] = TypeAdapter(Decision)


def ruleset_digest(versions: Mapping[str, int]) -> str:
    """Return the short name of a set of rule versions; the same set has the same name.

    >>> ruleset_digest({"a": 1, "b": 2}) == ruleset_digest({"b": 2, "a": 1})
    True
    """
    text = "\x1f".join(f"{name}@{version}" for name, version in sorted(versions.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def action_id(rule: str, version: int, scope: str, at: int, action: str) -> str:
    """Return the id of the trip of *rule* on *scope* (its key) at *at* (ms).

    It names the moment, not a trip number: if a judge's state is ever lost, a new trip gets a
    new id instead of an old one, and is not mistaken for a repeat.
    """
    text = "\x1f".join((rule, str(version), scope, str(at), action))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
