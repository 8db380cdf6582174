"""A report as it is kept and answered."""

from __future__ import annotations

from governance.events import BreakerEvent
from governance.metrics import PeriodMetrics
from governance.metrics_history import Comparison
from governance.proposals import Proposal
from governance.readiness import Assessment, NextAction, Recommendation, Recommended
from governance.rule_quality import ResponseTimes, RuleQuality
from schemas.wire import Moment, Wire


class Report(Wire):
    """``GET /api/governance/reports/{id}``; written once, never changed.

    ``iso_week`` is set on the scheduled report of a week. ``report_id``, ``timestamp`` and
    ``proposal`` repeat ``id``, ``generated_at`` and ``expansion`` under the names that clients
    of the cycle read. ``circuit_breaker_events`` are the newest 200; the count beside them is
    whole. ``obstacles`` say why no rise is proposed; ``rules`` look back 90 days.
    """

    id: str
    report_id: str
    iso_week: str | None
    week_start: Moment
    week_end: Moment
    generated_at: Moment
    timestamp: Moment
    recommendation: Recommended
    metrics: PeriodMetrics
    readiness: Assessment
    expansion: Proposal | None
    proposal: Proposal | None
    pending_proposals: list[str]
    obstacles: list[str]
    circuit_breaker_events: list[BreakerEvent]
    circuit_breaker_event_count: int
    unresolved_events: int
    response_times: ResponseTimes
    rules: list[RuleQuality]
    month_over_month: Comparison
    summary: str
    recommendations: list[Recommendation]
    next_actions: list[NextAction]
