"""Metrics over HTTP, for people; Prometheus has a file of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from governance.service import StateService
from rules.metrics import METRICS
from schemas.tallies import WIDTH, Column
from schemas.wire import to_ms
from tests.unit.api.conftest import NOON

CURRENT = "/api/metrics/current"


@pytest.fixture(autouse=True)
def _counted(service: StateService) -> None:
    """An hour ago 3 of 4 attempts succeeded; two days ago nothing did."""
    with service.store.writing() as unit:
        for ago, succeeded, failed in ((1, 3, 1), (48, 0, 5)):
            row = [0] * WIDTH
            row[Column.SUCCEEDED], row[Column.FAILED] = succeeded, failed
            minute = to_ms(NOON - timedelta(hours=ago)) // 60_000
            unit.minutes.add({(minute, "*"): row})


def test_latest_is_the_last_day(client: TestClient) -> None:
    """The morning's overnight metrics hold the last 24 hours, under the contract's names."""
    shown = client.get("/api/metrics/latest").json()

    assert shown["period"] == {
        "start": "2026-11-22T12:00:00.000Z",
        "end": "2026-11-23T12:00:00.000Z",
    }
    assert shown["commands"].keys() >= {
        "total",
        "proposed",
        "approved",
        "rejected",
        "succeeded",
        "failed",
        "rolledBack",
    }
    assert shown["rates"] == {
        "successRate": 0.75,
        "approvalRate": None,
        "rollbackRate": 0.0,
        "errorRate": 0.25,
    }
    assert set(shown["incidents"]) >= {"total", "critical", "fromAutonomousActions"}
    assert set(shown["safety"]) == {"constraintViolations", "emergencyAborts", "safetyGateTriggers"}


def test_weekly_is_the_last_seven_days(client: TestClient) -> None:
    """What happened two days ago is in the week and not in the day."""
    assert client.get("/api/metrics/weekly").json()["commands"]["failed"] == 6


def test_current_is_any_period(client: TestClient) -> None:
    """A period is asked for by its edges, with or without a zone, or by one of them."""
    day = {"start": "2026-11-21T00:00:00Z", "end": "2026-11-22T00:00:00"}

    assert client.get(CURRENT, params=day).json()["commands"]["failed"] == 5
    assert client.get(CURRENT).json() == client.get("/api/metrics/latest").json()
    week = client.get(CURRENT, params={"start": "2026-11-20T00:00:00+01:00"}).json()
    assert week["commands"]["failed"] == 6


@pytest.mark.parametrize(
    ("period", "field"),
    [
        ({"start": "yesterday"}, "start"),
        ({"end": "2026-13-01T00:00:00Z"}, "end"),
        ({"start": "2026-11-24T00:00:00Z"}, "start"),
        ({"start": "2026-11-22T00:00:00Z", "end": "2026-11-22T00:00:00Z"}, "start"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "start"),
        ({"end": "9999-12-31T23:59:59.999Z"}, "end"),
    ],
)
def test_a_wrong_period_is_named(client: TestClient, period: dict[str, str], field: str) -> None:
    """An edge that cannot be meant is the client's to mend."""
    answer = client.get(CURRENT, params=period)

    assert answer.status_code in (400, 422)
    assert answer.json()["field"] == field


def test_the_catalogue_is_what_rules_are_judged_by(client: TestClient) -> None:
    """Every metric is listed with what is added up above and below the line."""
    entries = {entry["name"]: entry for entry in client.get("/api/metrics/catalog").json()}

    assert list(entries) == list(METRICS)
    assert entries["errorRate"]["numerator"] == ["failed", "timedOut"]
    assert entries["errorRate"]["denominator"] == ["succeeded", "failed", "timedOut"]
    assert entries["failures"]["denominator"] is None


def test_the_history_of_a_month_is_a_point_a_day(client: TestClient) -> None:
    """Without being told how, it shows the last 30 days as a chart would."""
    points = client.get("/api/metrics/history").json()

    assert len(points) == 31
    assert points[-1]["period"] == {
        "start": "2026-11-23T00:00:00.000Z",
        "end": "2026-11-24T00:00:00.000Z",
    }
    assert [point["commands"]["failed"] for point in points[-3:]] == [5, 0, 1]
    assert points[0]["rates"]["errorRate"] is None


@pytest.mark.parametrize(("step", "points"), [("minute", 120), ("hour", 2), ("day", 1)])
def test_a_history_has_the_step_that_is_asked_for(
    client: TestClient, step: str, points: int
) -> None:
    """Each step holds the same four attempts."""
    period = {"from": "2026-11-23T10:00:00Z", "to": "2026-11-23T12:00:00Z", "step": step}
    shown = client.get("/api/metrics/history", params=period).json()

    assert len(shown) == points
    assert sum(point["commands"]["total"] for point in shown) == 4


@pytest.mark.parametrize(
    ("period", "field"),
    [
        ({"from": "2026-01-01T00:00:00Z", "step": "minute"}, "step"),
        ({"from": "1970-01-01T00:00:00Z"}, "step"),
        ({"step": "week"}, "step"),
        ({"from": "2026-12-01T00:00:00Z"}, "from"),
        ({"to": "0001-01-01T00:00:00Z"}, "to"),
    ],
)
def test_a_history_that_cannot_be_drawn_is_refused(
    client: TestClient, period: dict[str, str], field: str
) -> None:
    """Too many points, a step that nobody knows, or a period that ends before it starts."""
    answer = client.get("/api/metrics/history", params=period)

    assert answer.status_code in (400, 422)
    assert answer.json()["field"] == field


def test_a_period_that_ends_too_soon_is_told_in_its_own_names(client: TestClient) -> None:
    """`from` and `to` here, `start` and `end` where a route calls them so."""
    for address, first, last in (("history", "from", "to"), ("current", "start", "end")):
        period = {first: "2026-11-22T00:00:00Z", last: "2026-11-21T00:00:00Z"}
        answer = client.get(f"/api/metrics/{address}", params=period).json()
        assert answer["detail"].startswith(f"{first}: ")
        assert answer["detail"].endswith(f"write an earlier {first} or a later {last}")


def test_a_scope_has_a_history_of_its_own(client: TestClient) -> None:
    """A command type that nobody ran counts nothing."""
    shown = client.get("/api/metrics/history", params={"scope": "commandType=SET_FAN"}).json()

    assert {point["commands"]["total"] for point in shown} == {0}


def test_a_period_is_compared_with_the_one_before(client: TestClient) -> None:
    """Today's success rate is 0.75, two days ago it was 0."""
    shown = client.get("/api/metrics/compare", params={"days": 2}).json()

    assert shown["current"]["rates"]["successRate"] == pytest.approx(3 / 9)
    assert shown["previous"]["commands"]["total"] == 0
    assert shown["change"]["attempts"] == 9
    assert shown["change"]["successRate"] is None


@pytest.mark.parametrize("start", ["2026", "1764000000", "3e-19", "-1", "nan"])
def test_a_number_is_no_moment(client: TestClient, start: str) -> None:
    """A year alone is not read as seconds since 1970."""
    answer = client.get(CURRENT, params={"start": start})

    assert (answer.status_code, answer.json()["field"]) == (422, "start")
