"""How every change of autonomy is written: state, history, audit, topic and alerts, together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from governance import alerts
from governance.audit import Act
from governance.autonomy import Autonomy
from governance.desk import Desk
from governance.handlers.lowering import follow_lowering
from governance.store import Unit
from schemas.alerts import Alert
from schemas.events import Severity
from schemas.topics import ALERTS, STATE
from schemas.wire import Wire


@dataclass(frozen=True, slots=True)
class Cause:
    """Why autonomy changed: which act, by whom, on what, and in words.

    ``id`` makes the ids of the alerts: that of the trip, or None to take the audit row's hash.
    ``severity`` says how long nobody may propose a rise, if the phase is lost by it.
    """

    act: Act
    actor: str
    subject: str
    because: str
    id: str | None = None
    severity: Severity = Severity.HIGH


def change_autonomy(
    desk: Desk, unit: Unit, *, before: Autonomy, after: Autonomy, cause: Cause, now: datetime
) -> None:
    """Write that autonomy went from *before* to *after*, and tell everybody."""
    unit.autonomy.save(after, now)
    followed = follow_lowering(
        desk,
        unit,
        before=before,
        after=after,
        act=cause.act,
        because=cause.because,
        severity=cause.severity,
        now=now,
    )
    row = unit.audit.append(
        cause.act,
        cause.subject,
        actor=cause.actor,
        at=now,
        before=before.told(),
        after={**after.facts(), "because": cause.because},
    )
    if after.phase is not before.phase:
        unit.autonomy.leave_phase(before, now)
        unit.autonomy.enter_phase(after, cause=cause.because, actor=cause.actor, now=now)
    publish_state(desk, unit, after, now=now, new_epoch=after.epoch != before.epoch)
    changed = _alerts(before, after, cause=cause, name=cause.id or row.hash[:32], now=now)
    for alert in (*changed, *followed):
        publish_alert(unit, alert, now)


def publish_state(
    desk: Desk, unit: Unit, state: Autonomy, *, now: datetime, new_epoch: bool
) -> None:
    """Put *state* in the outbox, under a key of its own too if it opens an epoch."""
    record = state.record(desk.in_force_from(now), now)
    publish(unit, STATE.name, "governance", record, now=now)
    if new_epoch:
        publish(unit, STATE.name, f"epoch/{state.epoch}", record, now=now)


def publish_alert(unit: Unit, alert: Alert, now: datetime) -> None:
    """Put *alert* in the outbox; those of one scope stay in order."""
    publish(unit, ALERTS.name, alert.data.scope or "*", alert, now=now)


def publish(unit: Unit, topic: str, key: str, record: Wire, *, now: datetime) -> None:
    """Put *record* in the outbox for *topic* (without prefix)."""
    unit.outbox.put(topic, key, record.to_bytes(), at=now)


def _alerts(
    before: Autonomy, after: Autonomy, *, cause: Cause, name: str, now: datetime
) -> list[Alert]:
    """Return what subscribers are told of the change, if it changed anything for them."""
    because = cause.because
    told = _pauses(before, after, cause=cause, name=name, now=now)
    if (before.phase, before.command_whitelist) != (after.phase, after.command_whitelist):
        told.append(alerts.phase_changed(before, after, cause=name, because=because, at=now))
    return told


def _pauses(
    before: Autonomy, after: Autonomy, *, cause: Cause, name: str, now: datetime
) -> list[Alert]:
    """Return what subscribers are told of pauses: everything at once is one alert."""
    if after.all_paused and (not before.all_paused or cause.act is Act.KILL_SWITCH_PULLED):
        return [alerts.everything_paused(after, cause=name, because=cause.because, at=now)]
    if before.all_paused and not after.all_paused:
        return [alerts.everything_resumed(after, cause=name, by=cause.actor, at=now)]
    named = {*before.paused_command_types, *after.paused_command_types}
    named |= {*before.resumed_command_types, *after.resumed_command_types}
    held, holds = before.paused_among(named), after.paused_among(named)
    return [
        *(
            alerts.type_paused(kind, after, cause=name, because=cause.because, at=now)
            for kind in sorted(holds - held)
        ),
        *(
            alerts.type_resumed(kind, after, cause=name, by=cause.actor, at=now)
            for kind in sorted(held - holds)
        ),
    ]
