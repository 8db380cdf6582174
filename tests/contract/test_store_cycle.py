"""The weekly cycle, on both databases: once in each ISO week, whoever runs it and how often."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Barrier
from zoneinfo import ZoneInfo

import pytest

from governance import handlers
from governance.cycle_watch import CycleWatch
from governance.desk import Desk
from governance.readiness import Recommended
from governance.report_wire import Report
from governance.store import Store
from rules.escalation_reference import decide
from schemas.errors import NotFound
from tests.desks import NOON, SetClock, alert, at, desk_at, settings_for, trip

FRIDAY = datetime(2026, 11, 27, 16, tzinfo=UTC)
"""When the cycle of the week of `NOON`, a Monday, is due."""


def reports(desk: Desk) -> list[Report]:
    """Return all reports, newest first."""
    return [Report.model_validate_json(text) for text in handlers.list_reports(desk, limit=100)]


def watch(desk: Desk, *, turns: int = 3) -> None:
    """Let a service look at its clock a few times."""
    watch = CycleWatch(desk, wait=lambda seconds: None)
    for _ in range(turns):
        watch.turn()


def test_a_cycle_tells_of_the_week(desk: Desk) -> None:
    """Metrics, readiness, events, answers, rules and the month are in the report, and kept."""
    handlers.apply_action(desk, trip())
    later = at(desk, NOON + timedelta(hours=1))
    handlers.resolve_event(later, trip().id, by="kim")
    report = handlers.run_cycle(later, by="kim")

    assert report.week_end - report.week_start == timedelta(days=7)
    assert [event.id for event in report.circuit_breaker_events] == [trip().id]
    assert (report.response_times.late, report.unresolved_events) == (1, 0)
    assert {one.rule for one in report.rules} >= {"High Error Rate", "Repeated Command Failures"}
    assert report.proposal is None
    assert report.obstacles
    kept = Report.model_validate_json(handlers.show_report(desk, report.id))
    assert kept == Report.model_validate_json(report.model_dump_json(by_alias=True))
    assert handlers.show_state(desk).last_report_date == NOON + timedelta(hours=1)
    assert handlers.list_audit(desk, limit=1)[0].subject == report.id


def test_each_request_makes_a_report_of_its_own(desk: Desk) -> None:
    """Two in the same millisecond are two, and the scheduled one is still to come."""
    first, second = handlers.run_cycle(desk, by="kim"), handlers.run_cycle(desk, by="kim")

    assert first.id != second.id
    assert [report.id for report in reports(desk)] == [second.id, first.id]
    assert Report.model_validate_json(handlers.show_report(desk, "latest")).id == second.id
    watch(at(desk, FRIDAY))
    assert handlers.show_report(desk, "week-2026-W48")


def test_what_is_unresolved_is_recommended_to_be_investigated(desk: Desk) -> None:
    """The recommendation is one of the runbook's four words."""
    handlers.apply_action(desk, alert())

    assert handlers.run_cycle(desk).recommendation is Recommended.INVESTIGATE


def test_there_is_no_report_before_the_first(desk: Desk) -> None:
    """Neither the latest nor any other; a mistyped id is told what it may have been."""
    with pytest.raises(NotFound):
        handlers.show_report(desk, "latest")
    with pytest.raises(NotFound):
        handlers.run_cycle(desk, scheduled=True)
    known = handlers.run_cycle(desk).id
    with pytest.raises(NotFound, match=known):
        handlers.show_report(desk, f"{known}x")


def test_a_week_has_one_scheduled_report(desk: Desk) -> None:
    """However often the service looks or starts again, Friday makes one report."""
    watch(at(desk, FRIDAY - timedelta(seconds=1)))
    assert reports(desk) == []
    for minutes in (0, 1, 60, 60 * 24, 60 * 24 * 3):
        watch(at(desk, FRIDAY + timedelta(minutes=minutes)))

    (report,) = reports(desk)
    assert (report.id, report.iso_week) == ("week-2026-W48", "2026-W48")
    assert report.week_end == FRIDAY


def test_asking_again_for_a_scheduled_week_answers_what_stands(desk: Desk) -> None:
    """A second scheduled run is the first one's report, word for word."""
    friday = at(desk, FRIDAY)
    first = handlers.run_cycle(friday, scheduled=True)

    assert handlers.run_cycle(friday, scheduled=True).id == first.id
    assert len(reports(desk)) == 1


def test_missed_weeks_are_caught_up(desk: Desk) -> None:
    """After an outage each week has its report, of its own seven days, and none has two."""
    watch(at(desk, FRIDAY))
    watch(at(desk, FRIDAY + timedelta(days=24)), turns=10)

    found = reports(desk)[::-1]
    assert [report.iso_week for report in found] == [f"2026-W{week}" for week in (48, 49, 50, 51)]
    assert all(one.week_end == other.week_start for one, other in pairwise(found))


def test_two_replicas_make_one_report_a_week(database_url: str) -> None:
    """Two services that look at the same moments write one report for each week between them."""
    first = desk_at(database_url)
    second = Desk(Store(database_url), first.settings, first.decide, SetClock())
    for week in range(5):
        moment = FRIDAY + timedelta(days=7 * week)
        together = Barrier(2)

        def look(desk: Desk, now: datetime = moment, together: Barrier = together) -> None:
            together.wait(30)
            watch(at(desk, now), turns=2)

        with ThreadPoolExecutor(2) as both:
            list(both.map(look, (first, second)))

    weeks = [report.iso_week for report in reports(first)]
    assert weeks == ["2026-W52", "2026-W51", "2026-W50", "2026-W49", "2026-W48"]
    assert handlers.verify_audit(first).intact
    for desk in (first, second):
        desk.store.close()


@pytest.mark.parametrize("zone", ["Europe/Zurich", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("month", [3, 10])
def test_replicas_whose_clocks_jump_make_one_report_a_week(
    database_url: str, zone: str, month: int
) -> None:
    """Six weeks over a change of the clocks, each host's own stepped an hour to and fro.

    In the third week both replicas are down from Thursday to Sunday; that one is caught up.
    Every report is of its own seven days, which end at 16:00 on the wall.
    """
    chance = random.Random(f"{zone}{month}")
    now = datetime(2027, month, 1, 8, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    first, second = replicas(database_url, zone, now)
    third = (now + timedelta(days=14)).isocalendar().week
    for hours in range(0, 6 * 7 * 24, 5):
        moment = now + timedelta(hours=hours)
        day = moment.astimezone(ZoneInfo(zone)).isocalendar()
        if day.week == third and day.weekday in (4, 5, 6):
            continue
        for desk in (first, second):
            step = timedelta(hours=chance.choice((-1, 0, 0, 1)))
            watch(at(desk, moment + step), turns=1)

    found = reports(first)[::-1]
    weeks = [report.iso_week for report in found]
    monday = now.astimezone(ZoneInfo(zone)).date()
    wanted = [monday + timedelta(days=7 * number) for number in range(7)]
    names = ["{}-W{:02}".format(*day.isocalendar()[:2]) for day in wanted]
    assert weeks == [name for name in names if name in weeks]
    assert len(weeks) == 6
    ends = [report.week_end.astimezone(ZoneInfo(zone)) for report in found]
    assert {(end.weekday(), end.hour, end.minute) for end in ends} == {(4, 16, 0)}
    assert handlers.verify_audit(first).intact
    for desk in (first, second):
        desk.store.close()


def replicas(url: str, zone: str, now: datetime) -> tuple[Desk, Desk]:
    """Return two services over a database that is new at *now*."""
    settings = settings_for(cycle_timezone=zone)
    first = Desk(Store(url), settings, decide, SetClock(now))
    first.store.migrate()
    handlers.create(first)
    return first, Desk(Store(url), settings, decide, SetClock(now))
