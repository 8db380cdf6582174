"""The oracle's own reading of records, against answers worked out by hand."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from schemas.events import Reason
from schemas.tallies import Column, SampleClass
from tests.oracle.events import Fact, moment, read
from tests.oracle.poison import POISONS, Poison

GOOD: dict[str, Any] = {
    "id": "e1",
    "kind": "command",
    "occurredAt": "2026-11-23T09:14:05.120Z",
    "commandId": "c-42",
    "commandType": "SET_POWER",
    "status": "timed_out",
    "labels": {"region": "EU"},
}
POISONED = [
    pytest.param(reason, make, id=f"{reason}-{number}")
    for reason, makers in POISONS.items()
    for number, make in enumerate(makers)
]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500),
        ("1970-01-01T02:00:00.001+02:00", 1),
        ("1969-12-31T23:59:59.9999Z", -1),
        ("2026-11-23T09:14:05.120999Z", 1_795_425_245_120),
    ],
)
def test_a_moment_is_milliseconds_rounded_down(text: str, wanted: int) -> None:
    """A written moment counts in whole milliseconds, whatever its zone, also before 1970."""
    assert moment(text) == wanted


def test_a_command_says_what_it_adds() -> None:
    """A time-out counts in its own column and leaves its command as evidence of a failure."""
    assert read(json.dumps(GOOD).encode()) == Fact(
        id="e1",
        occurred=1_795_425_245_120,
        columns=(Column.TIMED_OUT,),
        command_type="SET_POWER",
        labels={"region": "EU"},
        sample=(SampleClass.FAILURE, "c-42"),
    )


def test_a_critical_incident_of_a_machine_counts_three_times() -> None:
    """An autonomous critical incident counts as critical, as autonomous, and as both."""
    incident = {"kind": "incident", "incidentId": "i7", "severity": "critical", "autonomous": True}
    fact = read(json.dumps({**GOOD, **incident}).encode())

    assert isinstance(fact, Fact)
    assert fact.columns == (
        Column.INCIDENT_CRITICAL,
        Column.INCIDENT_AUTONOMOUS,
        Column.INCIDENT_CRITICAL_AUTONOMOUS,
    )
    assert fact.sample == (SampleClass.INCIDENT, "i7")


@pytest.mark.parametrize(("command", "wanted"), [("c9", "c9"), ("", "e1"), (None, "e1")])
def test_a_signal_shows_its_command_or_itself(command: str | None, wanted: str) -> None:
    """A safety event's evidence is the command that it names, or its own id."""
    signal = {"kind": "safety", "signal": "emergency_abort", "commandId": command}
    fact = read(json.dumps({**GOOD, **signal}).encode())

    assert isinstance(fact, Fact)
    assert fact.sample == (SampleClass.SAFETY, wanted)


@pytest.mark.parametrize(("reason", "poison"), POISONED)
def test_each_poison_is_refused_for_its_reason(reason: Reason, poison: Poison) -> None:
    """Every kind of bad record that the generators make is bad for the reason that they say."""
    for seed in range(5):
        assert read(poison(Random(seed), GOOD)) == reason
