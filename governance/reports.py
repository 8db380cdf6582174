"""The report of a governance cycle: what a week was like, and what it asks for.

Pure: `compose` takes what was measured and returns the report; nothing is looked up here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from governance.events import BreakerEvent
from governance.metrics import PeriodMetrics
from governance.metrics_history import Comparison
from governance.proposals import Proposal
from governance.readiness import Assessment, NextAction, Priority, Recommendation, Recommended
from governance.report_text import summary_of
from governance.report_wire import Report
from governance.rule_quality import ResponseTimes, RuleQuality

SHOWN: Final = 200
"""Breaker events in a report at most, the newest; their number is always whole."""

PERIOD: Final = timedelta(days=7)
"""What a report looks back on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """What was measured, asked and found for one report.

    ``events`` are the newest of the week, ``count`` says how many there were. ``proposal`` is
    what this cycle generated; ``pending`` are the ids of all that wait for people.
    """

    start: datetime
    end: datetime
    iso_week: str | None
    metrics: PeriodMetrics
    assessment: Assessment
    events: Sequence[BreakerEvent]
    count: int
    unresolved: int
    response: ResponseTimes
    rules: Sequence[RuleQuality]
    proposal: Proposal | None
    pending: Sequence[str]
    obstacles: Sequence[str]
    month: Comparison


def compose(week: Week, *, name: str, now: datetime) -> Report:
    """Return the report *name* of *week*, made at *now*, with its summary in Markdown."""
    advice = advised(week)
    report = Report(
        id=name,
        report_id=name,
        iso_week=week.iso_week,
        week_start=week.start,
        week_end=week.end,
        generated_at=now,
        timestamp=now,
        recommendation=advice[0].type,
        metrics=week.metrics,
        readiness=week.assessment,
        expansion=week.proposal,
        proposal=week.proposal,
        pending_proposals=list(week.pending),
        obstacles=list(week.obstacles),
        circuit_breaker_events=list(week.events[:SHOWN]),
        circuit_breaker_event_count=week.count,
        unresolved_events=week.unresolved,
        response_times=week.response,
        rules=list(week.rules),
        month_over_month=week.month,
        summary="",
        recommendations=advice,
        next_actions=_next(week),
    )
    return report.model_copy(update={"summary": summary_of(report)})


def advised(week: Week) -> list[Recommendation]:
    """Return what to decide, the weightiest first.

    A rise is recommended only where one is proposed, or could be by now: readiness by itself is
    not enough while a cooldown runs or a phase is young.
    """
    found = list(week.assessment.recommendations)
    first = found[0].type if found else Recommended.MAINTAIN
    if found and (first is not Recommended.EXPAND_SCOPE or week.proposal or week.pending):
        return found
    why = "; ".join(week.obstacles) or "nothing asks for a change"
    stay = Recommendation(
        type=Recommended.MAINTAIN,
        priority=Priority.LOW,
        rationale=f"no rise is proposed: {why}",
        actions=["Stay at the present phase and watch the trends"],
    )
    return [stay, *found]


def report_name(iso_week: str | None, *, now: datetime, head: str) -> str:
    """Return a report's id: that of its week, or one of its own made from the audit's *head*.

    The head moves with every report, so that two of one millisecond have two names.

    >>> report_name("2026-W48", now=datetime(2026, 11, 27, 16), head="")
    'week-2026-W48'
    """
    if iso_week is not None:
        return f"week-{iso_week}"
    chance = hashlib.sha256(f"{head}{now.isoformat()}".encode()).hexdigest()[:8]
    return f"report-{now:%Y%m%dT%H%M%SZ}-{chance}"


def _next(week: Week) -> list[NextAction]:
    """Return what to do: what waits for people first, then what readiness asks for."""
    waiting = [
        NextAction(description=f"Review proposal {name} and approve or reject it")
        for name in week.pending
    ]
    return [*waiting, *week.assessment.next_actions]
