"""What is measured for readiness, at its edges."""

from __future__ import annotations

from datetime import timedelta

import pytest

from governance.audit import GENESIS, ChainReport
from governance.checklist import Measured
from governance.measured import incident_period, measure
from schemas.governance import Phase
from tests.desks import NOON
from tests.unit.governance.assessing import HALF_A_YEAR, counted, good_facts

NOTHING = counted()


@pytest.mark.parametrize("check", list(Measured))
def test_good_facts_meet_everything(check: Measured) -> None:
    """With half a year of good numbers every measured item is met, and says its numbers."""
    met, details = measure(check, good_facts(), NOON)
    assert met
    assert details


@pytest.mark.parametrize(
    "check",
    [
        Measured.SUCCESS_RATE,
        Measured.APPROVAL_RATE,
        Measured.ROLLBACK_RATE,
        Measured.CRITICAL_INCIDENTS,
    ],
)
def test_silence_is_not_health(check: Measured) -> None:
    """Where nothing was attempted nothing is met, the absence of incidents neither."""
    assert not measure(check, good_facts(recent=NOTHING, phase_long=NOTHING), NOON).met


@pytest.mark.parametrize(
    ("check", "enough", "not_enough"),
    [
        (
            Measured.SUCCESS_RATE,
            {"succeeded": 9_951, "failed": 49},
            {"succeeded": 995, "failed": 5},
        ),
        (
            Measured.APPROVAL_RATE,
            {"proposed": 1_000, "approved": 801},
            {"proposed": 5, "approved": 4},
        ),
        (
            Measured.ROLLBACK_RATE,
            {"succeeded": 1_000, "rolled_back": 19},
            {"succeeded": 50, "rolled_back": 1},
        ),
    ],
)
def test_a_rate_must_be_beyond_its_edge(
    check: Measured, enough: dict[str, int], not_enough: dict[str, int]
) -> None:
    """The names say more than and less than: the edge itself is not enough."""
    assert measure(check, good_facts(recent=counted(**enough)), NOON).met
    assert not measure(check, good_facts(recent=counted(**not_enough)), NOON).met


def test_six_months_are_a_hundred_and_eighty_days() -> None:
    """One second less is too early, and the phase is named."""
    early = good_facts(phase=Phase.L4, phase_start=NOON - HALF_A_YEAR + timedelta(seconds=1))
    assert measure(Measured.MONTHS_AT_PHASE, good_facts(), NOON).met
    assert measure(Measured.MONTHS_AT_PHASE, early, NOON) == (False, "179 of 180 days at L4")


def test_only_critical_incidents_of_autonomous_actions_count() -> None:
    """A person's critical incident and an autonomous small one do not block."""
    others = counted(succeeded=9, incident_critical=2, incident_autonomous=3)
    ours = counted(succeeded=9, incident_critical_autonomous=1)
    assert measure(Measured.CRITICAL_INCIDENTS, good_facts(phase_long=others), NOON).met
    assert not measure(Measured.CRITICAL_INCIDENTS, good_facts(phase_long=ours), NOON).met


def test_a_lost_phase_does_not_wipe_the_record() -> None:
    """Incidents are looked for over the phase: a month at least, six at most."""
    month, half = timedelta(days=30), timedelta(days=180)
    for held, looked in (
        (timedelta(0), month),
        (timedelta(days=90), timedelta(days=90)),
        (2 * half, half),
    ):
        assert incident_period(NOON - held, NOON) == (NOON - looked, NOON)


def test_rules_that_only_alert_protect_nobody() -> None:
    """A breaker counts if it takes autonomy away."""
    assert not measure(Measured.BREAKERS, good_facts(rules=9, lowering_rules=0), NOON).met


def test_monitoring_is_being_scraped() -> None:
    """Never, or longer ago than five minutes, is not monitored."""
    old = good_facts(scraped_at=NOON - timedelta(minutes=5, seconds=1))
    assert not measure(Measured.MONITORING, old, NOON).met
    assert not measure(Measured.MONITORING, good_facts(scraped_at=None), NOON).met


def test_a_broken_chain_names_its_row() -> None:
    """Whoever reads the item knows where to look."""
    chain = ChainReport(
        intact=False, rows=6, head_seq=6, head_hash=GENESIS, broken_at=7, problem="row 7 is missing"
    )
    found = measure(Measured.AUDIT_CHAIN, good_facts(chain=chain), NOON)
    assert found == (False, "row 7: row 7 is missing")
