"""A report in Markdown: a summary to send on, and the whole to keep.

Names of rules and command types come from people and producers; whatever Markdown would read
in them is escaped, so that a name never becomes a link, a heading or a cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from governance.checklist import Category
from governance.events import BreakerEvent
from governance.report_wire import Report
from governance.rule_quality import Interval, RuleQuality
from schemas.terminals import printable
from schemas.wire import iso

SPECIAL: Final = re.compile(r"([\\`*_\[\]<>#|~&])")
"""What would begin something in the middle of a line; a backslash before it is not shown."""

NONE: Final = "–"
"""Shown for what nothing was counted of."""

METRIC_HEAD: Final = ("", "these 7 days", "last 30 days", "30 days before")
READINESS_HEAD: Final = ("part", "points", "of")
EVENT_HEAD: Final = ("tripped (UTC)", "rule", "scope", "severity", "resolved", "verdict")
RULE_HEAD: Final = ("rule", "triggers", "false positives", "95 % interval", "precision")


def summary_of(report: Report) -> str:
    """Return the week in a few lines of Markdown, for people who read nothing else."""
    score, rates = report.readiness.overall, report.metrics.rates
    counts = report.metrics.commands
    lines = [
        f"**{report.recommendation.replace('_', ' ')}**: "
        f"{plain(report.recommendations[0].rationale)}",
        f"Phase {plain(report.readiness.current_phase)}, readiness {percent(score.score)} "
        f"({score.points} of {score.max_points} points), {len(score.blockers)} blocker(s)",
        f"{counts.succeeded + counts.failed} attempts, success {percent(rates.success_rate)}, "
        f"{report.metrics.incidents.critical} critical incident(s)",
        f"{report.circuit_breaker_event_count} breaker event(s), {report.unresolved_events} "
        f"unresolved, answered in time: {percent(report.response_times.adherence)}",
        _proposed(report),
    ]
    return _bullets(lines)


def markdown(report: Report) -> str:
    """Return the whole report in Markdown."""
    week = f"Week {report.iso_week}" if report.iso_week else "Seven days"
    parts = [
        f"# Governance report: {day(report.week_start)} to {day(report.week_end)}",
        f"{week}, made {iso(report.generated_at)[:16].replace('T', ' ')} UTC, `{report.id}`",
        report.summary,
        "## Recommendations",
        _bullets(
            f"**{one.type.replace('_', ' ')}** ({one.priority}): {plain(one.rationale)}"
            for one in report.recommendations
        ),
        "## Next actions",
        _bullets(plain(one.description) for one in report.next_actions),
        "## Metrics, month over month",
        _table(METRIC_HEAD, metric_rows(report)),
        "## Readiness",
        _table(READINESS_HEAD, readiness_rows(report)),
        "Missing:" if report.readiness.overall.blockers else "",
        _bullets(plain(blocker) for blocker in report.readiness.overall.blockers),
        "## Breaker events",
        _table(EVENT_HEAD, event_rows(report)),
        "## Rules, 90 days",
        _table(RULE_HEAD, rule_rows(report)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def metric_rows(report: Report) -> list[tuple[str, ...]]:
    """Return the measured week beside the last month and the one before."""
    periods = (report.metrics, report.month_over_month.current, report.month_over_month.previous)
    return [
        ("attempts", *(str(p.commands.succeeded + p.commands.failed) for p in periods)),
        ("success rate", *(percent(p.rates.success_rate) for p in periods)),
        ("error rate", *(percent(p.rates.error_rate) for p in periods)),
        ("approval rate", *(percent(p.rates.approval_rate) for p in periods)),
        ("rollback rate", *(percent(p.rates.rollback_rate) for p in periods)),
        ("critical incidents", *(str(p.incidents.critical) for p in periods)),
        ("constraint violations", *(str(p.safety.constraint_violations) for p in periods)),
    ]


def readiness_rows(report: Report) -> list[tuple[str, ...]]:
    """Return the points by part, and in all."""
    parts, whole = report.readiness.categories, report.readiness.overall
    rows = [
        (category.value, str(parts[category].score), str(parts[category].max_score))
        for category in Category
    ]
    return [*rows, ("all", str(whole.points), str(whole.max_points))]


def event_rows(report: Report) -> list[tuple[str, ...]]:
    """Return the week's breaker events, newest first."""
    return [_event(event) for event in report.circuit_breaker_events]


def rule_rows(report: Report) -> list[tuple[str, ...]]:
    """Return how good each rule was."""
    return [_rule(one) for one in report.rules]


def _rule(one: RuleQuality) -> tuple[str, ...]:
    """Return one rule's row."""
    return (
        one.rule,
        str(one.triggers),
        percent(one.false_positive_rate),
        interval(one.false_positive_interval),
        percent(one.precision),
    )


def _event(event: BreakerEvent) -> tuple[str, ...]:
    """Return one event's row."""
    return (
        minute(event.timestamp),
        event.rule.name,
        event.scope,
        event.severity.value,
        minute(event.resolved_at) if event.resolved_at else "no",
        event.finding.value.replace("_", " ") if event.finding else NONE,
    )


def _proposed(report: Report) -> str:
    """Return what is proposed, or why nothing is."""
    if report.proposal is not None:
        rise = report.proposal.expansion
        return plain(f"Proposed: {rise.current_phase} to {rise.target_phase}") + (
            f", risk {report.proposal.risk_assessment.level}, `{report.proposal.id}`"
        )
    if report.pending_proposals:
        return "Waiting for approval: " + ", ".join(f"`{one}`" for one in report.pending_proposals)
    return plain("No proposal: " + ("; ".join(report.obstacles) or "nothing to propose"))


def percent(rate: float | None) -> str:
    """Return a rate for people, or a dash where nothing was counted.

    >>> percent(0.99617), percent(None)
    ('99.62 %', '–')
    """
    return NONE if rate is None else f"{rate * 100:.2f} %"


def interval(found: Interval | None) -> str:
    """Return an interval for people."""
    return NONE if found is None else f"{percent(found.low)} to {percent(found.high)}"


def day(moment: datetime) -> str:
    """Return the day (UTC) of a moment."""
    return iso(moment)[:10]


def minute(moment: datetime) -> str:
    """Return a moment (UTC) to the minute."""
    return iso(moment)[:16].replace("T", " ")


def plain(text: str) -> str:
    r"""Return *text* on one line, such that Markdown shows it as it is and no terminal obeys it.

    >>> print(plain("a|b [c](d)"))
    a\|b \[c\](d)
    >>> print(plain("\x1b[2Jall is well"))
    �\[2Jall is well
    """
    return SPECIAL.sub(r"\\\1", printable(" ".join(text.split())))


def _bullets(lines: Iterable[str]) -> str:
    """Return a list."""
    return "\n".join(f"- {line}" for line in lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, or a word where it would be empty."""
    if not rows:
        return "None."
    lines = [head, ["---"] * len(head), *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
