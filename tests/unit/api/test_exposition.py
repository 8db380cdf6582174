"""What Prometheus reads."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from api.exposition import INCIDENTS, STATUSES
from api.trips import Seen, added
from governance import handlers
from governance.service import StateService
from schemas.errors import Unavailable
from schemas.governance import LADDER
from schemas.rules import RulePatch
from schemas.tallies import WIDTH, Column
from schemas.wire import to_ms
from tests.unit.api.conftest import NOON, Trip

P = "simcorp_governance_"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _scrape(client: TestClient) -> Samples:
    text = client.get("/metrics").text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((P + name, frozenset(labels.items())))


def test_the_text_is_prometheus_own(client: TestClient) -> None:
    """The format is the one that every Prometheus reads."""
    answer = client.get("/metrics")

    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_counters_are_there_before_the_first_event(client: TestClient) -> None:
    """Each is 0 on a fresh installation, or the first increase would be missed."""
    samples = _scrape(client)

    assert {_value(samples, "commands_total", status=status) for status in STATUSES} == {0}
    assert {_value(samples, "incidents_total", severity=name) for name in INCIDENTS} == {0}
    assert {_value(samples, "phase_changes_total", phase=phase) for phase in LADDER} == {0}
    for name in ("safety_constraint_violations_total", "safety_emergency_aborts_total"):
        assert _value(samples, name) == 0
    trips = [value for (name, _), value in samples.items() if name.endswith("breaker_events_total")]
    assert trips == [0, 0, 0, 0]


def test_the_phase_is_one_of_five(client: TestClient) -> None:
    """All five are exported, and exactly the present one is 1."""
    samples = _scrape(client)
    shown = {phase: _value(samples, "current_phase_info", phase=phase) for phase in LADDER}

    assert shown == {phase: float(phase == "L3") for phase in LADDER}
    assert _value(samples, "days_since_phase_start") == 0


def test_a_rate_over_nothing_is_absent(client: TestClient) -> None:
    """No attempts: no error rate, not an error rate of 0."""
    assert not [name for name, _ in _scrape(client) if name.endswith("_rate")]


def test_rates_are_those_of_the_last_minutes(client: TestClient, service: StateService) -> None:
    """One of four failed a minute ago; what failed an hour ago is past."""
    with service.store.writing() as unit:
        for ago, succeeded, failed in ((1, 3, 1), (60, 0, 100)):
            row = [0] * WIDTH
            row[Column.SUCCEEDED], row[Column.FAILED] = succeeded, failed
            unit.minutes.add({(to_ms(NOON - timedelta(minutes=ago)) // 60_000, "*"): row})
    samples = _scrape(client)

    assert _value(samples, "command_error_rate") == 0.25
    assert _value(samples, "command_success_rate") == 0.75
    assert _value(samples, "command_rollback_rate") == 0
    assert _value(samples, "command_approval_rate") is None


def test_commands_are_counted_by_outcome(
    client: TestClient, service: StateService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time-out is a failure, and a severity is never lost among the others."""
    row = list(range(1, WIDTH + 1))
    monkeypatch.setattr(service, "counted_since_start", lambda: row)
    samples = _scrape(client)

    failed = row[Column.FAILED] + row[Column.TIMED_OUT]
    assert _value(samples, "commands_total", status="failed") == failed
    assert _value(samples, "commands_total", status="rolledBack") == row[Column.ROLLED_BACK]
    critical = _value(samples, "incidents_total", severity="critical")
    assert critical == row[Column.INCIDENT_CRITICAL]
    assert _value(samples, "safety_emergency_aborts_total") == row[Column.EMERGENCY_ABORT]


def test_a_trip_shows_in_counter_gauge_and_unresolved(client: TestClient, trip: Trip) -> None:
    """One trip: the counter grows, the gauge has its moment in ms, one event waits."""
    trip()
    labels = {
        "rule_name": "Repeated Command Failures",
        "action": "pause_command_type",
        "alert_severity": "high",
    }
    samples = _scrape(client)

    assert _value(samples, "circuit_breaker_events_total", **labels) == 1
    tripped = to_ms(NOON - timedelta(minutes=30))
    assert _value(samples, "circuit_breaker_events", resolved="false", **labels) == tripped
    assert _value(samples, "circuit_breaker_events_unresolved") == 1
    assert _value(samples, "paused_command_types") == 1


def test_a_resolved_trip_still_counts(client: TestClient, trip: Trip) -> None:
    """Resolving moves the gauge to ``resolved="true"`` and leaves the counter."""
    client.post(f"/api/circuit-breaker/events/{trip()}/resolve")
    samples = _scrape(client)
    resolved = [dict(labels)["resolved"] for (name, labels) in samples if name.endswith("_events")]

    assert _value(samples, "circuit_breaker_events_unresolved") == 0
    assert resolved == ["true"]


def test_the_counter_of_trips_never_falls() -> None:
    """Deleting old events is no restart, and a trip beside a deletion is not lost."""
    before = Seen(50, NOON)

    assert added(before, Seen(51, NOON + timedelta(seconds=1))) == 1
    assert added(before, Seen(30, NOON)) == 0
    assert added(before, Seen(30, NOON + timedelta(seconds=1))) == 1
    assert added(Seen(), Seen()) == 0


def test_a_rule_that_is_added_begins_at_nought(client: TestClient, service: StateService) -> None:
    """A changed severity is a new series, at 0 from the next scrape on."""
    patch = RulePatch.model_validate({"alertSeverity": "low"})
    handlers.patch_rule(service.desk, "High Rollback Rate", patch, by="test")
    name = "circuit_breaker_events_total"

    assert (
        _value(
            _scrape(client),
            name,
            rule_name="High Rollback Rate",
            action="alert_only",
            alert_severity="low",
        )
        == 0
    )


def test_a_database_that_does_not_answer_is_said(
    client: TestClient, service: StateService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scrape succeeds, and says in a number what is missing from it."""

    def away() -> None:
        raise Unavailable("database", "locked")

    monkeypatch.setattr(service.store, "reading", away)
    samples = _scrape(client)

    assert _value(samples, "database_up") == 0
    assert _value(samples, "commands_total", status="failed") == 0
    assert _value(samples, "days_since_phase_start") is None


def test_requests_are_counted_under_the_shorter_prefix(client: TestClient) -> None:
    """What concerns the process, not autonomy, has the prefix without ``governance_``."""
    client.get("/api/circuit-breaker/events/unknown")
    text = client.get("/metrics").text

    assert (
        'simcorp_http_requests_total{method="GET",route="/api/circuit-breaker/events/{event_id}",'
        'service="governance",status_code="404"} 1.0'
    ) in text
    assert "\nsimcorp_process_resident_memory_bytes " in text


def test_readiness_is_that_of_the_last_assessment(client: TestClient) -> None:
    """Scores in points with their maxima, as the dashboard divides them."""
    client.get("/api/readiness/current")
    samples = _scrape(client)
    names = ("technical", "process", "organizational")

    assert _value(samples, "readiness_score") == 5 / 80
    assert [_value(samples, f"readiness_{name}_score") for name in names] == [3, 2, 0]
    assert [_value(samples, f"readiness_{name}_max") for name in names] == [35, 25, 20]


def test_items_that_are_not_met_are_listed(client: TestClient) -> None:
    """Required or not; the required ones block."""
    client.get("/api/readiness/current")
    labels = {"category": "technical", "status": "false"}
    samples = _scrape(client)

    def blocker(name: str, required: str) -> float | None:
        return _value(
            samples, "readiness_blockers_info", item_name=name, required=required, **labels
        )

    assert blocker("Kill switch tested", "true") == 1
    assert blocker("Chaos engineering tests passing", "false") == 1
    assert blocker("Circuit breakers implemented", "true") is None


def test_being_scraped_is_being_monitored(client: TestClient) -> None:
    """That Prometheus asks is what makes monitoring operational."""

    def is_met() -> bool:
        items = client.get("/api/readiness/current").json()["technical"]["items"]
        (found,) = [i for i in items if i["name"] == "Real-time monitoring operational"]
        return bool(found["status"])

    assert not is_met()
    _scrape(client)
    assert is_met()
