"""Desks and trips for the tests of the state service: a clock that is set, and actions by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from governance import handlers
from governance.desk import Desk
from governance.store import Store
from rules.escalation_reference import decide
from schemas.actions import BreakerAction, Evidence, LogRange, Reading, action_id
from schemas.events import Severity
from schemas.rules import Action, RuleSummary
from schemas.settings import Settings
from schemas.tallies import OVERALL
from schemas.wire import to_ms

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
"""A Monday."""


class SetClock:
    """A clock that stands until it is told to go on."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the moment that it was set to."""
        return self.now

    def pass_(self, length: timedelta) -> None:
        """Go on by *length*."""
        self.now += length


def settings_for(**fields: Any) -> Settings:
    """Return settings that no file touches, with *fields* by name."""
    return Settings(_env_file=None, **fields)


PATIENCE_MS = 60_000
"""How long a writer waits for its turn: the last of fifty has it, however busy the machine is."""


def desk_at(url: str, **fields: Any) -> Desk:
    """Return a desk over the database *url*, migrated and created, at noon."""
    store = Store(url, patience=timedelta(milliseconds=fields.pop("patience_ms", PATIENCE_MS)))
    store.migrate()
    desk = Desk(store, settings_for(**fields), decide, SetClock())
    handlers.create(desk)
    return desk


def at(desk: Desk, moment: datetime) -> Desk:
    """Return the same desk at *moment*."""
    return Desk(desk.store, desk.settings, desk.decide, SetClock(moment))


def trip(
    command_type: str | None = "SET_POWER",
    action: Action = Action.PAUSE_COMMAND_TYPE,
    severity: Severity = Severity.HIGH,
    *,
    decided_at: datetime = NOON,
    rule: str = "Repeated Command Failures",
    epoch: int | None = None,
) -> BreakerAction:
    """Return one trip as a judge publishes it; the same arguments make the same id."""
    scope_key = f"commandType={command_type}" if command_type else OVERALL
    return BreakerAction(
        id=action_id(rule, 1, scope_key, to_ms(decided_at), action),
        rule=RuleSummary(
            name=rule,
            condition="commandType.failures >= 3",
            window="5m",
            action=action,
            alert_severity=severity,
        ),
        rule_version=1,
        scope=command_type or OVERALL,
        scope_key=scope_key,
        command_type=command_type,
        action=action,
        severity=severity,
        decided_at=decided_at,
        metrics={"failures": 3},
        evidence=_evidence(decided_at),
        epoch=epoch,
    )


def revert(*, decided_at: datetime = NOON) -> BreakerAction:
    """Return a critical trip of everything."""
    return trip(
        None,
        Action.REVERT_TO_L3,
        Severity.CRITICAL,
        decided_at=decided_at,
        rule="High Error Rate",
    )


def alert(
    command_type: str | None = "SET_POWER",
    severity: Severity = Severity.MEDIUM,
    *,
    decided_at: datetime = NOON,
) -> BreakerAction:
    """Return a trip that only alerts."""
    return trip(
        command_type, Action.ALERT_ONLY, severity, decided_at=decided_at, rule="High Rollback Rate"
    )


def _evidence(at: datetime) -> Evidence:
    """Return evidence: three failures of three attempts."""
    return Evidence(
        rule_version=1,
        condition="commandType.failures >= 3",
        substituted="failures 3 >= 3",
        window_start=at - timedelta(minutes=5),
        window_end=at,
        readings=[Reading(metric="failures", value=3, numerator=3, denominator=None, samples=3)],
        samples=3,
        command_ids=["c-1", "c-2", "c-3"],
        log=[
            LogRange.model_validate(
                {"topic": "command-events", "partition": 0, "from": 1, "upto": 9}
            )
        ],
    )
