"""Demo traffic shows what its scenario says, judged by the very engine that judges live events."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from itertools import pairwise, takewhile

import pytest

from embedded.scenarios import COMMAND_TYPES, Record, Scenario, rate_of, traffic
from rules.defaults import default_rules
from schemas.actions import DECISION, BreakerAction
from schemas.errors import BadRecord
from schemas.events import Reason
from schemas.rules import Action, RuleVersion
from schemas.wire import from_ms
from streams.batch import Batch
from streams.codec import decode
from streams.control import entry_of
from streams.judge import Judge
from streams.tally import Tally

START = 1_795_424_400_000
MINUTE = 60_000


@cache
def records(scenario: Scenario, until: int, seed: int = 1) -> tuple[Record, ...]:
    """Return the first *until* milliseconds of a scenario."""
    sent = traffic(scenario, seed=seed, run="r", start=START)
    return tuple(takewhile(lambda record: record.due < until, sent))


@cache
def trips(scenario: Scenario, until: int) -> tuple[BreakerAction, ...]:
    """Return what one worker with the default rules decides on a scenario."""
    tally, judge = Tally(0, tally_partitions=1), Judge(0, source_partitions=1)
    judge.learn([entry_of(version) for version in versions()], [], [])
    sent = records(scenario, until)
    outputs = tally.fold(
        Batch(
            0,
            range(len(sent)),
            [START + record.due for record in sent],
            [record.value for record in sent],
            [record.key.encode() for record in sent],
        )
    )
    cuts = [output.value for output in outputs if output.topic == "tallies"]
    decided = judge.fold(Batch(0, range(len(cuts)), [0] * len(cuts), cuts, [None] * len(cuts)))
    while (delta := judge.delta()) is not None:
        judge.stored(delta, 0)
        more = judge.advance()
        decided += more
        if not more:
            break
    found = [DECISION.validate_json(output.value) for output in decided]
    return tuple(action for action in found if isinstance(action, BreakerAction))


def versions() -> list[RuleVersion]:
    """Return the default rules as a new installation publishes them."""
    return [
        RuleVersion(name=r.name, version=1, effective_from=0, rule=r, changed_at=from_ms(START))
        for r in default_rules()
    ]


def test_the_same_seed_makes_the_same_bytes() -> None:
    """Seed, run and start are all that traffic depends on."""
    again = traffic(Scenario.POISON, seed=1, run="r", start=START)
    first = records(Scenario.POISON, 5_000)

    assert tuple(record for _, record in zip(first, again, strict=False)) == first
    assert records(Scenario.POISON, 5_000, seed=2) != first


@pytest.mark.parametrize("scenario", [each for each in Scenario if each is not Scenario.NONE])
def test_records_come_in_the_order_in_which_they_are_due(scenario: Scenario) -> None:
    """Whoever sends them needs only to wait."""
    assert all(a.due <= b.due for a, b in pairwise(records(scenario, 20_000)))


@pytest.mark.parametrize("scenario", [each for each in Scenario if each is not Scenario.NONE])
def test_rates_are_as_announced(scenario: Scenario) -> None:
    """About 200 events a second, 2,000 in a flood; poison comes on top."""
    per_second = len(records(scenario, 30_000)) / 30
    assert per_second == pytest.approx(rate_of(scenario), rel=0.15)


def test_no_scenario_sends_nothing() -> None:
    """The scenario none is empty."""
    assert list(traffic(Scenario.NONE, seed=1, run="r", start=START)) == []


@pytest.mark.parametrize("scenario", [Scenario.HEALTHY, Scenario.INCIDENT, Scenario.SLOW_BURN])
def test_every_record_is_an_event_with_an_id_of_its_own(scenario: Scenario) -> None:
    """What is not meant to be poison is as the contract says, and keyed by command type."""
    sent = records(scenario, MINUTE)
    events = [decode(record.value) for record in sent]

    assert len({event.id for event in events}) == len(sent)
    for record, event in zip(sent, events, strict=True):
        assert record.key == (event.command_type or event.id)
    assert {event.command_type for event in events} >= set(COMMAND_TYPES)


def test_healthy_trips_nothing_though_things_fail() -> None:
    """In six minutes of health there are failures and rollbacks, and no default rule minds."""
    statuses = Counter(
        json.loads(record.value).get("status") for record in records(Scenario.HEALTHY, 6 * MINUTE)
    )
    assert statuses["failed"] >= 6
    assert statuses["rolled_back"] >= 100
    assert trips(Scenario.HEALTHY, 6 * MINUTE) == ()


def test_an_incident_pauses_a_type_then_reverts_and_is_over() -> None:
    """Within a minute: SET_FAN paused, then everything back to L3, then a critical incident."""
    found = trips(Scenario.INCIDENT, 2 * MINUTE)
    story = [(trip.rule.name, trip.scope) for trip in found]

    assert story[0] == ("Repeated Command Failures", "SET_FAN")
    assert set(story) == {
        ("Repeated Command Failures", "SET_FAN"),
        ("Repeated Command Failures", "SET_DRUM"),
        ("Repeated Command Failures", "SET_AIRFLOW"),
        ("High Error Rate", "*"),
        ("Critical Incident Detected", "*"),
    }
    assert len(story) == 5
    assert max(trip.decided_at for trip in found) < from_ms(START + MINUTE)
    assert story.index(("High Error Rate", "*")) < story.index(("Critical Incident Detected", "*"))


def test_a_slow_burn_ends_in_an_alert_and_nothing_else() -> None:
    """Rollbacks creep up until the rate over the window is above a tenth, after minutes."""
    found = trips(Scenario.SLOW_BURN, 3 * MINUTE)

    assert [trip.rule.name for trip in found] == ["High Rollback Rate"]
    assert found[0].action is Action.ALERT_ONLY
    assert found[0].decided_at > from_ms(START + MINUTE)


def test_poison_is_a_tenth_and_of_every_kind() -> None:
    """Every reason of the dead letters occurs, and what is good is as healthy as ever."""
    sent = records(Scenario.POISON, 2 * MINUTE)
    reasons = Counter(reason_of(record) for record in sent)

    assert set(reasons) - {None} == set(Reason)
    assert 1 - reasons[None] / len(sent) == pytest.approx(0.1, abs=0.02)
    assert trips(Scenario.POISON, 2 * MINUTE) == ()


def reason_of(record: Record) -> Reason | None:
    """Return why a worker refuses a record that arrives when it is due."""
    try:
        happened = decode(record.value).occurred_at
    except BadRecord as problem:
        return Reason(problem.reason)
    return Reason.LATE if happened < from_ms(START + record.due - MINUTE) else None
