"""Breaker events of a quarter: spread over rules and types, nearly all of them resolved."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from bench.load import TYPES
from governance import alerts
from governance.deadlines import BusinessHours, due_at
from governance.events import Escalated, ExplainedEvent, Finding
from governance.store import Unit
from schemas.actions import Evidence, LogRange, Reading, action_id
from schemas.alerts import Alert
from schemas.rules import Action, Rule
from schemas.tallies import OVERALL, SAMPLES, scope_of
from schemas.topics import COMMAND_EVENTS
from schemas.wire import to_ms

EVENTS: Final = 10_000
UNRESOLVED: Final = 25
"""The newest events, which people have still to resolve."""

FINDINGS: Final = (*[Finding.TRUE_POSITIVE] * 6, *[Finding.FALSE_POSITIVE] * 2, *Finding, None)
"""What people found, as often as it is found."""

PEOPLE: Final = ("anna", "ben", "cleo", "dora")


class Trips:
    """The events that *rules* made from *began* until *now*, the same at every run."""

    def __init__(self, rules: Sequence[Rule], *, began: datetime, now: datetime) -> None:
        self._chance = random.Random(4)
        pause = (now - began) / (EVENTS + 1)
        self.events = [
            self._event(rules[number % len(rules)], began + (number + 1) * pause, number)
            for number in range(EVENTS)
        ]

    def write(self, unit: Unit) -> None:
        """Write them through the shelf, and what people made of them."""
        for event in self.events:
            unit.events.add(event)
        for event in self.events[:-UNRESOLVED]:
            self._answer(unit, event)

    def alerts(self) -> Iterator[Alert]:
        """Yield the alerts of the events, in their order."""
        yield from (alerts.tripped(event) for event in self.events)

    def _event(self, rule: Rule, at: datetime, number: int) -> ExplainedEvent:
        """Return one trip as the judge decides it and the service records it."""
        overall = rule.action is Action.REVERT_TO_L3
        kind = None if overall else TYPES[number % len(TYPES)]
        scope_key = OVERALL if kind is None else scope_of("commandType", kind)
        return ExplainedEvent(
            id=action_id(rule.name, 1, scope_key, to_ms(at), rule.action),
            timestamp=at,
            rule=rule.summary(),
            rule_version=1,
            scope=kind or OVERALL,
            scope_key=scope_key,
            command_type=kind,
            action=rule.action,
            severity=rule.alert_severity,
            metrics={"failures": 3, "errorRate": 0.0625},
            details=f"{rule.name}: failures 3 >= 3 for {kind} within 5m, on 48 samples",
            due_at=due_at(rule.alert_severity, at, BusinessHours()),
            recorded_at=at + timedelta(milliseconds=200),
            autonomy_epoch=1 + number // 10,
            evidence=_evidence(rule, at, number),
            escalation=Escalated(effect=rule.action, pause=kind, fired=["pause_type"]),
            judge_epoch=1 + number // 10,
        )

    def _answer(self, unit: Unit, event: ExplainedEvent) -> None:
        """Acknowledge and resolve an event, mostly in time."""
        chance = self._chance
        met = event.timestamp + timedelta(seconds=chance.randint(60, 1_200))
        finding = chance.choice(FINDINGS)
        unit.events.acknowledge(event.id, by=chance.choice(PEOPLE), at=met)
        unit.events.resolve(
            event.id,
            by=chance.choice(PEOPLE),
            at=met + timedelta(seconds=chance.randint(300, 30_000)),
            finding=finding,
            notes="The roaster's firmware answered late; the vendor has the log.",
            cause="late answers of the firmware",
            incident_id=f"INC-{chance.randint(1, 999)}",
        )


def _evidence(rule: Rule, at: datetime, number: int) -> Evidence:
    """Return evidence as full as a judge makes it."""
    readings = [
        Reading(metric="failures", value=3, numerator=3, denominator=None, samples=3),
        Reading(metric="errorRate", value=0.0625, numerator=3, denominator=48, samples=48),
    ]
    return Evidence(
        rule_version=1,
        condition=rule.condition,
        substituted="failures 3 >= 3",
        window_start=at - timedelta(minutes=5),
        window_end=at,
        readings=readings,
        samples=48,
        command_ids=[f"c-{number}-{one}" for one in range(SAMPLES)],
        log=[
            LogRange.model_validate(
                {
                    "topic": COMMAND_EVENTS.name,
                    "partition": partition,
                    "from": number * 100,
                    "upto": number * 100 + 90,
                }
            )
            for partition in range(8)
        ],
    )
