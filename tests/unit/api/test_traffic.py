"""Traffic, alone: what is counted under which labels."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from api.headers import Heads
from api.traffic import Traffic, TrafficMetrics


def _named(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("found")


def _text(*paths: str, method: str = "GET") -> str:
    """Ask for *paths* and return the metrics afterwards."""
    registry = CollectorRegistry()
    routes = Starlette(routes=[Route("/things/{name}", _named)])
    client = TestClient(Heads(Traffic(routes, TrafficMetrics(registry, "simcorp_"))))
    for path in paths:
        client.request(method, path)
    return generate_latest(registry).decode()


def test_requests_are_counted_by_route_template() -> None:
    """Two names are one route: an id never becomes a label."""
    counted = (
        'simcorp_http_requests_total{method="GET",route="/things/{name}",'
        'service="governance",status_code="200"} 2.0'
    )

    assert counted in _text("/things/a", "/things/b")


def test_what_matches_no_route_is_one_label() -> None:
    """A scanner's guesses share a label."""
    text = _text("/a.php", "/b.php")

    assert 'route="unmatched",service="governance",status_code="404"} 2.0' in text
    assert "a.php" not in text


def test_methods_are_counted_as_they_were_sent() -> None:
    """``HEAD`` is told apart from ``GET``, and an invented method is not a label."""
    assert 'method="HEAD"' in _text("/things/a", method="HEAD")
    assert 'method="other"' in _text("/things/a", method="BREW")


def test_durations_and_the_process_are_measured() -> None:
    """The names are those that the dashboards read."""
    text = _text("/things/a")

    assert "simcorp_http_request_duration_seconds_count" in text
    assert "\nsimcorp_process_resident_memory_bytes " in text
    assert "\nsimcorp_process_cpu_user_seconds_total " in text
