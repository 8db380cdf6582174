"""With every flush a judge says how far it has decided, and by which rules."""

from __future__ import annotations

from schemas.actions import DECISION, Frontier, ruleset_digest
from schemas.wire import to_ms
from streams.heartbeat import LIST_EVERY, Heartbeat
from streams.judge import Judge
from tests.unit.streams.facts import NOON, entry


def judge(*versions: int) -> Judge:
    """Return a judge at noon that judges by a rule of each name, at these versions."""
    state = Judge(1, source_partitions=1)
    state.first, state.at = NOON, NOON
    state._use([entry(number, name=f"rule {at}") for at, number in enumerate(versions)], NOON)
    return state


def said(heartbeat: Heartbeat, state: Judge) -> Frontier:
    """Return what *state* says now."""
    output = heartbeat(state)
    assert output is not None
    found = DECISION.validate_json(output.value)
    assert isinstance(found, Frontier)
    return found


def test_a_judge_that_decided_nothing_says_nothing() -> None:
    """It has nothing to be complete up to."""
    assert Heartbeat("w", 2)(Judge(0, source_partitions=1)) is None


def test_the_digest_is_always_there_and_the_list_when_it_changes() -> None:
    """A state service that follows knows the rules at any time, for a few bytes a second."""
    heartbeat, state = Heartbeat("w", 2), judge(1, 3)
    first, second = said(heartbeat, state), said(heartbeat, state)
    assert (first.partition, first.partitions, to_ms(first.judged_until)) == (1, 2, NOON)
    assert first.rule_versions == {"rule 0": 1, "rule 1": 3}
    assert first.ruleset == second.ruleset == ruleset_digest({"rule 1": 3, "rule 0": 1})
    assert second.rule_versions is None
    state._use([entry(4, name="rule 1")], NOON)
    third = said(heartbeat, state)
    assert third.rule_versions == {"rule 1": 4}
    assert third.ruleset != first.ruleset


def test_the_list_comes_again_for_whoever_has_just_started() -> None:
    """So it does from a judge that took the partition over."""
    heartbeat, state = Heartbeat("w", 2), judge(1)
    said(heartbeat, state)
    state.at += LIST_EVERY - 100
    assert said(heartbeat, state).rule_versions is None
    state.at += 100
    assert said(heartbeat, state).rule_versions == {"rule 0": 1}
    assert said(heartbeat, judge(1)).rule_versions == {"rule 0": 1}


def test_a_judge_says_what_it_lacks() -> None:
    """The state service then knows the numbers that it must not use again."""
    heartbeat, state = Heartbeat("w", 2), judge()
    assert said(heartbeat, state).lacking is None
    state.lacking = {"Gone": 7}
    found = said(heartbeat, state)
    assert (found.rule_versions, found.lacking) == ({}, {"Gone": 7})


def test_it_says_what_overflowed_in_this_worker() -> None:
    """As it is at each flush: the state service adds up what the workers say."""
    number = iter((3, 40))
    heartbeat = Heartbeat("w", 2, overflowed=lambda: next(number))
    state = judge(1)
    assert [said(heartbeat, state).overflowed for _ in range(2)] == [3, 40]
