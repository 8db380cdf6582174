"""What is measured with must be what producers send, or the figures mean nothing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from aiokafka.partitioner import DefaultPartitioner

from bench.load import PARTITIONS, TYPES, Load, mean_size, partition_of
from schemas.events import EVENT, CommandEvent, Status
from schemas.topics import COMMAND_EVENTS

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_every_event_is_one_that_producers_may_send() -> None:
    """The models accept them all, of every command type and each of the three kinds."""
    events = [EVENT.validate_json(value) for _, value in Load().take(5_000, NOON)]

    assert {event.kind for event in events} == {"command", "incident", "safety"}
    assert {event.command_type for event in events} == set(TYPES)


def test_events_happened_a_moment_ago() -> None:
    """None is late and none is early."""
    events = [EVENT.validate_json(value) for _, value in Load().take(100, NOON)]

    assert all(0 <= (NOON - event.occurred_at).total_seconds() < 1.5 for event in events)


def test_no_two_events_share_an_id() -> None:
    """Nothing is dropped as a repeat, whichever source it is from."""
    loads = [Load(0), Load(1), Load(1_001)]
    ids = [EVENT.validate_json(v).id for load in loads for _, v in load.take(3_000, NOON)]

    assert len(set(ids)) == len(ids)


def test_events_go_where_their_key_belongs() -> None:
    """Partitions are as uneven as Kafka's own clients would make them."""
    places = list(range(COMMAND_EVENTS.partitions))
    assert len(places) == PARTITIONS

    for name in TYPES:
        key = name.encode()
        assert partition_of(key) == DefaultPartitioner()(key, places, places)


def test_most_commands_go_well() -> None:
    """The error rate stays below the default rule's 5 %, but every type has failures."""
    events = [EVENT.validate_json(value) for _, value in Load().take(40_000, NOON)]
    commands = [event for event in events if isinstance(event, CommandEvent)]
    counts = Counter(command.status for command in commands)
    failed = counts[Status.FAILED] + counts[Status.TIMED_OUT]

    assert 0.01 < failed / (failed + counts[Status.SUCCEEDED]) < 0.05


def test_events_have_the_usual_size() -> None:
    """About 250 bytes, as in the contract's example without spaces."""
    assert 240 <= mean_size() <= 260
