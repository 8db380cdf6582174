"""Installations that are ready for a rise, and people who approve one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from governance import handlers
from governance.approvals import Approver
from governance.audit import Act
from governance.checklist import Attestation, Kind, Source
from governance.desk import Desk
from governance.ladder import ApproverRole
from governance.metrics import PeriodMetrics, metrics_of
from governance.proposals import Proposal
from schemas.governance import Phase
from schemas.tallies import WIDTH, Column
from tests.desks import SetClock, desk_at

HALF_A_YEAR = timedelta(days=181)
HEALTHY = {
    "proposed": 6_000,
    "approved": 5_900,
    "succeeded": 5_990,
    "failed": 5,
    "rolled_back": 9,
    "succeeded_autonomous": 2_997,
    "failed_autonomous": 3,
}


class Executors:
    """What executors did, the same in whatever period is asked for; tests change it."""

    def __init__(self, **columns: int) -> None:
        self.columns = columns or dict(HEALTHY)

    def __call__(self, start: datetime, end: datetime) -> PeriodMetrics:
        """Return the metrics of a period."""
        row = [0] * WIDTH
        for name, number in self.columns.items():
            row[Column[name.upper()]] = number
        return metrics_of(row, start=start, end=end)


def ready_desk(url: str, phase: Phase = Phase.L3, **fields: object) -> Desk:
    """Return a desk over a new installation that has been at *phase* for half a year."""
    desk = replace(desk_at(url, **fields), clock=SetClock(), measure=Executors())
    make_ready(desk, phase)
    return desk


def make_ready(desk: Desk, phase: Phase | None = None) -> None:
    """Meet every item of the checklist: time passed, everything attested, Prometheus asked."""
    now = desk.clock()
    desk.scrapes.note(now)
    with desk.store.writing() as unit:
        state = unit.autonomy.load()
        held = replace(state, phase=phase or state.phase, phase_start_date=now - HALF_A_YEAR)
        unit.autonomy.save(held, now)
        unit.audit.append(Act.STATE_ADOPTED, "governance", actor="test", at=now, after=held.facts())
        for item in unit.readiness.checklist():
            if item.kind is Kind.ATTESTED:
                unit.readiness.attest(
                    Attestation(
                        item=item.name,
                        met=True,
                        source=Source.PERSON,
                        attested_by="anna",
                        attested_at=now,
                    )
                )


def proposed(desk: Desk) -> Proposal:
    """Return the proposal of the next phase."""
    found = handlers.propose_if_ready(desk, handlers.assess(desk))
    assert found is not None, handlers.list_obstacles(desk, handlers.assess(desk))
    return found


def person(name: str, role: ApproverRole, *more: str) -> Approver:
    """Return somebody with a token, who holds *role* and *more*, and approves in *role*."""
    return Approver(name, role, "token", frozenset({role.value, *more}))


TECH = person("anna", ApproverRole.TECH_LEAD)
OPS = person("ben", ApproverRole.OPS_LEAD)
PRODUCT = person("cleo", ApproverRole.PRODUCT_LEAD)
EXEC = person("dora", ApproverRole.EXEC_SPONSOR)
PEOPLE = (TECH, OPS, PRODUCT, EXEC)


def clock_of(desk: Desk) -> SetClock:
    """Return the clock of a desk of ours, which tests set."""
    assert isinstance(desk.clock, SetClock)
    return desk.clock


def executors_of(desk: Desk) -> Executors:
    """Return what a desk of ours measures, which tests change."""
    assert isinstance(desk.measure, Executors)
    return desk.measure
