"""The weekly cycle: measured, assessed, proposed, written down; once per ISO week by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from governance.audit import Act
from governance.desk import Desk
from governance.handlers.lowering import SYSTEM
from governance.handlers.metrics import compare_metrics
from governance.handlers.proposals import list_obstacles, list_proposals, propose_if_ready
from governance.handlers.readiness import assess
from governance.handlers.sql_changes import present_autonomy
from governance.measured import MONTH
from governance.report_wire import Report
from governance.reports import PERIOD, SHOWN, Week, compose, report_name
from governance.rule_quality import RECORD, qualities, response_times
from governance.schedule import DueWeek, Schedule, due_week
from governance.store import Unit


def run_cycle(desk: Desk, *, scheduled: bool = False, by: str = SYSTEM) -> Report:
    """Run the cycle of the last seven days: assess, propose if ready, write a report.

    Each call writes a report of its own. A *scheduled* one is that of the oldest week which is
    due: its seven days end when it was due, and whoever comes second, in this process or
    another, gets what the first one wrote. Where no week is due it is that of the newest.

    *by* cannot approve what the cycle proposes.

    Raises:
        NotFound: *scheduled*, although no week was ever due.
        Unavailable: the database is busy or away; nothing was written but the assessment.
    """
    if not scheduled:
        return _run(desk, None, by=by)
    week = next_due_week(desk)
    if week is not None:
        return _run(desk, week, by=by)
    with desk.store.reading() as unit:
        last = unit.reports.last_week()
        return Report.model_validate_json(unit.reports.require(f"week-{last}"))


def next_due_week(desk: Desk) -> DueWeek | None:
    """Return the oldest week whose scheduled cycle is due and was not run, or None.

    Raises:
        Unavailable: the database is away.
    """
    wanted = desk.settings
    schedule = Schedule(wanted.cycle_timezone, wanted.cycle_weekday, wanted.cycle_hour)
    with desk.store.reading() as unit:
        last, since = unit.reports.last_week(), unit.autonomy.began()
    return due_week(desk.clock(), last, schedule, since=since)


def list_reports(desk: Desk, *, limit: int = 10) -> list[str]:
    """Return the newest *limit* reports, newest first, each as the JSON that was written."""
    with desk.store.reading() as unit:
        return unit.reports.newest(limit)


def show_report(desk: Desk, report_id: str) -> str:
    """Return one report as the JSON that was written; ``latest`` is the newest.

    Raises:
        NotFound: there is none; carries near matches.
    """
    with desk.store.reading() as unit:
        return unit.reports.require(report_id)


def _run(desk: Desk, due: DueWeek | None, *, by: str) -> Report:
    """Gather a week and write its report, unless another replica wrote that of *due* meanwhile."""
    week = _gathered(desk, due, by=by)
    now = desk.clock()
    with desk.store.writing() as unit:
        known = unit.reports.of_week(due.name) if due else None
        return known or _write(desk, unit, week, by=by, now=now)


def _gathered(desk: Desk, due: DueWeek | None, *, by: str) -> Week:
    """Return what is to be said of the seven days up to now, or up to when *due* was due."""
    assessment = assess(desk)
    proposal = propose_if_ready(desk, assessment, requested_by=None if by == SYSTEM else by)
    end = due.moment if due else desk.clock()
    start = end - PERIOD
    with desk.store.reading() as unit:
        trips = unit.trip_records.between(start, end)
        record = unit.trip_records.between(end - RECORD, end)
        events = unit.events.newest_between(start, end, limit=SHOWN)
        names, unresolved = unit.rules.names(), unit.events.count_unresolved()
    return Week(
        start=start,
        end=end,
        iso_week=due.name if due else None,
        metrics=desk.measure(start, end),
        assessment=assessment,
        events=[event.seen_at(desk.clock()) for event in events],
        count=len(trips),
        unresolved=unresolved,
        response=response_times(trips, desk.clock()),
        rules=qualities(names, record, since=end - RECORD, until=end),
        proposal=proposal,
        pending=[one.id for one in list_proposals(desk)],
        obstacles=[] if proposal else list_obstacles(desk, assessment),
        month=compare_metrics(desk, end, MONTH),
    )


def _write(desk: Desk, unit: Unit, week: Week, *, by: str, now: datetime) -> Report:
    """Write the report of *week*, its audit row, and when the last report was."""
    name = report_name(week.iso_week, now=now, head=unit.audit.head().hash)
    report = compose(week, name=name, now=now)
    unit.reports.add(report)
    state = present_autonomy(desk, unit, now)
    unit.autonomy.save(replace(state, last_report_date=now), now)
    unit.audit.append(
        Act.CYCLE_RUN,
        report.id,
        actor=by,
        at=now,
        after={
            "isoWeek": report.iso_week,
            "recommendation": report.recommendation.value,
            "score": report.readiness.overall.score,
            "proposal": report.proposal.id if report.proposal else None,
        },
    )
    return report
