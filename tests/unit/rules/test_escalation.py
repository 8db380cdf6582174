"""What follows from a trip: policy, reasons, limits. `tests/property` compares the two engines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from rules import escalation_reference
from rules.escalation import INFERENCES, Escalation, EscalationEngine, TripFacts
from rules.trips import MOST
from schemas.errors import Refused
from schemas.events import Severity
from schemas.governance import Phase
from schemas.rules import Action

ALERT, PAUSE, REVERT = Action.ALERT_ONLY, Action.PAUSE_COMMAND_TYPE, Action.REVERT_TO_L3
Decide = Callable[[TripFacts], Escalation]


@pytest.fixture(params=["durable-rules", "reference"])
def decide(request: pytest.FixtureRequest) -> Decide:
    """Return the one engine and the other: both keep every promise below."""
    if request.param == "durable-rules":
        return EscalationEngine().decide
    return escalation_reference.decide


def trip(**fields: Any) -> TripFacts:
    """Return a lonely medium alert on SET_POWER at L4, with some facts changed."""
    lonely: dict[str, Any] = {
        "action": ALERT,
        "severity": Severity.MEDIUM,
        "command_type": "SET_POWER",
        "medium_trips_of_type": 1,
        "paused_types": 0,
        "scopes_tripped": 1,
        "phase": Phase.L4,
        "medium_limit": 3,
        "paused_limit": 5,
        "storm_limit": 8,
    }
    return TripFacts(**lonely | fields)


@pytest.mark.parametrize(
    ("action", "pause", "fired"),
    [
        (ALERT, None, ("own action alert", "alert wins")),
        (PAUSE, "SET_POWER", ("own action pause", "pause wins")),
        (REVERT, None, ("own action revert", "revert wins")),
    ],
)
def test_a_lonely_trip_has_its_own_action(
    decide: Decide, action: Action, pause: str | None, fired: tuple[str, ...]
) -> None:
    """Without anything else around it, a trip does what its rule says."""
    assert decide(trip(action=action)) == Escalation(action, pause, (), fired)


@pytest.mark.parametrize(
    ("facts", "effect", "pause", "raised"),
    [
        ({"medium_trips_of_type": 2}, ALERT, None, ()),
        ({"medium_trips_of_type": 3}, PAUSE, "SET_POWER", ("Repeated Medium Trips",)),
        ({"medium_trips_of_type": 9, "severity": Severity.HIGH}, ALERT, None, ()),
        ({"medium_trips_of_type": 9, "command_type": None}, ALERT, None, ()),
        ({"medium_trips_of_type": 9, "action": PAUSE}, PAUSE, "SET_POWER", ()),
        (
            {"medium_trips_of_type": 9, "action": REVERT},
            REVERT,
            "SET_POWER",
            ("Repeated Medium Trips",),
        ),
        ({"paused_types": 4}, ALERT, None, ()),
        ({"paused_types": 5}, REVERT, None, ("Many Paused Types",)),
        ({"paused_types": 5, "action": PAUSE}, REVERT, "SET_POWER", ("Many Paused Types",)),
        ({"paused_types": 5, "action": REVERT}, REVERT, None, ()),
        ({"scopes_tripped": 7}, ALERT, None, ()),
        ({"scopes_tripped": 8}, REVERT, None, ("Trip Storm",)),
        ({"scopes_tripped": 8, "command_type": None}, REVERT, None, ("Trip Storm",)),
        (
            {"medium_trips_of_type": 3, "paused_types": 5, "scopes_tripped": 8},
            REVERT,
            "SET_POWER",
            ("Repeated Medium Trips", "Many Paused Types", "Trip Storm"),
        ),
        ({"paused_types": 2, "paused_limit": 2}, REVERT, None, ("Many Paused Types",)),
        ({"paused_types": 9_999, "paused_limit": MOST}, ALERT, None, ()),
    ],
)
def test_more_follows_when_trips_add_up(
    decide: Decide,
    facts: dict[str, Any],
    effect: Action,
    pause: str | None,
    raised: tuple[str, ...],
) -> None:
    """Reaching a limit is enough; what adds nothing is not raised; the most restrictive wins."""
    decision = decide(trip(**facts))

    assert (decision.effect, decision.pause, decision.raised) == (effect, pause, raised)


def test_the_reason_names_every_rule_that_fired(decide: Decide) -> None:
    """People read what led to the effect, in order, from the trip's own action to what won."""
    assert decide(trip(medium_trips_of_type=3, scopes_tripped=8)).fired == (
        "own action alert", "Repeated Medium Trips", "Trip Storm", "revert wins",
    )  # fmt: skip


def test_a_revert_at_l3_says_that_there_is_nothing_to_revert(decide: Decide) -> None:
    """At L3 a revert still stands as the decision, and the reason says what it changes."""
    decision = decide(trip(action=REVERT, phase=Phase.L3))

    assert (decision.effect, decision.fired[-1]) == (REVERT, "already at L3")


def test_a_strange_command_type_is_only_a_name(decide: Decide) -> None:
    """What producers call a command type reaches the answer unchanged, whatever it holds."""
    name = '"}]\x01 é 😀 ' * 20

    assert decide(trip(action=PAUSE, command_type=name)).pause == name


@pytest.mark.parametrize(
    "facts",
    [
        {"action": PAUSE, "command_type": None},
        {"paused_types": -1},
        {"storm_limit": 0},
        {"scopes_tripped": 10**9 + 1},
    ],
)
def test_facts_that_contradict_each_other_are_refused(
    decide: Decide, facts: dict[str, Any]
) -> None:
    """A caller that counts wrong hears so, instead of getting a decision on nonsense."""
    with pytest.raises(Refused):
        decide(trip(**facts))


def test_every_rule_can_fire() -> None:
    """No rule of the engine is dead: some trip makes each of them fire."""
    engine = EscalationEngine()
    trips = [
        trip(action=action, phase=phase, medium_trips_of_type=number, paused_types=number,
             scopes_tripped=number)
        for action in Action for phase in Phase for number in (1, 9)
    ]  # fmt: skip

    fired = {name for one in trips for name in engine.decide(one).fired}

    assert fired == {inference.name for inference in INFERENCES}


def test_engines_share_one_ruleset() -> None:
    """Making an engine twice registers nothing twice: that would leak what it replaces."""
    assert EscalationEngine()._host is EscalationEngine()._host


def test_many_decisions_take_no_memory() -> None:
    """After ten thousand decisions the process is as large as after the first thousand."""
    script = """
from tests.unit.rules.test_escalation import EscalationEngine, trip
from pathlib import Path
engine = EscalationEngine()
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4
def decide(times):
    for number in range(times):
        engine.decide(trip(medium_trips_of_type=number % 5, paused_types=number % 7))
decide(1_000)
before = resident()
decide(10_000)
print(resident() - before, len(engine._host._engine.get_facts("escalation")))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=250
    )
    grown, facts = map(int, done.stdout.split())

    assert (grown < 1_024, facts) == (True, 0), f"grew by {grown} KiB"
