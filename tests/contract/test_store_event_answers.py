"""How people answer breaker events, on both databases: acknowledged, resolved, reopened, judged."""

from __future__ import annotations

from datetime import timedelta

import pytest

from governance import handlers
from governance.desk import Desk
from governance.events import BreakerEvent, Finding
from governance.store.outbox import OutboxRow
from schemas.alerts import Alert, AlertType
from schemas.errors import NotFound, Refused
from schemas.wire import to_ms
from tests.desks import NOON, alert, at, trip

LATE = NOON + timedelta(minutes=16)
"""A minute after a high event of noon is due."""


def outbox(desk: Desk) -> list[OutboxRow]:
    """Return all that the world is to be told."""
    with desk.store.reading() as unit:
        return unit.outbox.unpublished(10_000)


def told(desk: Desk) -> list[Alert]:
    """Return the alerts among it."""
    return [Alert.model_validate_json(row.value) for row in outbox(desk) if row.topic == "alerts"]


def event(desk: Desk) -> BreakerEvent:
    """Return the newest event."""
    return handlers.list_events(desk)[0]


@pytest.fixture
def tripped(desk: Desk) -> str:
    """Return the id of an event of noon, high, that pauses a command type."""
    handlers.apply_action(desk, trip())
    return trip().id


def test_an_event_is_overdue_until_somebody_answers(desk: Desk, tripped: str) -> None:
    """From the moment it was due; an acknowledgement is an answer, and resolves nothing."""
    assert not event(desk).overdue
    late = at(desk, LATE)
    assert event(late).overdue
    assert handlers.list_unresolved_events(late)[0].overdue
    assert handlers.explain_event(late, tripped).overdue
    assert handlers.count_overdue(late) == 1

    handlers.acknowledge_event(late, tripped, by="kim")

    assert not event(late).overdue
    assert handlers.count_overdue(late) == 0
    assert [one.id for one in handlers.list_unresolved_events(late)] == [tripped]


def test_the_first_to_acknowledge_stands(desk: Desk, tripped: str) -> None:
    """One audit row and one alert, however many say so."""
    first = handlers.acknowledge_event(desk, tripped, by="kim")
    before = (handlers.show_audit_head(desk), len(outbox(desk)))
    second = handlers.acknowledge_event(at(desk, LATE), tripped, by="lee")

    assert (first.already, second.already) == (False, True)
    assert (second.event.acknowledged_by, second.event.acknowledged_at) == ("kim", NOON)
    assert (handlers.show_audit_head(desk), len(outbox(desk))) == before
    assert told(desk)[-1].type is AlertType.BREAKER_ACKNOWLEDGED


def test_what_is_resolved_needs_no_acknowledgement(desk: Desk, tripped: str) -> None:
    """It was answered by being resolved."""
    handlers.resolve_event(desk, tripped, by="kim")

    assert handlers.acknowledge_event(desk, tripped, by="lee").already
    assert event(desk).acknowledged_by is None


def test_what_people_found_is_kept(desk: Desk, tripped: str) -> None:
    """Verdict, cause, incident and notes are on the event and in the audit log."""
    handlers.resolve_event(
        desk,
        tripped,
        by="kim",
        finding=Finding.TRUE_POSITIVE,
        notes="seen twice",
        cause="a full disk",
        incident_id="i-7",
    )

    found = event(desk)
    assert (found.finding, found.cause) == (Finding.TRUE_POSITIVE, "a full disk")
    assert (found.incident_id, found.notes) == ("i-7", "seen twice")
    after = handlers.list_audit(desk, limit=1)[0].after
    assert (after["cause"], after["incidentId"]) == ("a full disk", "i-7")


def test_a_reopened_event_blocks_again(desk: Desk, tripped: str) -> None:
    """It is unresolved, holds its command type, and what was found is in the audit log only."""
    handlers.resolve_event(desk, tripped, by="kim", finding=Finding.FALSE_POSITIVE)
    answer = handlers.reopen_event(desk, tripped, by="lee", reason="it failed again")

    assert (answer.already, answer.event.resolved, answer.event.finding) == (False, False, None)
    assert [one.id for one in handlers.list_unresolved_events(desk)] == [tripped]
    epoch = handlers.show_state(desk).autonomy_epoch
    with pytest.raises(Refused, match=tripped):
        handlers.resume_command_type(desk, "SET_POWER", by="lee", epoch=epoch)
    row = handlers.list_audit(desk, limit=1)[0]
    assert (row.act, row.actor) == ("event.reopened", "lee")
    assert row.before["finding"] == "false_positive"
    assert row.after["reason"] == "it failed again"
    assert told(desk)[-1].type is AlertType.BREAKER_REOPENED


def test_what_is_unresolved_is_not_reopened(desk: Desk, tripped: str) -> None:
    """Nothing is written, and the answer says that it was so already."""
    before = handlers.show_audit_head(desk)

    assert handlers.reopen_event(desk, tripped, by="lee", reason="why not").already
    assert handlers.show_audit_head(desk) == before


def test_reopening_gives_no_missed_moment_back(desk: Desk, tripped: str) -> None:
    """Who answered in time has as long again; who was late is overdue at once."""
    handlers.resolve_event(desk, tripped, by="kim")
    in_time = handlers.reopen_event(at(desk, LATE), tripped, by="lee", reason="again")
    assert (in_time.event.due_at, in_time.event.overdue) == (LATE + timedelta(minutes=15), False)

    later = at(desk, LATE + timedelta(hours=1))
    handlers.resolve_event(later, tripped, by="kim")
    late = handlers.reopen_event(later, tripped, by="lee", reason="and again")
    assert (late.event.due_at, late.event.overdue) == (in_time.event.due_at, True)


def test_a_second_resolution_is_told_and_closes_no_breaker(desk: Desk, tripped: str) -> None:
    """Subscribers hear of both under two ids; the judges' breaker started afresh at the first."""
    handlers.resolve_event(desk, tripped, by="kim")
    handlers.reopen_event(desk, tripped, by="lee", reason="it failed again")
    records = [row for row in outbox(desk) if row.key == f"resolution/{tripped}"]
    handlers.resolve_event(at(desk, LATE), tripped, by="kim")

    resolved = [said.id for said in told(desk) if said.type is AlertType.BREAKER_RESOLVED]
    assert resolved == [f"{tripped}:resolved", f"{tripped}:resolved:{to_ms(NOON)}"]
    assert [row for row in outbox(desk) if row.key == f"resolution/{tripped}"] == records


@pytest.mark.parametrize("name", ["acknowledge", "reopen"])
def test_an_unknown_event_has_near_matches(desk: Desk, tripped: str, name: str) -> None:
    """A mistyped id changes nothing."""
    with pytest.raises(NotFound, match=tripped):
        if name == "acknowledge":
            handlers.acknowledge_event(desk, f"{tripped}x", by="kim")
        else:
            handlers.reopen_event(desk, f"{tripped}x", by="kim", reason="why not")


def test_a_rule_is_judged_by_its_own_trips(desk: Desk) -> None:
    """Those of other rules and of before do not count, and drills are left out."""
    findings = [Finding.FALSE_POSITIVE, Finding.TRUE_POSITIVE, Finding.DRILL, None]
    for number, finding in enumerate(findings):
        action = trip(decided_at=NOON - timedelta(hours=number))
        handlers.apply_action(desk, action)
        if finding is not None:
            handlers.resolve_event(desk, action.id, by="kim", finding=finding)
    handlers.apply_action(desk, trip(decided_at=NOON - timedelta(days=100)))
    handlers.apply_action(desk, alert())

    found = handlers.show_rule_quality(desk, "Repeated Command Failures")
    assert (found.triggers, found.excluded, found.unresolved) == (4, 1, 1)
    assert found.false_positive_rate == pytest.approx(1 / 3)
    assert found.precision == 0.5
    assert found.mean_time_to_resolve == 30 * 60
    recent = handlers.show_rule_quality(
        desk, "Repeated Command Failures", since=NOON - timedelta(minutes=90)
    )
    assert recent.triggers == 2
    with pytest.raises(NotFound, match="Repeated Command Failures"):
        handlers.show_rule_quality(desk, "Repeated Comand Failures")
