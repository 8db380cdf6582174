"""The morning's verdict, from answers by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.verdict import Level, Morning, level_of, matters, sentence
from schemas.wire import iso

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
FINE = Morning(
    health={"status": "healthy", "reasons": []},
    events=[],
    score={"score": 0.97},
    metrics={"rates": {"successRate": 0.999, "errorRate": 0.001}},
    proposals=[],
    acts=[],
)


def morning(**answers: Any) -> Morning:
    """Return a fine morning but for *answers*."""
    return Morning(**{**{name: getattr(FINE, name) for name in FINE.__slots__}, **answers})


def event(severity: str, left: timedelta, *, by: str | None = None) -> dict[str, Any]:
    """Return an unresolved event that is to be answered within *left*."""
    return {
        "severity": severity,
        "rule": {"name": "High Error Rate"},
        "scope": "*",
        "dueAt": iso(NOW + left),
        "acknowledgedAt": by and iso(NOW),
        "acknowledgedBy": by,
    }


def test_a_fine_morning_is_one_sentence() -> None:
    """Nothing is listed where nothing is to be done."""
    assert matters(FINE, NOW) == []
    assert (level_of([]), sentence([])) == (Level.FINE, "Everything is fine.")


@pytest.mark.parametrize(
    ("answers", "level", "says"),
    [
        ({"health": {"status": "unhealthy", "reasons": ["blind"]}}, Level.ACT, "unhealthy: blind"),
        ({"health": {"status": "degraded", "reasons": ["busy"]}}, Level.LOOK, "degraded: busy"),
        ({"events": [event("critical", timedelta(minutes=4))]}, Level.ACT, "4 min left"),
        ({"events": [event("high", timedelta(seconds=401))]}, Level.ACT, "6 min 41 s left"),
        ({"events": [event("high", timedelta(1), by="ben")]}, Level.ACT, "looked after by ben"),
        ({"events": [event("low", timedelta(hours=30))]}, Level.LOOK, "1 d 6 h left"),
        ({"events": [event("low", timedelta(hours=-2))]}, Level.ACT, "2 h overdue"),
        ({"events": [event("low", timedelta(hours=-2), by="ben")]}, Level.LOOK, "by ben"),
        ({"score": {"score": 0.8999}}, Level.LOOK, "readiness 89.99%"),
        (
            {"metrics": {"rates": {"successRate": 0.995, "errorRate": 0.005}}},
            Level.LOOK,
            "success rate 99.50%",
        ),
        (
            {"acts": [{"summary": "resume SET_FAN"}]},
            Level.LOOK,
            "a second person is needed: resume SET_FAN",
        ),
        (
            {"proposals": [{"expansion": {"targetPhase": "L4"}, "missingApprovals": ["ops-lead"]}]},
            Level.LOOK,
            "proposal of L4 waits for ops-lead",
        ),
    ],
)
def test_what_needs_people_is_told(answers: dict[str, Any], level: Level, says: str) -> None:
    """Each of the runbook's checks has its bound, its words and its weight."""
    (found,) = matters(morning(**answers), NOW)
    assert found.level is level
    assert says in found.text
    assert sentence([found]) == f"1 thing needs you: {found.text}."


def test_where_nothing_ran_no_rate_is_bad() -> None:
    """A rate over nothing is unknown: that nobody works at night is no matter."""
    quiet = morning(metrics={"rates": {"successRate": None, "errorRate": None}})
    assert matters(quiet, NOW) == []


def test_the_gravest_comes_first() -> None:
    """The sentence names it, and counts the rest."""
    found = matters(
        morning(events=[event("low", timedelta(1)), event("critical", timedelta(1))]), NOW
    )
    assert [matter.level for matter in found] == [Level.ACT, Level.LOOK]
    assert sentence(found).startswith("2 things need you: CRITICAL")
