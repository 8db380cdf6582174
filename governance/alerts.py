"""What subscribers are told, as pure functions from what happened to an `Alert`.

An alert's id is made from what happened, so that one that is delivered twice is seen as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from governance.audit import Checkpoint
from governance.autonomy import Autonomy
from governance.events import BreakerEvent
from governance.provenance.differences import Difference
from schemas.alerts import Alert, AlertData, AlertType
from schemas.events import Severity
from schemas.governance import Phase
from schemas.rules import RuleVersion
from schemas.wire import iso_ms, listed, to_ms


def tripped(event: BreakerEvent) -> Alert:
    """Return the alert that a breaker tripped."""
    return Alert(
        id=f"{event.id}:tripped",
        type=AlertType.BREAKER_TRIPPED,
        subject=event.rule.name,
        time=event.timestamp,
        data=_of_event(event, event.details, event.autonomy_epoch),
    )


def resolved(event: BreakerEvent, at: datetime, *, epoch: int) -> Alert:
    """Return the alert that people resolved a breaker event."""
    summary = f"{event.rule.name} for {event.scope} resolved by {event.resolved_by}"
    again = f":{to_ms(event.reopened_at)}" if event.reopened_at else ""
    return Alert(
        id=f"{event.id}:resolved{again}",
        type=AlertType.BREAKER_RESOLVED,
        subject=event.rule.name,
        time=at,
        data=_of_event(event, summary, epoch),
    )


def acknowledged(event: BreakerEvent, at: datetime, *, epoch: int) -> Alert:
    """Return the alert that somebody looks after a breaker event."""
    summary = f"{event.rule.name} for {event.scope} acknowledged by {event.acknowledged_by}"
    return Alert(
        id=f"{event.id}:acknowledged:{to_ms(at)}",
        type=AlertType.BREAKER_ACKNOWLEDGED,
        subject=event.rule.name,
        time=at,
        data=_of_event(event, summary, epoch),
    )


def reopened(event: BreakerEvent, at: datetime, *, by: str, reason: str, epoch: int) -> Alert:
    """Return the alert that a breaker event waits for people again."""
    summary = f"{event.rule.name} for {event.scope} reopened by {by}: {reason}"
    return Alert(
        id=f"{event.id}:reopened:{to_ms(at)}",
        type=AlertType.BREAKER_REOPENED,
        subject=event.rule.name,
        time=at,
        data=_of_event(event, summary, epoch),
    )


def phase_changed(
    before: Autonomy, after: Autonomy, *, cause: str, because: str, at: datetime
) -> Alert:
    """Return the alert that the phase or its whitelist changed; *cause* makes its id."""
    to_floor = after.phase is Phase.L3
    return Alert(
        id=f"{cause}:phase",
        type=AlertType.PHASE_CHANGED,
        subject=after.phase.value,
        time=at,
        data=AlertData(
            summary=f"Phase {before.phase} → {after.phase}: {because}",
            severity=Severity.CRITICAL if to_floor else Severity.HIGH,
            scope="*",
            autonomy_epoch=after.epoch,
            context={
                "from": before.told(),
                "to": after.facts(),
            },
        ),
    )


def state_restored(state: Autonomy, *, cause: str, problem: str, at: datetime) -> Alert:
    """Return the alert that a change of the state by SQL was put back; *cause* makes its id."""
    return Alert(
        id=f"{cause}:restored",
        type=AlertType.PHASE_CHANGED,
        subject=state.phase.value,
        time=at,
        data=AlertData(
            summary=f"A change of the state by SQL was put back: {problem}",
            severity=Severity.CRITICAL,
            scope="*",
            autonomy_epoch=state.epoch,
            context={"to": state.facts(), "problem": problem},
        ),
    )


def record_restored(found: Difference, *, cause: str, epoch: int, at: datetime) -> Alert:
    """Return the alert that a record was changed by SQL and is not believed; *cause* makes its id.

    It is critical: whoever writes to the database tried to do what takes other people.
    """
    return Alert(
        id=f"{cause}:restored",
        type=AlertType.RECORD_RESTORED,
        subject=found.id,
        time=at,
        data=AlertData(
            summary=f"A change by SQL is not believed: {found}",
            severity=Severity.CRITICAL,
            scope="*",
            event_id=found.id if found.table == "circuit_breaker_events" else None,
            autonomy_epoch=epoch,
            context={"table": found.table, "differs": list(found.fields)},
        ),
    )


def database_behind(state: Autonomy, lowered: Sequence[str], *, cause: str, at: datetime) -> Alert:
    """Return the alert that Kafka was told of a state this database never had; *cause* is its id.

    *lowered* says in words what is no longer allowed because of it.
    """
    kept = "; ".join(lowered) or "nothing that was allowed is allowed less"
    return Alert(
        id=f"{cause}:reconciled",
        type=AlertType.PHASE_CHANGED,
        subject=state.phase.value,
        time=at,
        data=AlertData(
            summary="The database is not the one that told Kafka the state; the lower of both "
            f"holds: {kept}",
            severity=Severity.CRITICAL,
            scope="*",
            autonomy_epoch=state.epoch,
            context={"to": state.facts(), "lowered": list(lowered)},
        ),
    )


def type_paused(
    command_type: str, state: Autonomy, *, cause: str, because: str, at: datetime
) -> Alert:
    """Return the alert that a command type was paused; *cause* makes its id."""
    return Alert(
        id=f"{cause}:paused",
        type=AlertType.TYPE_PAUSED,
        subject=command_type,
        time=at,
        data=AlertData(
            summary=f"{command_type} paused: {because}",
            severity=Severity.HIGH,
            scope=command_type,
            command_type=command_type,
            autonomy_epoch=state.epoch,
            context=_pauses(state),
        ),
    )


def everything_paused(state: Autonomy, *, cause: str, because: str, at: datetime) -> Alert:
    """Return the one alert that every command type was paused; *cause* makes its id."""
    return Alert(
        id=f"{cause}:paused",
        type=AlertType.TYPE_PAUSED,
        subject="*",
        time=at,
        data=AlertData(
            summary=f"Every command type paused: {because}",
            severity=Severity.CRITICAL,
            scope="*",
            autonomy_epoch=state.epoch,
            context=_pauses(state),
        ),
    )


def everything_resumed(state: Autonomy, *, cause: str, by: str, at: datetime) -> Alert:
    """Return the alert that people ended the pause of everything; *cause* makes its id."""
    named = listed(state.paused_command_types)
    return Alert(
        id=f"{cause}:resumed",
        type=AlertType.TYPE_RESUMED,
        subject="*",
        time=at,
        data=AlertData(
            summary=f"The pause of every command type was ended by {by}"
            + (f"; still paused: {named}" if named else ""),
            severity=Severity.MEDIUM,
            scope="*",
            autonomy_epoch=state.epoch,
            context=_pauses(state),
        ),
    )


def _pauses(state: Autonomy) -> dict[str, Any]:
    """Return what *state* says of pauses."""
    facts = state.facts()
    names = ("pausedCommandTypes", "allPaused", "resumedCommandTypes")
    return {name: facts[name] for name in names if name in facts}


def type_resumed(command_type: str, state: Autonomy, *, cause: str, by: str, at: datetime) -> Alert:
    """Return the alert that people let a command type run again; *cause* makes its id."""
    return Alert(
        id=f"{cause}:resumed",
        type=AlertType.TYPE_RESUMED,
        subject=command_type,
        time=at,
        data=AlertData(
            summary=f"{command_type} resumed by {by}",
            severity=Severity.MEDIUM,
            scope=command_type,
            command_type=command_type,
            autonomy_epoch=state.epoch,
            context=_pauses(state),
        ),
    )


def rule_changed(version: RuleVersion, *, epoch: int) -> Alert:
    """Return the alert that a rule was added, changed or deleted."""
    what = "deleted" if version.rule is None else f"now at version {version.version}"
    since = iso_ms(version.effective_from)
    return Alert(
        id=f"rule:{version.key}:changed",
        type=AlertType.RULE_CHANGED,
        subject=version.name,
        time=version.changed_at,
        data=AlertData(
            summary=f"Rule {version.name} {what}, by {version.changed_by}, from {since}",
            severity=Severity.LOW,
            rule=version.name,
            autonomy_epoch=epoch,
            context={"version": version.to_wire()},
        ),
    )


def rule_invalid(name: str, problem: str, *, cause: str, epoch: int, at: datetime) -> Alert:
    """Return the alert that a rule was written that cannot go live; *cause* makes its id."""
    return Alert(
        id=f"{cause}:invalid",
        type=AlertType.RULE_INVALID,
        subject=name,
        time=at,
        data=AlertData(
            summary=f"Rule {name} cannot go live; its last good version stays: {problem}",
            severity=Severity.HIGH,
            rule=name,
            autonomy_epoch=epoch,
            context={"problem": problem},
        ),
    )


def rule_unjudged(name: str, reason: str, *, cause: str, epoch: int, at: datetime) -> Alert:
    """Return the alert that nobody judges by a rule that is in force; *cause* makes its id."""
    return Alert(
        id=cause,
        type=AlertType.RULE_INVALID,
        subject=name,
        time=at,
        data=AlertData(
            summary=f"Rule {name} is not judged by: {reason}",
            severity=Severity.CRITICAL,
            rule=name,
            autonomy_epoch=epoch,
            context={"problem": reason},
        ),
    )


def stream_blind(since: datetime, *, reason: str, epoch: int) -> Alert:
    """Return the alert that nobody sees what executors do, since *since*, which makes its id."""
    return _of_stream(
        AlertType.STREAM_BLIND, since, since, "The stream is blind: " + reason, epoch=epoch
    )


def stream_sees(since: datetime, at: datetime, *, epoch: int) -> Alert:
    """Return the alert that the blindness that began at *since* is over."""
    seconds = round((at - since).total_seconds())
    return _of_stream(
        AlertType.STREAM_SEES, since, at, f"The stream sees again, after {seconds} s", epoch=epoch
    )


def _of_stream(
    kind: AlertType, since: datetime, at: datetime, summary: str, *, epoch: int
) -> Alert:
    """Return an alert about the stream as a whole."""
    return Alert(
        id=f"stream:{round(since.timestamp() * 1000)}:{kind.rsplit('.', 1)[-1]}",
        type=kind,
        subject="stream",
        time=at,
        data=AlertData(
            summary=summary,
            severity=Severity.CRITICAL if kind is AlertType.STREAM_BLIND else Severity.LOW,
            scope="*",
            autonomy_epoch=epoch,
        ),
    )


def _of_event(event: BreakerEvent, summary: str, epoch: int) -> AlertData:
    """Return what an alert says about a breaker event."""
    context: dict[str, Any] = {
        "action": event.action.value,
        "metrics": event.metrics,
        "dueAt": event.to_wire()["dueAt"],
        "causedBy": event.caused_by,
    }
    return AlertData(
        summary=summary,
        severity=event.severity,
        scope=event.scope,
        command_type=event.command_type,
        event_id=event.id,
        rule=event.rule.name,
        autonomy_epoch=epoch,
        context=context,
    )


def audit_head(head: Checkpoint, *, epoch: int, at: datetime) -> Alert:
    """Return what keeps the audit log's head where the database's owner cannot reach it."""
    return Alert(
        id=f"audit:{head}",
        type=AlertType.AUDIT_HEAD,
        subject=str(head.seq),
        time=at,
        data=AlertData(
            summary=f"The audit log has {head.seq} rows; the last one's hash is {head.hash}",
            severity=Severity.LOW,
            autonomy_epoch=epoch,
            context={"seq": head.seq, "hash": head.hash},
        ),
    )
