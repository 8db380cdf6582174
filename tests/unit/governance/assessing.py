"""Facts, items and assessments by hand, for the tests of readiness."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from governance.audit import GENESIS, ChainReport
from governance.checklist import Attestation, ChecklistItem, Kind, Source, default_checklist
from governance.measured import Facts
from governance.metrics import PeriodMetrics, metrics_of
from governance.readiness import Assessment, score
from schemas.governance import Phase
from schemas.tallies import WIDTH, Column
from tests.desks import NOON

HALF_A_YEAR = timedelta(days=180)
CHECKLIST = default_checklist()


def counted(**columns: int) -> PeriodMetrics:
    """Return the metrics of the month that ends at noon."""
    row = [0] * WIDTH
    for name, number in columns.items():
        row[Column[name.upper()]] = number
    return metrics_of(row, start=NOON - timedelta(days=30), end=NOON)


HEALTHY = counted(proposed=1_000, approved=950, succeeded=999, failed=1, rolled_back=5)


def good_facts(**changes: object) -> Facts:
    """Return facts by which everything that is measured is met, with *changes*."""
    facts = Facts(
        phase=Phase.L3,
        phase_start=NOON - HALF_A_YEAR,
        recent=HEALTHY,
        phase_long=HEALTHY,
        rules=4,
        lowering_rules=3,
        scraped_at=NOON - timedelta(seconds=15),
        chain=ChainReport(intact=True, rows=9, head_seq=9, head_hash=GENESIS),
        unresolved=0,
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


def said(name: str, *, met: bool = True, at: datetime = NOON, by: str = "anna") -> Attestation:
    """Return what somebody said of an item."""
    return Attestation(
        item=name,
        met=met,
        evidence_url="https://wiki/evidence",
        source=Source.PERSON,
        attested_by=by,
        attested_at=at,
    )


def all_said(
    but: Iterable[str] = (), checklist: Iterable[ChecklistItem] = CHECKLIST
) -> dict[str, Attestation]:
    """Return that everything attested is met, *but* some."""
    return {
        item.name: said(item.name)
        for item in checklist
        if item.kind is Kind.ATTESTED and item.name not in but
    }


def assessment(
    but: Iterable[str] = (), facts: Facts | None = None, now: datetime = NOON
) -> Assessment:
    """Return the default checklist, all of it met *but* some attested items."""
    return score(CHECKLIST, all_said(but), facts or good_facts(), now)
