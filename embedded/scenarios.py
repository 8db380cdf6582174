"""Demo traffic as a function of a seed and a moment: what a dozen roasters' executors report.

    healthy     nothing trips: a failure now and then, each time of another command type
    incident    one type fails and is paused, the fault spreads, a critical incident follows
    slow-burn   ever more commands are rolled back, until an alert says so
    flood       healthy, ten times as much of it
    poison      healthy, and every tenth record is bad in one of the ways that there are

Nothing here reads a clock or sends anything: the same seed, run and start make the same bytes.
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Any, Final

from embedded.poison import poisoned
from schemas.events import Signal, Status
from schemas.wire import iso_ms


class Scenario(StrEnum):
    """What the demo traffic shows; ``none`` sends nothing."""

    INCIDENT = "incident"
    HEALTHY = "healthy"
    SLOW_BURN = "slow-burn"
    FLOOD = "flood"
    POISON = "poison"
    NONE = "none"


COMMAND_TYPES: Final = {
    "SET_POWER": 16,
    "SET_FAN": 12,
    "SET_DRUM": 12,
    "SET_AIRFLOW": 12,
    "SET_TEMPERATURE": 10,
    "PREHEAT": 8,
    "CHARGE_BATCH": 8,
    "DROP_BATCH": 8,
    "COOLING_CYCLE": 6,
    "PURGE_CHAFF": 5,
    "ABORT": 2,
    "EMERGENCY_SHUTDOWN": 1,
}
"""The command types of the demo and how often each is used, out of 100."""

EVENTS_PER_COMMAND: Final = 3
"""Proposed, approved, and what became of it; rejections and rollbacks nearly cancel out."""

RATES: Final = {Scenario.NONE: 0, Scenario.FLOOD: 2_000}
"""Events per second where they are not `USUAL_RATE`."""
USUAL_RATE: Final = 200

WARM_UP: Final = 30_000
"""Milliseconds before the first healthy failure: on ten samples one failure is 10 %."""
FAILURE_EVERY: Final = 45_000
"""Milliseconds between healthy failures: each type fails once in nine minutes."""

FAN_FAILS: Final = 8_000
SPREADS: Final = 20_000
CRITICAL: Final = 35_000
MENDED: Final = 90_000
"""Milliseconds at which the incident begins, spreads, hurts someone, and is over."""

CREEP: Final = 180_000
"""Milliseconds in which the slow burn's share of rollbacks grows from 1 % to 30 %."""


@dataclass(frozen=True, slots=True, order=True)
class Record:
    """One record to send: ``due`` in milliseconds after the start, in the order of ``number``."""

    due: int
    number: int
    key: str
    value: bytes


def rate_of(scenario: Scenario) -> int:
    """Return how many events a second *scenario* sends, about."""
    return RATES.get(scenario, USUAL_RATE)


def traffic(scenario: Scenario, *, seed: int, run: str, start: int) -> Iterator[Record]:
    """Yield the records of *scenario* for ever, in the order in which they are due.

    Args:
        scenario: What to show.
        seed: The same seed, *run* and *start* make the same records.
        run: Begins every id, so that two runs never send the same one.
        start: The moment (ms since 1970 UTC) from which ``due`` counts.
    """
    if rate_of(scenario):
        yield from _Plant(scenario, random.Random(seed), run=run, start=start).records()


class _Plant:
    """Some roasters at work; keeps what has happened and is not yet reported."""

    def __init__(self, scenario: Scenario, chance: random.Random, *, run: str, start: int) -> None:
        self._scenario = scenario
        self._chance = chance
        self._run = run
        self._start = start
        self._waiting: list[Record] = []
        self._numbers = count(1)
        self._slots: dict[str, int] = {}

    def records(self) -> Iterator[Record]:
        """Yield records in the order in which they are due."""
        pause = 1000 * EVENTS_PER_COMMAND / rate_of(self._scenario)
        for turn in count():
            at = int(turn * pause)
            self._run_command(at)
            self._happen(at)
            while self._waiting and self._waiting[0].due <= at:
                yield heapq.heappop(self._waiting)

    # ----------------------------------------------------------------------------- commands

    def _run_command(self, at: int) -> None:
        """Let an executor propose a command, and follow it to its end."""
        kind = self._chance.choices(list(COMMAND_TYPES), list(COMMAND_TYPES.values()))[0]
        report = self._reporter(kind)
        report(at, Status.PROPOSED)
        decided = at + self._chance.randrange(20, 200)
        if self._chance.random() < 0.02:
            report(decided, Status.REJECTED)
            return
        report(decided, Status.APPROVED)
        took = self._chance.randrange(200, 1_200)
        outcome = self._outcome(kind, at)
        report(decided + took, outcome, duration=took)
        if outcome is Status.SUCCEEDED and self._chance.random() < self._rollback_share(at):
            report(decided + took + self._chance.randrange(1_000, 3_000), Status.ROLLED_BACK)

    def _reporter(self, kind: str) -> Callable[..., None]:
        """Return what reports the steps of one new command of type *kind*."""
        command = f"c-{self._run}-{next(self._numbers)}"
        actor = f"agent:roaster-{self._chance.randrange(1, 9)}"

        def report(due: int, status: Status, *, duration: int | None = None) -> None:
            failed = status in (Status.FAILED, Status.TIMED_OUT)
            step = {
                "kind": "command",
                "commandId": command,
                "commandType": kind,
                "status": status.value,
                "autonomous": True,
                "actor": actor,
                "durationMs": duration,
                "errorClass": "actuator_fault" if failed else None,
            }
            self._send(due, step)

        return report

    def _outcome(self, kind: str, at: int) -> Status:
        """Return what becomes of a command of type *kind* that is proposed at *at*."""
        if self._chance.random() < self._failure_share(kind, at):
            return Status.TIMED_OUT if self._chance.random() < 0.2 else Status.FAILED
        if at >= WARM_UP and self._is_turn_of(kind, at):
            return Status.FAILED
        return Status.SUCCEEDED

    def _failure_share(self, kind: str, at: int) -> float:
        """Return how likely a command fails because of the incident."""
        if self._scenario is not Scenario.INCIDENT or at >= MENDED:
            return 0.0
        if kind == "SET_FAN" and at >= FAN_FAILS:
            return 0.4
        if kind in ("SET_DRUM", "SET_AIRFLOW") and at >= SPREADS:
            return 0.9
        return 0.0

    def _is_turn_of(self, kind: str, at: int) -> bool:
        """Return whether this is the one failure that its stretch of time has, and take it."""
        slot = (at - WARM_UP) // FAILURE_EVERY
        types = list(COMMAND_TYPES)
        return kind == types[slot % len(types)] and self._is_new("failure", slot)

    def _rollback_share(self, at: int) -> float:
        """Return how likely a success is taken back."""
        if self._scenario is Scenario.SLOW_BURN:
            return 0.01 + 0.29 * min(at, CREEP) / CREEP
        return 0.01

    # ------------------------------------------------------------------- what else happens

    def _happen(self, at: int) -> None:
        """Let small things go wrong now and then, and the great one once."""
        if at >= WARM_UP and self._is_new("gate", at // 30_000):
            self._send(at, {"kind": "safety", "signal": Signal.SAFETY_GATE_TRIGGER.value})
        if at >= WARM_UP and self._is_new("incident", at // 40_000):
            self._incident(at, "low", "Chaff collector nearly full", command_type="PURGE_CHAFF")
        if self._scenario is Scenario.INCIDENT and at >= CRITICAL and self._is_new("critical", 1):
            self._incident(at, "critical", "Roaster 7: drum above 260 °C", command_type="SET_DRUM")

    def _incident(self, at: int, severity: str, summary: str, *, command_type: str) -> None:
        """Report an incident."""
        incident = {
            "kind": "incident",
            "incidentId": f"i-{self._run}-{next(self._numbers)}",
            "severity": severity,
            "autonomous": severity == "critical",
            "commandType": command_type,
            "summary": summary,
        }
        self._send(at, incident)

    def _is_new(self, what: str, slot: int) -> bool:
        """Return whether *what* has not happened in *slot* yet, and note that it has."""
        if self._slots.get(what) == slot:
            return False
        self._slots[what] = slot
        return True

    # ------------------------------------------------------------------------------ sending

    def _send(self, due: int, fact: dict[str, Any]) -> None:
        """Have *fact* sent at *due*; it happened a moment before."""
        happened = self._start + due - self._chance.randrange(0, 250)
        event = {
            "id": f"{self._run}-{next(self._numbers)}",
            "occurredAt": iso_ms(happened),
            "labels": {"agentVersion": "2.3"},
            **fact,
        }
        self._queue(due, event, json.dumps(event, ensure_ascii=False).encode())
        if self._scenario is Scenario.POISON and self._chance.random() < 1 / 9:
            number = next(self._numbers)
            bad = poisoned(event | {"id": f"{self._run}-{number}"}, number, self._chance)
            self._queue(due, event, bad)

    def _queue(self, due: int, event: dict[str, Any], value: bytes) -> None:
        """Put a record where its time is, keyed as the contract asks."""
        key = event.get("commandType") or event["id"]
        heapq.heappush(self._waiting, Record(due, next(self._numbers), key, value))
