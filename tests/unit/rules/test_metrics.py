"""The catalogue of metrics: formulas, zero denominators, evidence."""

from __future__ import annotations

import pytest

from rules.metrics import METRICS, Unit
from schemas.tallies import SAMPLE_CLASS, Column
from tests.unit.rules.facts import counts

ROW = counts(
    proposed=40, approved=30, rejected=4, succeeded=90, failed=6, timed_out=4, rolled_back=9,
    overridden=5, incident_critical=1, incident_high=2, incident_medium=3, incident_low=4,
    incident_autonomous=6, incident_critical_autonomous=1, constraint_violation=7,
    emergency_abort=8, safety_gate_trigger=9,
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "samples"),
    [
        ("errorRate", 0.1, 100),
        ("successRate", 0.9, 100),
        ("rollbackRate", 0.1, 90),
        ("approvalRate", 0.75, 40),
        ("overrideRate", 0.05, 100),
        ("attempts", 100, 100),
        ("total", 104, 104),
        ("proposed", 40, 40),
        ("approved", 30, 30),
        ("rejected", 4, 4),
        ("succeeded", 90, 90),
        ("failures", 10, 10),
        ("timedOut", 4, 4),
        ("rolledBack", 9, 9),
        ("overridden", 5, 5),
        ("incidents.total", 10, 10),
        ("incidents.critical", 1, 1),
        ("incidents.high", 2, 2),
        ("incidents.medium", 3, 3),
        ("incidents.low", 4, 4),
        ("incidents.fromAutonomousActions", 6, 6),
        ("incidents.criticalFromAutonomousActions", 1, 1),
        ("constraintViolations", 7, 7),
        ("emergencyAborts", 8, 8),
        ("safetyGateTriggers", 9, 9),
    ],
)
def test_a_metric_follows_its_formula(name: str, value: float, samples: int) -> None:
    """Each metric is what the contract's formula makes of the counts."""
    reading = METRICS[name].reading(ROW)

    assert (reading.metric, reading.value, reading.samples) == (name, value, samples)


def test_every_metric_of_the_catalogue_is_checked_above() -> None:
    """A metric that is added to the catalogue is added to the table of formulas too."""
    (mark,) = test_a_metric_follows_its_formula.pytestmark  # type: ignore[attr-defined]

    assert [row[0] for row in mark.args[1]] == list(METRICS)


@pytest.mark.parametrize("metric", [m for m in METRICS.values() if m.unit is Unit.RATE])
def test_a_rate_over_nothing_is_unknown(metric: object) -> None:
    """A zero denominator gives None, never 0: what nobody runs is not healthy."""
    name = getattr(metric, "name", "")

    reading = METRICS[name].reading(counts())

    assert (reading.value, reading.numerator, reading.denominator, reading.samples) == (
        None, 0, 0, 0,
    )  # fmt: skip


def test_a_count_of_nothing_is_zero() -> None:
    """Nothing having failed is a fact, and a count has no denominator."""
    reading = METRICS["failures"].reading(counts())

    assert (reading.value, reading.denominator) == (0, None)


def test_rejections_are_no_attempts() -> None:
    """What people rejected was never tried, so it does not dilute the error rate."""
    reading = METRICS["errorRate"].reading(counts(succeeded=1, failed=1, rejected=98))

    assert reading.value == 0.5


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_shows_the_bad_events_that_it_counts(name: str) -> None:
    """Whatever bad event raises a metric is of a class that the metric shows as evidence."""
    metric = METRICS[name]

    raising = {SAMPLE_CLASS[c] for c in metric.numerator if c in SAMPLE_CLASS}

    assert raising <= set(metric.sample_classes)


def test_every_column_is_of_use() -> None:
    """Nothing is counted that neither a metric reads nor the validation of a phase."""
    validation = {Column.SUCCEEDED_AUTONOMOUS, Column.FAILED_AUTONOMOUS}
    read = validation | {
        column for m in METRICS.values() for column in (*m.numerator, *(m.denominator or ()))
    }

    assert read == set(Column)
