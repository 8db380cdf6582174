"""Counts and rates over a period, by the contract's formulas."""

from datetime import timedelta

from governance.metrics import metrics_of
from schemas.tallies import WIDTH, Column
from tests.desks import NOON

HOUR_LATER = NOON + timedelta(hours=1)


def counts(**columns: int) -> list[int]:
    """Return a row of counts."""
    row = [0] * WIDTH
    for name, number in columns.items():
        row[Column[name.upper()]] = number
    return row


def test_rates_follow_the_contract() -> None:
    """A time-out is a failed attempt, and rejected commands are no attempts."""
    found = metrics_of(
        counts(
            succeeded=90,
            failed=6,
            timed_out=4,
            rejected=10,
            rolled_back=9,
            proposed=40,
            approved=30,
        ),
        start=NOON,
        end=HOUR_LATER,
    )
    assert (found.commands.total, found.commands.failed) == (110, 10)
    assert found.rates.error_rate == 0.1
    assert found.rates.success_rate == 0.9
    assert found.rates.rollback_rate == 0.1
    assert found.rates.approval_rate == 0.75


def test_nothing_counted_is_null_and_not_zero() -> None:
    """A rate over nothing is null on the wire."""
    wire = metrics_of(counts(), start=NOON, end=HOUR_LATER).to_wire()
    assert wire["rates"] == {
        "successRate": None,
        "approvalRate": None,
        "rollbackRate": None,
        "errorRate": None,
    }
    assert wire["period"] == {
        "start": "2026-11-23T12:00:00.000Z",
        "end": "2026-11-23T13:00:00.000Z",
    }


def test_incidents_and_signals_are_counted() -> None:
    """Incidents of all severities make the total; the critical and autonomous ones are named."""
    found = metrics_of(
        counts(
            incident_critical=1,
            incident_low=2,
            incident_autonomous=2,
            incident_critical_autonomous=1,
            constraint_violation=3,
            emergency_abort=4,
            safety_gate_trigger=5,
        ),
        start=NOON,
        end=HOUR_LATER,
    ).to_wire()
    assert found["incidents"] == {
        "total": 3,
        "critical": 1,
        "fromAutonomousActions": 2,
        "criticalFromAutonomousActions": 1,
    }
    assert found["safety"] == {
        "constraintViolations": 3,
        "emergencyAborts": 4,
        "safetyGateTriggers": 5,
    }
