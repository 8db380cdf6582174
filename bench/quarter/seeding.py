"""Fills a database with a quarter of a busy installation; every row as the product writes it.

minutes, hours, days   one of each for all and for each of 50 command types, none left out
breaker events         10,000 over 20 rules, nearly all resolved with a verdict
audit log              more than 100,000 rows
readiness              an assessment kept every hour, and what people attested
ladder                 a phase and a proposal a week; a rise on trial, and one that waits;
                       a rule that two people delete, one of whom has signed
reports                one a week

What handlers and shelves do fast enough they do; the rest goes into the store's tables in bulk.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import insert

from bench.quarter import chain
from bench.quarter.counts import DAY, write_day
from bench.quarter.ladder import attest, climb
from bench.quarter.trips import UNRESOLVED, Trips
from bench.report import Result
from governance import handlers
from governance.desk import Desk
from governance.handlers.wishes import DeleteRule
from governance.joint_acts import Signer
from governance.readiness import Assessment
from governance.store import Store
from governance.store.engine import open_engine
from governance.store.tables import outbox, readiness_assessments
from rules.escalation_reference import decide
from schemas.rules import Rule, RulePatch
from schemas.settings import Settings
from schemas.topics import ALERTS
from schemas.wire import iso

QUARTER: Final = timedelta(days=90)
HOUR: Final = timedelta(hours=1)
RULES: Final = 20
CHANGES: Final = 4
"""Times that people changed each rule."""


def fill(url: str, now: datetime) -> Result:
    """Fill the empty database *url* with the quarter before *now*; return how much that is."""
    seeding = Seeding(url, now)
    try:
        return seeding.run()
    finally:
        seeding.close()


class Seeding:
    """Fills one database."""

    def __init__(self, url: str, now: datetime) -> None:
        self._now = now
        self._began = (now - QUARTER).replace(second=0, microsecond=0)
        self._store = Store(url)
        self._engine = open_engine(url)
        self._settings = Settings(_env_file=None)

    def close(self) -> None:
        """Let go of the database."""
        self._store.close()
        self._engine.dispose()

    def run(self) -> Result:
        """Fill it; takes a minute or two."""
        self._store.migrate()
        self._write_rules()
        attest(self._at(self._began))
        minutes = self._write_minutes()
        trips = Trips(self._rules(), began=self._began, now=self._now)
        with self._store.writing() as unit:
            trips.write(unit)
        proposals = climb(self._at(self._now), began=self._began)
        self._ask_for_a_second_person()
        assessments = self._write_assessments()
        self._write_outbox(trips)
        rows = self._write_chain()
        return {
            "rules": RULES,
            "rowsOfMinutes": minutes,
            "breakerEvents": len(trips.events),
            "unresolved": UNRESOLVED,
            "auditRows": rows,
            "assessments": assessments,
            "proposals": proposals,
            "reports": self._write_reports(),
        }

    def _at(self, moment: datetime) -> Desk:
        """Return a desk at *moment*."""
        return Desk(self._store, self._settings, decide, lambda: moment)

    def _rules(self) -> list[Rule]:
        """Return the rules as they are now."""
        with self._store.reading() as unit:
            newest = unit.rules.newest_of_all().values()
        return [version.rule for version in newest if version.rule is not None]

    def _write_rules(self) -> None:
        """Begin the installation, add rules like the default ones, and change each a few times."""
        desk = self._at(self._began)
        handlers.create(desk)
        default = self._rules()
        for number in range(len(default), RULES):
            like = default[number % len(default)]
            rule = like.model_copy(update={"name": f"{like.name} {number}"})
            handlers.add_rule(desk, rule, by="anna")
        for number in range(CHANGES):
            later = self._at(self._began + (number + 1) * 7 * DAY)
            for rule in self._rules():
                patch = RulePatch(min_samples=rule.min_samples + 1)
                handlers.patch_rule(later, rule.name, patch, by="ben")

    def _write_minutes(self) -> int:
        """Write the minutes, a day at a time, and sum them up as the service does."""
        count = 0
        for number in range(QUARTER.days + 1):
            day = self._began + number * DAY
            if day < self._now - HOUR:
                with self._engine.begin() as connection:
                    count += write_day(connection, day, upto=self._now)
        handlers.sum_up_minutes(self._at(self._now))
        return count

    def _ask_for_a_second_person(self) -> None:
        """Let somebody ask for what another has still to sign."""
        rule = self._rules()[0]
        wish = DeleteRule(name=rule.name, version=None)
        handlers.sign_wish(self._at(self._now), wish, Signer("olga", "token", may_carry=False))

    def _write_assessments(self) -> int:
        """Keep an assessment for each hour."""
        last = handlers.assess(self._at(self._now))
        hours = QUARTER // HOUR
        rows = [self._assessment(last, number / hours) for number in range(hours)]
        with self._engine.begin() as connection:
            connection.execute(insert(readiness_assessments), rows)
        return len(rows) + 1

    def _assessment(self, last: Assessment, share: float) -> dict[str, object]:
        """Return what was kept when *share* of the quarter had passed."""
        score = round(0.5 + 0.4 * share, 4)
        found = last.model_copy(
            update={
                "timestamp": self._began + share * QUARTER,
                "overall": last.overall.model_copy(update={"score": score}),
            }
        )
        text = found.model_dump_json(by_alias=True)
        return {"timestamp": iso(found.timestamp), "assessment": text, "score": score}

    def _write_outbox(self, trips: Trips) -> None:
        """Keep the alerts of the events as if they had been published."""
        rows = [
            {
                "topic": ALERTS.name,
                "key": alert.subject,
                "value": alert.to_bytes().decode(),
                "created_at": iso(alert.time),
                "published_at": iso(alert.time),
            }
            for alert in trips.alerts()
        ]
        with self._engine.begin() as connection:
            connection.execute(insert(outbox), rows)

    def _write_chain(self) -> int:
        """Append to the audit log; return how many rows it has then."""
        with self._store.reading() as unit:
            head, events = unit.audit.head(), list(unit.records.every("circuit_breaker_events"))
        return chain.write(self._engine, head, events).seq

    def _write_reports(self) -> int:
        """Run the cycle of each week that is due, as the service does after an outage."""
        desk, count = self._at(self._now), 0
        while handlers.next_due_week(desk) is not None:
            handlers.run_cycle(desk, scheduled=True)
            count += 1
        return count
