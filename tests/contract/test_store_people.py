"""What people do: resolve, resume, roll back; each once, and never on a stale view."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from governance import handlers
from governance.audit import Act
from governance.autonomy import Autonomy
from governance.desk import Desk
from governance.events import Finding
from governance.handlers.changes import Cause, change_autonomy
from schemas.errors import NotFound, Refused, StaleEpoch
from schemas.governance import STATE_TOPIC, Phase, ResolutionRecord
from schemas.wire import to_ms
from tests.contract.test_store_trips import alerts, outbox
from tests.desks import NOON, alert, at, revert, trip

LATER = NOON + timedelta(minutes=10)


def resolutions(desk: Desk) -> list[ResolutionRecord]:
    """Return what the judges are told of resolved trips."""
    found = [STATE_TOPIC.validate_json(row.value) for row in outbox(desk) if row.topic == "state"]
    return [record for record in found if isinstance(record, ResolutionRecord)]


def promote(desk: Desk, phase: Phase, *whitelist: str) -> None:
    """Put the installation at a higher phase, as an approved proposal will."""
    with desk.store.writing() as unit:
        before = unit.autonomy.load()
        after = Autonomy(phase, NOON, whitelist, epoch=before.epoch)
        cause = Cause(Act.STATE_ADOPTED, "test", "governance", "for a test")
        change_autonomy(desk, unit, before=before, after=after, cause=cause, now=NOON)


def test_resolving_tells_the_judges_and_keeps_autonomy(desk: Desk) -> None:
    """The breaker starts afresh a lead ahead; what was paused stays paused."""
    handlers.apply_action(desk, trip())
    later = at(desk, LATER)
    done = handlers.resolve_event(
        later, trip().id, by="anna", finding=Finding.TRUE_POSITIVE, notes="bad firmware"
    )
    assert not done.already
    assert (done.event.resolved_at, done.event.resolved_by) == (LATER, "anna")
    assert done.event.finding is Finding.TRUE_POSITIVE
    assert handlers.list_unresolved_events(desk) == []
    assert handlers.show_state(desk).paused_command_types == ["SET_POWER"]
    record = resolutions(desk)[0]
    assert (record.rule, record.scope_key) == (trip().rule.name, "commandType=SET_POWER")
    assert record.effective_from == to_ms(LATER) + 1_500


def test_resolving_needs_no_words(desk: Desk) -> None:
    """The runbook sends an empty body."""
    handlers.apply_action(desk, trip())
    assert handlers.resolve_event(desk, trip().id, by="operator").event.finding is None


def test_resolving_an_unknown_event_is_not_found(desk: Desk) -> None:
    """No such id, no effect."""
    with pytest.raises(NotFound):
        handlers.resolve_event(desk, "nothing", by="anna")


def test_of_fifty_who_resolve_at_once_one_does(desk: Desk) -> None:
    """One transition; the others get what the first one wrote."""
    handlers.apply_action(desk, trip())
    before = handlers.show_audit_head(desk).seq
    with ThreadPoolExecutor(50) as people:
        done = list(
            people.map(
                lambda n: handlers.resolve_event(desk, trip().id, by=f"p{n}", notes=f"n{n}"),
                range(50),
            )
        )
    assert sum(not one.already for one in done) == 1
    assert len({one.event.resolved_by for one in done}) == 1
    assert len({one.event.notes for one in done}) == 1
    assert handlers.show_audit_head(desk).seq == before + 1
    assert len(resolutions(desk)) == 1


def test_an_escalation_has_no_breaker_to_start_afresh(desk: Desk) -> None:
    """Resolving a raised event tells subscribers, and judges nothing."""
    for n in range(3):
        handlers.apply_action(desk, alert(decided_at=NOON + timedelta(minutes=n)))
    raised = handlers.list_events(desk)[0]
    assert raised.caused_by is not None
    handlers.resolve_event(desk, raised.id, by="anna")
    assert resolutions(desk) == []
    assert alerts(desk)[-1].id == f"{raised.id}:resolved"


def test_resuming_takes_a_resolved_event_and_the_present_epoch(desk: Desk) -> None:
    """First the event, then the type; and only by who has seen the last lowering."""
    handlers.apply_action(desk, trip())
    with pytest.raises(StaleEpoch):
        handlers.resume_command_type(desk, "SET_POWER", by="anna", epoch=1)
    with pytest.raises(Refused, match="resolve them first"):
        handlers.resume_command_type(desk, "SET_POWER", by="anna", epoch=2)
    handlers.resolve_event(desk, trip().id, by="anna")
    state = handlers.resume_command_type(desk, "SET_POWER", by="anna", epoch=2)
    assert (state.paused_command_types, state.autonomy_epoch) == ([], 2)
    with pytest.raises(NotFound):
        handlers.resume_command_type(desk, "SET_POWER", by="anna", epoch=2)


def test_of_fifty_who_resume_at_once_one_does(desk: Desk) -> None:
    """One transition, forty-nine answers that it is not paused any more."""
    handlers.apply_action(desk, trip())
    handlers.resolve_event(desk, trip().id, by="anna")

    def resume(_: int) -> bool:
        try:
            handlers.resume_command_type(desk, "SET_POWER", by="anna", epoch=2)
        except NotFound:
            return False
        return True

    with ThreadPoolExecutor(50) as people:
        assert sum(people.map(resume, range(50))) == 1


def test_a_rollback_restores_what_was_last_held(desk: Desk) -> None:
    """Down from L4 to L3+, with the whitelist with which L3+ was left."""
    promote(desk, Phase.L3_PLUS, "SET_FAN", "SET_POWER")
    promote(desk, Phase.L4, "SET_DRUM", "SET_FAN", "SET_POWER")
    state = handlers.roll_back(
        at(desk, LATER), Phase.L3_PLUS, reason="validation failed", by="anna", incident_id="i-7"
    )
    assert state.current_phase is Phase.L3_PLUS
    assert state.command_whitelist == ["SET_FAN", "SET_POWER"]
    assert (state.phase_start_date, state.autonomy_epoch) == (LATER, 2)
    last = handlers.show_phase_history(desk)[0]
    assert (last["cause"], last["actor"]) == ("validation failed (incident i-7)", "anna")
    assert handlers.count_phase_entries(desk)[Phase.L3_PLUS] == 2


def test_a_rollback_never_goes_up(desk: Desk) -> None:
    """Raising takes a proposal."""
    with pytest.raises(Refused, match="takes a proposal"):
        handlers.roll_back(desk, Phase.L4, reason="please", by="anna")
    assert handlers.show_state(desk).autonomy_epoch == 1


def test_a_trip_between_reading_and_resuming_wins(desk: Desk) -> None:
    """Who decided on the state before the trip is refused, in every order."""
    handlers.apply_action(desk, trip())
    handlers.resolve_event(desk, trip().id, by="anna")
    seen = handlers.show_state(desk).autonomy_epoch
    handlers.apply_action(desk, revert(decided_at=LATER))
    with pytest.raises(StaleEpoch):
        handlers.resume_command_type(desk, "SET_POWER", by="anna", epoch=seen)
