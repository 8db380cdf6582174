"""Actions, states and alerts as they lie on their topics."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.actions import DECISION, BreakerAction, Frontier, action_id
from schemas.alerts import Alert, AlertData, AlertType
from schemas.events import EVENT, CommandEvent, Severity
from schemas.governance import (
    LADDER,
    STATE_TOPIC,
    Phase,
    ProtectionRecord,
    ResolutionRecord,
    StateRecord,
    fits,
)
from schemas.rules import Action, Rule

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TRIP = ("High Error Rate", 1, "commandType=FAN", 1_795_435_200_000, "alert_only")


def test_an_actions_id_never_changes() -> None:
    """It is stored by everybody: another way to make it would act on every trip once more."""
    assert action_id(*TRIP) == "76fa94e4cf70419221881079f9e10f9b"


@given(data=st.data(), place=st.integers(0, 4))
def test_every_part_of_a_trip_is_in_its_id(data: st.DataObject, place: int) -> None:
    """Another rule, version, scope, moment or action is another trip."""
    other: list[Any] = list(TRIP)
    kind = st.integers() if isinstance(other[place], int) else st.text()
    other[place] = data.draw(kind.filter(lambda value: value != TRIP[place]))
    assert action_id(*other) != action_id(*TRIP)


def test_decisions_are_told_apart_by_their_kind() -> None:
    """Frontiers travel between the actions, on the same topic."""
    frontier = Frontier(partition=0, partitions=4, judged_until=NOON, worker="w-0")
    assert DECISION.validate_json(frontier.to_bytes()) == frontier
    with pytest.raises(ValidationError, match="kind"):
        DECISION.validate_json(frontier.to_bytes().replace(b'"frontier"', b'"other"'))
    assert {BreakerAction.model_fields["kind"].default, frontier.kind} == {"action", "frontier"}


def test_states_and_resolutions_share_a_topic() -> None:
    """Each comes back as what it was."""
    state = StateRecord(
        phase=Phase.L4,
        phase_start_date=NOON,
        command_whitelist=["FAN"],
        paused_command_types=[],
        autonomy_epoch=3,
        effective_from=100,
        updated_at=NOON,
    )
    resolution = ResolutionRecord(
        action_id="a", rule="r", scope_key="*", effective_from=100, resolved_at=NOON
    )
    protection = ProtectionRecord(version=7, command_types=["FAN"], effective_from=100)
    assert protection.key == "protection/7"
    for record in (state, resolution, protection):
        assert STATE_TOPIC.validate_json(record.to_bytes()) == record


def test_phases_rise_from_people_to_full_autonomy() -> None:
    """The ladder is the order, whatever the names sort like."""
    assert [phase.value for phase in LADDER] == ["L3", "L3+", "L4", "L4+", "L5"]
    assert all(low.rank < high.rank for low, high in combinations(LADDER, 2))


def test_what_lowers_autonomy_latches() -> None:
    """Only an alert ends by itself."""
    assert {action for action in Action if not action.latches} == {Action.ALERT_ONLY}


def test_an_alert_is_a_cloud_event() -> None:
    """Its envelope has CloudEvents' lower-case names, its data ours."""
    data = AlertData(summary="s", severity=Severity.HIGH, autonomy_epoch=3, event_id="e")
    alert = Alert(id="a", type=AlertType.BREAKER_TRIPPED, time=NOON, data=data)
    wire = alert.to_wire()
    assert {"specversion", "id", "source", "type", "time", "datacontenttype", "data"} <= set(wire)
    assert (wire["specversion"], wire["type"]) == ("1.0", "governance.breaker.tripped")
    assert (wire["data"]["autonomyEpoch"], wire["time"]) == (3, "2026-11-23T12:00:00.000Z")


def test_an_event_is_read_by_its_wire_names_only() -> None:
    """A producer that writes Python's names would otherwise work by accident."""
    event = {
        "kind": "command",
        "id": "e1",
        "occurredAt": "2026-11-23T12:00:00Z",
        "commandId": "c1",
        "commandType": "FAN",
        "status": "failed",
    }
    assert isinstance(EVENT.validate_python(event), CommandEvent)
    event["command_id"] = event.pop("commandId")
    with pytest.raises(ValidationError, match="commandId"):
        EVENT.validate_python(event)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "nul\0"},
        {"name": "x" * 257},
        {"condition": ""},
        {"condition": "x" * 1_025},
        {"window": "4s"},
        {"groupBy": "labels."},
        {"groupBy": "actor"},
        {"action": "explode"},
        {"for": "soon"},
        {"minSamples": 0},
    ],
)
def test_a_rule_that_nobody_could_mean_is_refused(fields: dict[str, Any]) -> None:
    """The error names the field as people write it."""
    good = {
        "name": "High Error Rate",
        "condition": "errorRate > 0.05",
        "window": "5m",
        "action": "alert_only",
        "alertSeverity": "medium",
    }
    assert Rule.model_validate(good).min_samples == 1
    with pytest.raises(ValidationError) as refused:
        Rule.model_validate(good | fields)
    assert [one["loc"][0] for one in refused.value.errors()] == list(fields)


def test_a_state_of_an_older_version_pauses_what_it_names() -> None:
    """It says nothing of a pause of everything, so there is none."""
    told = {
        "kind": "state",
        "phase": "L3",
        "phaseStartDate": "2026-11-23T12:00:00Z",
        "commandWhitelist": [],
        "pausedCommandTypes": ["FAN"],
        "autonomyEpoch": 3,
        "effectiveFrom": 100,
        "updatedAt": "2026-11-23T12:00:00Z",
    }
    record = STATE_TOPIC.validate_python(told)
    assert isinstance(record, StateRecord)
    assert (record.all_paused, record.resumed_command_types) == (False, [])


@given(st.lists(st.text(min_size=1, max_size=256), max_size=400))
def test_what_fits_is_far_below_a_megabyte(names: list[str]) -> None:
    """Whatever the names hold: Kafka takes a record with six such lists."""
    if fits(names):
        state = StateRecord(
            phase=Phase.L3,
            phase_start_date=NOON,
            command_whitelist=names,
            paused_command_types=names,
            resumed_command_types=names,
            autonomy_epoch=1,
            effective_from=0,
            updated_at=NOON,
        )
        assert 2 * len(state.to_bytes()) < 500_000
