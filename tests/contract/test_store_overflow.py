"""What lies beyond the limit of distinct types cannot be paused; what matters never lies there."""

from __future__ import annotations

import json
from datetime import timedelta

from sqlalchemy import insert

from governance import handlers
from governance.audit import Act
from governance.desk import Desk
from governance.protection import MOST
from governance.store.ladder_tables import metrics_days
from schemas.events import Severity
from schemas.governance import Phase, ProtectionRecord
from schemas.rules import Action
from schemas.wire import iso
from tests.desks import NOON, alert, at, trip

TODAY = NOON.replace(hour=0)


def see_daily(desk: Desk, *, on: int, names: list[str]) -> None:
    """Count each of *names* on the day *on* days after the start."""
    day = iso(TODAY + timedelta(days=on))
    rows = [{"timestamp": day, "scope": f"commandType={name}"} for name in names]
    with desk.store.writing() as unit:
        unit.protection._connection.execute(insert(metrics_days), rows)


def told(desk: Desk) -> list[ProtectionRecord]:
    """Return every version that workers are told."""
    with desk.store.reading() as unit:
        rows = unit.outbox.unpublished(10_000, topic="state")
    return [
        ProtectionRecord.model_validate_json(row.value)
        for row in rows
        if row.key.startswith("protection/")
    ]


def test_a_pause_of_the_overflow_reverts(desk: Desk) -> None:
    """Its event says why everything goes back to L3, and nothing of that name is paused."""
    handlers.apply_action(desk, trip("__other__"))
    state = handlers.show_state(desk)
    event = handlers.explain_event(desk, trip("__other__").id)

    assert (state.paused_command_types, state.autonomy_epoch) == ([], 2)
    assert "cannot be paused by name: everything goes back to L3" in event.details
    assert event.escalation is not None
    assert event.escalation.effect is Action.REVERT_TO_L3
    assert event.escalation.pause is None
    row = next(one for one in handlers.list_audit(desk) if one.act == Act.PHASE_REVERTED)
    assert row.after["pausedCommandTypes"] == []
    assert handlers.apply_action(desk, trip("__other__")) is False


def test_an_escalation_to_a_pause_of_the_overflow_reverts(desk: Desk) -> None:
    """Three medium alerts would pause a type; of the overflow they revert."""
    for minutes in range(3):
        moment = NOON + timedelta(minutes=minutes)
        handlers.apply_action(desk, alert("__other__", Severity.MEDIUM, decided_at=moment))
    state = handlers.show_state(desk)
    assert (state.paused_command_types, state.autonomy_epoch) == ([], 2)
    assert handlers.list_audit(desk, limit=1)[0].act == Act.PHASE_REVERTED


def test_the_types_of_the_ladder_are_protected(desk: Desk) -> None:
    """Workers are told once, with an audit row, and again only when something changed."""
    assert handlers.protect_types(desk) is True
    assert handlers.protect_types(desk) is False
    (record,) = told(desk)

    assert {"SET_POWER", "EMERGENCY_SHUTDOWN"} <= set(record.command_types)
    assert record.effective_from % 100 == 0
    assert handlers.list_audit(desk, limit=1)[0].act == Act.PROTECTION_CHANGED
    assert handlers.verify_audit(desk).intact


def test_a_type_of_an_earlier_whitelist_stays_protected(desk: Desk) -> None:
    """It was on a phase's whitelist once, under other settings."""
    with desk.store.writing() as unit:
        state = unit.autonomy.load()
        higher = state.__class__(Phase.L3_PLUS, NOON, ("ROAST",), epoch=1)
        unit.autonomy.leave_phase(state, NOON)
        unit.autonomy.enter_phase(higher, cause="x", actor="x", now=NOON)
        unit.autonomy.leave_phase(higher, NOON)
    handlers.protect_types(desk)
    assert "ROAST" in told(desk)[-1].command_types


def test_types_with_a_history_go_before_a_flood(desk: Desk) -> None:
    """What ran on most days is protected first; today's flood is not, and none outgrows."""
    flood = [f"{number:06d}" for number in range(3_000)]
    see_daily(desk, on=1, names=["ROAST", "__other__"])
    see_daily(desk, on=2, names=["ROAST", *flood])
    see_daily(desk, on=3, names=["TOO YOUNG"])
    later = at(desk, NOON + timedelta(days=3))
    handlers.protect_types(later)
    names = told(later)[-1].command_types

    assert {"ROAST", "SET_POWER"} <= set(names)
    assert not {"TOO YOUNG", "__other__"} & set(names)
    assert len(names) == MOST
    assert len(json.dumps(names)) < 256 * 1024


def test_versions_only_go_forward(desk: Desk) -> None:
    """Each takes effect no earlier than the one before, whatever a clock says."""
    handlers.protect_types(desk)
    see_daily(desk, on=-2, names=["ROAST"])
    early = at(desk, NOON - timedelta(hours=1))
    assert handlers.protect_types(early)
    first, second = told(desk)
    assert second.version > first.version
    assert second.effective_from >= first.effective_from


def test_a_phase_that_was_lost_forgets_nobody(desk: Desk) -> None:
    """A flood that reverts the phase begins it anew: types that ran before stay protected."""
    see_daily(desk, on=-3, names=["ROAST"])
    handlers.apply_action(desk, trip("__other__"))
    handlers.protect_types(desk)
    assert "ROAST" in told(desk)[-1].command_types
