"""Readiness: assessed from what was measured and attested, kept, and compared."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from governance.advice import advised
from governance.desk import Desk
from governance.measured import MONTH, Facts, incident_period
from governance.readiness import Assessment, ScoreMark, score
from governance.readiness_diff import ReadinessDiff, difference, has_moved
from governance.store import Unit
from schemas.errors import Standby
from schemas.rules import Action

KEPT_EVERY: Final = timedelta(hours=1)
"""How often an assessment is kept while nothing moves."""


def assess(desk: Desk) -> Assessment:
    """Assess readiness now, keep the assessment, and return it; a standby keeps none.

    Raises:
        Unavailable: the database is busy or away.
    """
    found = assessed_now(desk)
    with suppress(Standby), desk.store.writing() as unit:
        unit.readiness.save(found)
    return found


def latest_assessment(desk: Desk) -> Assessment:
    """Return the last assessment that was kept; assess first if there is none.

    Raises:
        Unavailable: the database is busy or away.
    """
    return last_assessment(desk) or assess(desk)


def last_assessment(desk: Desk) -> Assessment | None:
    """Return the last assessment that was kept, or None before the first."""
    with desk.store.reading() as unit:
        return unit.readiness.latest()


def follow_readiness(desk: Desk) -> Assessment:
    """Assess now, and keep it if an item moved or the last one that was kept is an hour old.

    Called every minute, it makes the history tell to the minute when something moved.

    Raises:
        Unavailable: the database is busy or away.
    """
    last, found = last_assessment(desk), assessed_now(desk)
    old = last is None or found.timestamp - last.timestamp >= KEPT_EVERY
    if last is None or old or has_moved(last, found):
        with desk.store.writing() as unit:
            unit.readiness.save(found)
    return found


def show_readiness_diff(desk: Desk, since: datetime) -> ReadinessDiff:
    """Assess now, and return what moved since the last assessment at or before *since*.

    Where the history begins later, it is compared with the first assessment.

    Raises:
        Unavailable: the database is busy or away.
    """
    after = assess(desk)
    with desk.store.reading() as unit:
        first = unit.readiness.latest(until=since) or unit.readiness.first_since(since)
        before = first or after
        return difference(
            since,
            before,
            after,
            between=unit.readiness.newest_first(since=before.timestamp, until=after.timestamp),
            checklist={item.name: item for item in unit.readiness.checklist()},
        )


def list_scores(desk: Desk, start: datetime, end: datetime, *, limit: int) -> list[ScoreMark]:
    """Return the newest *limit* scores that were kept in ``[start, end)``, oldest first.

    Raises:
        Unavailable: the database does not answer.
    """
    with desk.store.reading() as unit:
        return unit.readiness.scores(start, end, limit=limit)


def assessed_now(desk: Desk) -> Assessment:
    """Return readiness as it is now, without keeping it."""
    now = desk.clock()
    with desk.store.reading() as unit:
        phase_start = unit.autonomy.load().phase_start_date
    recent = desk.measure(now - MONTH, now)
    phase_long = desk.measure(*incident_period(phase_start, now))
    with desk.chain.turn, desk.store.reading() as unit:
        chain = desk.chain.verify(unit, now, lasting=not desk.store.is_writing)
    with desk.store.reading() as unit:
        state, newest = unit.autonomy.load(), unit.rules.newest_of_all().values()
        cooldown = unit.trials.cooldown(now)
        live = [version.rule for version in newest if version.rule and version.rule.enabled]
        facts = Facts(
            phase=state.phase,
            phase_start=state.phase_start_date,
            recent=recent,
            phase_long=phase_long,
            rules=len(live),
            lowering_rules=sum(rule.action is not Action.ALERT_ONLY for rule in live),
            scraped_at=desk.scrapes.last,
            chain=chain,
            unresolved=unit.events.count_unresolved(),
            cooldown_until=cooldown.until if cooldown else None,
        )
        return _scored(unit, facts, now)


def _scored(unit: Unit, facts: Facts, now: datetime) -> Assessment:
    """Return the checklist's score by *facts*, with advice."""
    checklist, newest = unit.readiness.checklist(), unit.readiness.newest_attestations()
    return advised(score(checklist, newest, facts, now), facts)
