"""Minutes, hours and days on both databases: they agree, whatever comes late or is repeated."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from sqlalchemy import text

from governance import handlers
from governance.desk import Desk
from governance.rollups import Step, Stretch
from governance.store.engine import open_engine
from schemas.tallies import WIDTH, Column, Counts
from schemas.wire import to_ms
from tests.desks import NOON, settings_for

DAY = timedelta(days=1)
MINUTE = 60_000


def fill(desk: Desk, *, days: int = 4, rows: int = 300) -> dict[int, Counts]:
    """Count at random minutes before noon, in batches and out of order; return what was counted."""
    chance = Random(7)
    written: dict[int, Counts] = {}
    for _ in range(3):
        batch = {}
        for _ in range(rows // 3):
            minute = to_ms(NOON) // MINUTE - 1 - chance.randrange(days * 1_440)
            batch[minute, "*"] = [chance.randrange(5) for _ in range(WIDTH)]
        for (minute, _), row in batch.items():
            before = written.get(minute, [0] * WIDTH)
            written[minute] = [a + b for a, b in zip(before, row, strict=True)]
        with desk.store.writing() as unit:
            unit.minutes.add({**batch, **{(m, "commandType=A"): r for (m, _), r in batch.items()}})
    return written


def total(desk: Desk, start: datetime, end: datetime) -> Counts:
    """Return what the database says of a period."""
    with desk.store.reading() as unit:
        return unit.minutes.total(start, end)


def brute(written: dict[int, Counts], start: datetime, end: datetime) -> Counts:
    """Return the same, minute by minute."""
    inside = [r for m, r in written.items() if to_ms(start) <= m * MINUTE < to_ms(end)]
    return [sum(column) for column in zip(*inside, [0] * WIDTH, strict=True)]


def hours(desk: Desk, step: Step = Step.HOUR) -> dict[str, Counts]:
    """Return all hours, or all days."""
    with desk.store.reading() as unit:
        return unit.minutes.rows(Stretch(step, 0, to_ms(NOON + DAY)))


def run_sql(url: str, *statements: str) -> None:
    """Do what an operator does by hand."""
    engine = open_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_any_period_is_the_sum_of_its_minutes(desk: Desk) -> None:
    """Read by days and hours or minute by minute, the numbers are the same."""
    written, chance = fill(desk), Random(8)
    for _ in range(40):
        start = NOON - timedelta(seconds=chance.randrange(5 * 86_400))
        end = start + timedelta(seconds=chance.randrange(4 * 86_400))
        assert total(desk, start, end) == brute(written, start, end)


def test_a_late_increment_grows_its_hour_and_its_day(desk: Desk) -> None:
    """What arrives a day late is in every sum that it belongs to."""
    late = [1] * WIDTH
    with desk.store.writing() as unit:
        unit.minutes.add({(to_ms(NOON - DAY) // MINUTE, "*"): late})
        unit.minutes.add({(to_ms(NOON - DAY) // MINUTE, "*"): late})

    assert hours(desk) == {"2026-11-22T12:00:00.000Z": [2] * WIDTH}
    assert hours(desk, Step.DAY) == {"2026-11-22T00:00:00.000Z": [2] * WIDTH}


def test_minutes_that_came_in_by_sql_are_summed_up(desk: Desk, database_url: str) -> None:
    """An older version's minutes, or an operator's, count like our own from the next look on."""
    written = fill(desk)
    expected = hours(desk), hours(desk, Step.DAY)
    run_sql(database_url, "DELETE FROM metrics_hours", "DELETE FROM metrics_days")

    assert handlers.sum_up_minutes(desk)
    assert (hours(desk), hours(desk, Step.DAY)) == expected
    assert total(desk, NOON - 5 * DAY, NOON) == brute(written, NOON - 5 * DAY, NOON)


def test_summing_up_again_changes_nothing(desk: Desk) -> None:
    """It may be repeated whenever, and never counts anything twice."""
    fill(desk)
    before = hours(desk), hours(desk, Step.DAY)
    with desk.store.writing() as unit:
        for day in range(5):
            unit.minutes.sum_up(to_ms(NOON.replace(hour=0) - day * DAY))

    assert len(before[1]) == 5
    assert (hours(desk), hours(desk, Step.DAY)) == before
    assert not handlers.sum_up_minutes(desk)


def test_pruned_minutes_stay_in_their_hours(desk: Desk, tmp_path: Path) -> None:
    """After 90 days the minutes go; months are still the same, and are not summed up to less."""
    desk = replace(desk, settings=settings_for(data_dir=tmp_path))
    row = [3] * WIDTH
    old = NOON - 91 * DAY
    with desk.store.writing() as unit:
        unit.minutes.add({(to_ms(old) // MINUTE, "*"): row, (to_ms(NOON) // MINUTE, "*"): row})
    assert handlers.prune(desk, by="anna").rows["metrics_snapshots"] == 1

    assert total(desk, old - DAY, NOON) == row
    assert not handlers.sum_up_minutes(desk)


def test_the_runbooks_cleanup_leaves_the_months(desk: Desk, database_url: str) -> None:
    """Whoever deletes snapshots by hand loses minutes, not the history."""
    written = fill(desk)
    run_sql(database_url, "DELETE FROM metrics_snapshots")

    assert total(desk, NOON - 5 * DAY, NOON + DAY) == brute(written, NOON - 5 * DAY, NOON)


def test_a_history_adds_up(desk: Desk) -> None:
    """The points of a history are its period, for each step and each scope."""
    written = fill(desk)
    start, end = NOON - 5 * DAY, NOON
    expected = sum(row[Column.SUCCEEDED] for row in written.values())
    for step in (Step.HOUR, Step.DAY):
        for scope in ("*", "commandType=A"):
            points = handlers.show_metrics_history(desk, start, end, step=step, scope=scope)
            assert sum(point.commands.succeeded for point in points) == expected


def test_months_are_compared(desk: Desk) -> None:
    """The period before is as long, ends where this one starts, and readiness is beside it."""
    handlers.assess(desk)
    fill(desk, days=4)
    found = handlers.compare_metrics(desk, NOON, 2 * DAY)

    assert found.previous.period.end == found.current.period.start == NOON - 2 * DAY
    assert found.change.attempts == sum(
        found.current.commands.model_dump(include={"succeeded", "failed"}).values()
    ) - sum(found.previous.commands.model_dump(include={"succeeded", "failed"}).values())
    assert (found.current_readiness, found.previous_readiness) == (5 / 80, None)


def test_no_minute_counts_in_both_of_two_periods(desk: Desk) -> None:
    """Amid a minute, too, one period ends where the other begins."""
    found = handlers.compare_metrics(desk, NOON + timedelta(seconds=47), 2 * DAY)

    end = NOON + timedelta(minutes=1)
    periods = [(one.period.start, one.period.end) for one in (found.previous, found.current)]
    assert periods == [(end - 4 * DAY, end - 2 * DAY), (end - 2 * DAY, end)]


def test_a_desk_measures_what_the_database_holds(desk: Desk) -> None:
    """Without a stream beside it, a desk reads what was written."""
    written = fill(desk)
    for length in (DAY, 30 * DAY):
        found = desk.measure(NOON - length, NOON).commands.succeeded
        assert found == brute(written, NOON - length, NOON)[Column.SUCCEEDED]


def test_a_moment_that_is_none_stops_nothing(desk: Desk, database_url: str) -> None:
    """A row that an operator mistyped is nobody's minute, and everything else goes on."""
    written = fill(desk)
    for moment in ("", "yesterday", "2026-11-01 10:00:00", "2025-02-30T10:00:00.000Z"):
        row = (
            f"INSERT INTO metrics_snapshots (timestamp, scope, failed) VALUES ('{moment}', '*', 9)"
        )
        run_sql(database_url, row)

        assert not handlers.sum_up_minutes(desk)
        assert total(desk, NOON - 5 * DAY, NOON) == brute(written, NOON - 5 * DAY, NOON)
