"""Trips become events and lowered autonomy, once each, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from governance import handlers
from governance.audit import Act
from governance.desk import Desk
from governance.handlers import Position
from governance.store.outbox import OutboxRow
from schemas.alerts import Alert, AlertType
from schemas.errors import NotFound
from schemas.events import Severity
from schemas.governance import STATE_TOPIC, Phase, StateRecord
from schemas.rules import Action
from schemas.wire import to_ms
from tests.desks import NOON, alert, desk_at, revert, trip


def outbox(desk: Desk) -> list[OutboxRow]:
    """Return all that the world is to be told."""
    with desk.store.reading() as unit:
        return unit.outbox.unpublished(10_000)


def alerts(desk: Desk) -> list[Alert]:
    """Return the alerts among it."""
    return [Alert.model_validate_json(row.value) for row in outbox(desk) if row.topic == "alerts"]


def states(desk: Desk, key: str) -> list[StateRecord]:
    """Return what is said under *key* of the state topic."""
    found = [STATE_TOPIC.validate_json(row.value) for row in outbox(desk) if row.key == key]
    return [record for record in found if isinstance(record, StateRecord)]


def test_a_pause_pauses_its_command_type(desk: Desk) -> None:
    """The type is paused, the epoch moves, and the event says by when people answer."""
    assert handlers.apply_action(desk, trip())
    state = handlers.show_state(desk)
    assert (state.paused_command_types, state.autonomy_epoch) == (["SET_POWER"], 2)
    event = handlers.list_unresolved_events(desk)[0]
    assert (event.id, event.scope, event.command_type) == (trip().id, "SET_POWER", "SET_POWER")
    assert event.due_at == NOON + timedelta(minutes=15)
    assert event.autonomy_epoch == 2


def test_a_revert_takes_all_autonomy(desk: Desk) -> None:
    """Phase L3, an empty whitelist, and a new epoch."""
    assert handlers.apply_action(desk, revert())
    state = handlers.show_state(desk)
    assert (state.current_phase, state.command_whitelist) == (Phase.L3, [])
    assert state.autonomy_epoch == 2
    event = handlers.list_events(desk)[0]
    assert (event.scope, event.command_type) == ("*", None)


def test_an_alert_lowers_nothing(desk: Desk) -> None:
    """An alert is recorded and told, and opens no epoch."""
    assert handlers.apply_action(desk, alert())
    assert handlers.show_state(desk).autonomy_epoch == 1
    assert [said.type for said in alerts(desk)] == [AlertType.BREAKER_TRIPPED]


def test_an_action_that_comes_again_changes_nothing(desk: Desk) -> None:
    """Five deliveries are one event, one epoch, one audit row and one alert."""
    applied = handlers.apply_actions(desk, [trip()] * 5)
    assert (applied.new, applied.repeated) == (1, 4)
    before = (handlers.show_audit_head(desk), len(outbox(desk)))
    assert not handlers.apply_action(desk, trip())
    assert (handlers.show_audit_head(desk), len(outbox(desk))) == before
    assert handlers.show_state(desk).autonomy_epoch == 2


def test_the_position_is_written_with_what_it_stands_for(desk: Desk) -> None:
    """Either the actions and the offset are there, or neither is."""
    handlers.apply_actions(desk, [trip()], position=Position("t", 0, 7))
    with pytest.raises(RuntimeError, match="power"), desk.store.writing() as unit:
        unit.offsets.save("t", 0, 99)
        raise RuntimeError("power")
    with desk.store.reading() as unit:
        assert unit.offsets.next_offset("t", 0) == 7
        assert unit.offsets.next_offset("t", 1) is None


def test_everything_is_told(desk: Desk) -> None:
    """A trip that lowers autonomy is told as an alert, as the state, and under its epoch."""
    handlers.apply_action(desk, trip())
    assert [said.type for said in alerts(desk)] == [
        AlertType.BREAKER_TRIPPED,
        AlertType.TYPE_PAUSED,
    ]
    assert {said.id for said in alerts(desk)} == {f"{trip().id}:tripped", f"{trip().id}:paused"}
    assert states(desk, "governance")[-1] == states(desk, "epoch/2")[0]
    assert states(desk, "epoch/2")[0].effective_from == to_ms(NOON) + 1_500


def test_an_event_explains_itself(desk: Desk) -> None:
    """One event shows the evidence, the sentence, and which escalation rules fired."""
    handlers.apply_action(desk, trip(epoch=1))
    event = handlers.explain_event(desk, trip().id)
    assert event.evidence == trip().evidence
    assert event.judge_epoch == 1
    assert event.escalation is not None
    assert event.escalation.fired == ["own action pause", "pause wins"]
    assert "failures 3 >= 3" in event.details


def test_an_unknown_event_names_its_neighbours(desk: Desk) -> None:
    """A mistyped id is answered with the one that was meant."""
    handlers.apply_action(desk, trip())
    with pytest.raises(NotFound, match=trip().id):
        handlers.explain_event(desk, trip().id[:-1] + "_")


def test_the_third_medium_trip_within_an_hour_pauses_the_type(desk: Desk) -> None:
    """Medium trips add up: the third raises an event of its own, with its effect, at once."""
    times = [NOON + timedelta(minutes=20 * n) for n in range(3)]
    for moment in times:
        handlers.apply_action(desk, alert(decided_at=moment))
    assert handlers.show_state(desk).paused_command_types == ["SET_POWER"]
    raised = handlers.list_events(desk)[0]
    assert (raised.rule.name, raised.action) == ("Repeated Medium Trips", Action.PAUSE_COMMAND_TYPE)
    assert (raised.severity, raised.command_type) == (Severity.HIGH, "SET_POWER")
    assert raised.metrics == {"mediumTrips": 3}
    cause = handlers.explain_event(desk, alert(decided_at=times[2]).id)
    assert raised.caused_by == cause.id
    assert cause.escalation is not None
    assert cause.escalation.raised == [raised.id] == cause.related


def test_medium_trips_are_counted_by_the_log_and_not_by_the_wall(desk: Desk) -> None:
    """Trips an hour apart in the log do not add up, however fast they are applied."""
    for n in range(5):
        handlers.apply_action(desk, alert(decided_at=NOON + timedelta(minutes=31 * n)))
    assert handlers.show_state(desk).paused_command_types == []


def test_a_storm_is_one_event_however_many_trips_it_has(desk: Desk) -> None:
    """The eighth scope reverts everything; the ninth does not raise a second storm."""
    for n in range(12):
        moment = NOON + timedelta(seconds=n)
        handlers.apply_action(desk, alert(f"TYPE_{n}", Severity.LOW, decided_at=moment))
    storms = [found for found in handlers.list_events(desk) if found.rule.name == "Trip Storm"]
    assert len(storms) == 1
    assert storms[0].metrics == {"scopesTripped": 8}
    assert storms[0].scope == "*"
    eleventh = alert("TYPE_11", Severity.LOW, decided_at=NOON + timedelta(seconds=11))
    escalation = handlers.explain_event(desk, eleventh.id).escalation
    assert escalation is not None
    assert escalation.raised == [storms[0].id]


def test_the_fifth_paused_type_reverts_everything(desk: Desk) -> None:
    """So many paused types mean that something common is wrong."""
    for n in range(5):
        moment = NOON + timedelta(minutes=10 * n)
        handlers.apply_action(desk, trip(f"TYPE_{n}", decided_at=moment))
    raised = handlers.list_events(desk)[0]
    assert raised.rule.name == "Many Paused Types"
    assert raised.severity is Severity.CRITICAL
    assert handlers.show_state(desk).autonomy_epoch == 6


@pytest.mark.parametrize(
    ("off", "others"),
    [
        ("escalate_medium_trips", {"Trip Storm", "Many Paused Types"}),
        ("escalate_paused_types", {"Trip Storm", "Repeated Medium Trips"}),
        ("escalate_storm_scopes", {"Many Paused Types", "Repeated Medium Trips"}),
    ],
)
def test_each_escalation_can_be_switched_off(database_url: str, off: str, others: set[str]) -> None:
    """The trips' own actions stay, and so do the other escalations."""
    desk = desk_at(database_url, **{off: 0})
    for n in range(9):
        handlers.apply_action(desk, trip(f"TYPE_{n}", decided_at=NOON + timedelta(seconds=n)))
    for n in range(3):
        handlers.apply_action(desk, alert("OTHER", decided_at=NOON + timedelta(minutes=20 * n)))
    own = {trip().rule.name, alert("OTHER").rule.name}
    assert {event.rule.name for event in handlers.list_events(desk, limit=100)} - own == others
    desk.store.close()


def test_applying_the_log_again_elsewhere_makes_the_same_ids(desk: Desk) -> None:
    """Ids of raised events come from the log, so a second service that reads it agrees."""
    moments = [NOON + timedelta(seconds=n) for n in range(12)]
    actions = [alert(f"TYPE_{n}", decided_at=moment) for n, moment in enumerate(moments)]
    handlers.apply_actions(desk, actions)
    first = {event.id for event in handlers.list_events(desk, limit=100)}
    handlers.apply_actions(desk, actions)
    assert {event.id for event in handlers.list_events(desk, limit=100)} == first
    assert len(first) == 13


def test_each_change_has_its_audit_row(desk: Desk) -> None:
    """Trip and effect are two acts, in one chain that verifies."""
    before = handlers.show_audit_head(desk)
    handlers.apply_action(desk, trip())
    acts = [entry.act for entry in handlers.list_audit(desk, limit=2)]
    assert acts == [Act.TYPE_PAUSED, Act.TRIP_APPLIED]
    report = handlers.verify_audit(desk, before)
    assert report.intact
    assert report.rows == before.seq + 2


def test_events_are_listed_newest_first_and_by_pages(desk: Desk) -> None:
    """Lists are cut where asked, and the next page goes on there."""
    actions = [alert(f"T{n}", decided_at=NOON + timedelta(hours=n)) for n in range(5)]
    handlers.apply_actions(desk, actions)
    ids = [action.id for action in reversed(actions)]
    assert [event.id for event in handlers.list_events(desk, limit=2)] == ids[:2]
    assert [event.id for event in handlers.list_events(desk, limit=2, offset=2)] == ids[2:4]
    assert sum(kind.count for kind in handlers.count_events(desk)) == 5
