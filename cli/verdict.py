"""The morning's verdict: what needs people, by the runbook's morning checks.

act    health is unhealthy, or a critical or high event, or any overdue one, waits
look   anything else that waits, health is degraded, or a number is outside the runbook's bounds
fine   nothing of that
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Final

SUCCESS_ABOVE: Final = 0.995
ERRORS_BELOW: Final = 0.005
READINESS_FROM: Final = 0.90
"""What the runbook's morning checks look for."""

GRAVE: Final = frozenset({"critical", "high"})


class Level(IntEnum):
    """How much the morning asks for; the exit code of ``governance morning``."""

    FINE = 0
    LOOK = 1
    ACT = 2


@dataclass(frozen=True, slots=True)
class Morning:
    """What the API answers to the runbook's morning checks, as it answers it."""

    health: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    score: Mapping[str, Any]
    metrics: Mapping[str, Any]
    proposals: Sequence[Mapping[str, Any]]
    acts: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing that needs people."""

    level: Level
    text: str


def matters(morning: Morning, now: datetime) -> list[Matter]:
    """Return what needs people, the gravest first."""
    found = [
        *_health(morning.health),
        *(_event(event, now) for event in morning.events),
        *_numbers(morning),
        *_waiting(morning),
    ]
    return sorted(found, key=lambda matter: -matter.level)


def sentence(found: Sequence[Matter]) -> str:
    """Return the verdict in a sentence, for people who hear it too."""
    if not found:
        return "Everything is fine."
    count = "1 thing needs" if len(found) == 1 else f"{len(found)} things need"
    return f"{count} you: {found[0].text}."


def level_of(found: Sequence[Matter]) -> Level:
    """Return how much the morning asks for."""
    return max((matter.level for matter in found), default=Level.FINE)


def _health(health: Mapping[str, Any]) -> Iterator[Matter]:
    """Yield what is wrong with the service itself."""
    if health["status"] != "healthy":
        level = Level.ACT if health["status"] == "unhealthy" else Level.LOOK
        yield Matter(level, f"the service is {health['status']}: {'; '.join(health['reasons'])}")


def _event(event: Mapping[str, Any], now: datetime) -> Matter:
    """Return what an unresolved event asks for."""
    left = datetime.fromisoformat(event["dueAt"]) - now
    answered = event["acknowledgedAt"] is not None
    is_late = left < timedelta() and not answered
    by = event.get("acknowledgedBy")
    when = f"looked after by {by}" if answered else _clock(left)
    text = f"{event['severity'].upper()} {event['rule']['name']} on {event['scope']}, {when}"
    return Matter(Level.ACT if is_late or event["severity"] in GRAVE else Level.LOOK, text)


def _numbers(morning: Morning) -> Iterator[Matter]:
    """Yield the numbers that are outside the runbook's bounds; of nothing there are none."""
    rates, score = morning.metrics["rates"], morning.score["score"]
    success, errors = rates["successRate"], rates["errorRate"]
    if success is not None and success <= SUCCESS_ABOVE:
        yield Matter(Level.LOOK, f"success rate {success:.2%}, not above {SUCCESS_ABOVE:.1%}")
    elif errors is not None and errors >= ERRORS_BELOW:
        yield Matter(Level.LOOK, f"error rate {errors:.2%}, not below {ERRORS_BELOW:.1%}")
    if score < READINESS_FROM:
        yield Matter(Level.LOOK, f"readiness {score:.2%}, below {READINESS_FROM:.0%}")


def _waiting(morning: Morning) -> Iterator[Matter]:
    """Yield what waits for a decision."""
    for proposal in morning.proposals:
        missing = ", ".join(proposal["missingApprovals"])
        target = proposal["expansion"]["targetPhase"]
        yield Matter(Level.LOOK, f"proposal of {target} waits for {missing}")
    for act in morning.acts:
        yield Matter(Level.LOOK, f"a second person is needed: {act['summary']}")


def _clock(left: timedelta) -> str:
    """Return how long there is to answer, as people say it."""
    seconds = abs(int(left.total_seconds()))
    parts = ((seconds // 86_400, "d"), (seconds // 3_600 % 24, "h"),
             (seconds // 60 % 60, "min"), (seconds % 60, "s"))  # fmt: skip
    named = [f"{number} {unit}" for number, unit in parts if number] or ["0 s"]
    return f"{' '.join(named[:2])} {'left' if left >= timedelta() else 'overdue'}"
