"""The weekly cycle over HTTP: run, listed, read as JSON, as Markdown and as a page."""

from __future__ import annotations

import base64
import hashlib
import re

from starlette.testclient import TestClient

from schemas.events import Severity
from schemas.rules import Action
from tests.unit.api.conftest import Trip

RUN = "/api/governance/run-cycle"
REPORTS = "/api/governance/reports"
NASTY = "<script>alert(1)</script>|[x](javascript:y)"
CONTRACT = {
    *("id", "reportId", "weekStart", "weekEnd", "generatedAt", "timestamp", "metrics", "readiness"),
    *("recommendation", "expansion", "proposal", "circuitBreakerEvents", "summary"),
    *("recommendations", "nextActions"),
}


def test_running_the_cycle_answers_a_report(client: TestClient) -> None:
    """Every name that the runbook's readers and clients look for is there."""
    report = client.post(RUN).json()

    assert report.keys() >= CONTRACT
    assert report["reportId"] == report["id"]
    assert report["timestamp"] == report["generatedAt"]
    assert report["proposal"] is report["expansion"] is None
    assert report["recommendation"] in {"expand_scope", "maintain", "rollback", "investigate"}
    assert report["summary"].startswith("- **")


def test_each_run_is_a_report(client: TestClient) -> None:
    """Reports are listed newest first, ten unless asked otherwise, and read by their ids."""
    ids = [client.post(RUN).json()["id"] for _ in range(12)]

    assert [report["id"] for report in client.get(REPORTS).json()] == ids[:-11:-1]
    assert [one["id"] for one in client.get(f"{REPORTS}?limit=2").json()] == ids[:-3:-1]
    assert client.get(f"{REPORTS}/latest").json()["id"] == ids[-1]
    assert client.get(f"{REPORTS}/{ids[0]}").json()["id"] == ids[0]


def test_before_the_first_run_there_is_none(client: TestClient) -> None:
    """The list is empty, and the latest is a 404."""
    assert client.get(REPORTS).text == "[]"
    assert client.get(f"{REPORTS}/latest").status_code == 404
    assert client.get(f"{REPORTS}/latest.html").status_code == 404


def test_the_state_says_when_the_last_report_was(client: TestClient) -> None:
    """``lastReportDate`` is the report's moment."""
    report = client.post(RUN).json()

    state = client.get("/api/governance/state").json()
    assert state["lastReportDate"] == report["generatedAt"]


def test_a_report_reads_as_markdown(client: TestClient, trip: Trip) -> None:
    """The whole report, with names that cannot become markup."""
    trip(command_type=NASTY, action=Action.ALERT_ONLY, severity=Severity.LOW)
    client.post(RUN)
    answer = client.get(f"{REPORTS}/latest.md")

    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.text.startswith("# Governance report: ")
    assert "## Breaker events" in answer.text
    assert r"\<script\>alert(1)\</script\>\|\[x\](javascript:y)" in answer.text


def test_a_report_prints_as_a_page(client: TestClient, trip: Trip) -> None:
    """A page with what producers wrote escaped, whose policy allows its own style and no more."""
    trip(command_type=NASTY, action=Action.ALERT_ONLY, severity=Severity.LOW)
    report = client.post(RUN).json()
    answer = client.get(f"{REPORTS}/{report['id']}.html")

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
    assert not re.search(r"(src|href)=", answer.text)
    (style,) = re.findall("<style>(.*?)</style>", answer.text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["content-security-policy"]
    assert "@media print" in style


def test_a_wrong_limit_is_named(client: TestClient) -> None:
    """Outside 1 to 100 it is refused by its name."""
    answer = client.get(f"{REPORTS}?limit=0")

    assert (answer.status_code, answer.json()["field"]) == (422, "limit")
