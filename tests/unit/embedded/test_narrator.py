"""What happened, said in words that need no manual."""

from __future__ import annotations

import json
from typing import Any

import pytest

from embedded.narrator import events, sentence
from governance.events import BreakerEvent
from rules.defaults import default_rules


def event(rule: str, scope: str, metrics: dict[str, float]) -> dict[str, Any]:
    """Return as much of a breaker event as a sentence is made of."""
    found = next(each for each in default_rules() if each.name == rule)
    return {
        "rule": found.summary().to_wire(),
        "scope": scope,
        "action": found.action.value,
        "metrics": metrics,
        "details": "details",
    }


@pytest.mark.parametrize(
    ("rule", "scope", "metrics", "said"),
    [
        (
            "Repeated Command Failures",
            "SET_FAN",
            {"failures": 3},
            "SET_FAN failed 3 times within 5m: paused (Repeated Command Failures)",
        ),
        (
            "Repeated Command Failures",
            "\x1b[2JSET_FAN",
            {"failures": 3},
            "�[2JSET_FAN failed 3 times within 5m: paused (Repeated Command Failures)",
        ),
        (
            "High Error Rate",
            "*",
            {"errorRate": 0.0512},
            "5.12% of all commands failed within 5m: autonomy is back at L3 (High Error Rate)",
        ),
        (
            "Critical Incident Detected",
            "*",
            {"incidents.critical": 1},
            "critical incident reported once within 1m: autonomy is back at L3 "
            "(Critical Incident Detected)",
        ),
        (
            "High Rollback Rate",
            "*",
            {"rollbackRate": 0.1},
            "10.00% of all successful commands were rolled back within 15m: an alert, nothing is "
            "stopped (High Rollback Rate)",
        ),
        (
            "High Error Rate",
            "agentVersion=2.3",
            {"errorRate": 0.5},
            "50.00% of all agentVersion=2.3 commands failed within 5m: autonomy is back at L3 "
            "(High Error Rate)",
        ),
    ],
)
def test_default_rules_in_words(
    rule: str, scope: str, metrics: dict[str, float], said: str
) -> None:
    """Each default rule's trip reads as a sentence with its numbers."""
    assert sentence(event(rule, scope, metrics)) == said


def test_a_metric_without_words_falls_back_to_the_details() -> None:
    """A rule of the user's own is told in the API's words."""
    assert sentence(event("High Error Rate", "*", {"approvalRate": 0.1})).startswith("details: ")


def test_a_sentence_needs_only_what_the_api_promises() -> None:
    """The fields that sentences are made of are fields of the API's event."""
    fields = {field.alias or name for name, field in BreakerEvent.model_fields.items()}
    assert set(event("High Error Rate", "*", {})) <= fields


def test_server_sent_events_are_read_as_the_standard_says() -> None:
    """Comments are skipped, lines of data joined, and the number kept for coming back."""
    stream = b": hello\n\nevent: governance.state\nid: 7\ndata: {\ndata: }\n\n: ping\n\ndata:x\n\n"
    found = list(events(iter(stream.splitlines(keepends=True))))
    assert found == [("governance.state", "7", "{\n}"), ("message", "", "x")]
    assert json.loads(found[0][2]) == {}
