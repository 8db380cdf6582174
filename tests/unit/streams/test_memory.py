"""What a tally remembers, and for how long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.tallies import ID_LIMIT, ID_MEMORY, OTHER
from schemas.wire import from_ms
from streams.codec import Decoded, Safety
from streams.deltas import Generation
from streams.memory import Memory
from tests.unit.streams.facts import MINUTE, NOON

FEW: Final = 8
"""Ids remembered at most while `few_ids` holds: two generations of four."""

Step = tuple[int, str, str]
"""How much later (ms), which id, and which command type."""

STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from((0, 100, 5 * MINUTE, 15 * MINUTE, 40 * MINUTE)),
        st.integers(0, 20).map(lambda number: f"e{number}"),
        st.integers(0, 6).map(lambda number: f"type-{number}"),
    ),
    max_size=60,
)

with_few_ids = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
"""The fixture that shrinks the limit means the same for all examples."""


@pytest.fixture
def few_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a generation be full soon."""
    monkeypatch.setattr("streams.memory.ID_LIMIT", FEW)


def live(memory: Memory, steps: Iterable[Step], clock: int = NOON) -> list[bool]:
    """Let *memory* go through *steps*; return for each id whether it was known already."""
    known = []
    for later, event_id, kind in steps:
        clock += later
        memory.turn(clock)
        known.append(memory.knows(event_id))
        if not known[-1]:
            memory.remember(event_id)
            memory.admit("commandType", kind)
    return known


def state(memory: Memory) -> tuple[object, ...]:
    """Return everything that decides what *memory* answers."""
    return (
        memory.number,
        memory.start,
        memory.ids,
        memory.ids_before,
        {name: values for name, values in memory.values.items() if values},
        {name: values for name, values in memory.values_before.items() if values},
    )


@pytest.mark.usefixtures("few_ids")
@with_few_ids
@given(steps=STEPS)
def test_an_id_counts_once_within_a_quarter_of_an_hour(steps: list[Step]) -> None:
    """A repeat is recognised for 15 minutes, unless half of the most ids come sooner."""
    counted: list[tuple[int, str]] = []
    clock = NOON
    for (later, event_id, _), known in zip(steps, live(Memory(99), steps), strict=True):
        clock += later
        lately = counted[-FEW // 2 :]
        if any(one == event_id and clock - since < ID_MEMORY for since, one in lately):
            assert known
        if not known:
            counted.append((clock, event_id))


@pytest.mark.usefixtures("few_ids")
@with_few_ids
@given(steps=STEPS)
def test_two_generations_are_all_that_is_kept(steps: list[Step]) -> None:
    """What is known is what two plain sets would know that turn over when old or full."""
    now, before, wanted = set[str](), set[str](), []
    start, clock = None, NOON
    for later, event_id, _ in steps:
        clock += later
        if start is None:
            start = clock
        elif clock - start >= ID_MEMORY or len(now) >= FEW // 2:
            now, before, start = set(), now, clock
        wanted.append(event_id in now | before)
        if not wanted[-1]:
            now.add(event_id)
    assert live(Memory(99), steps) == wanted


def test_a_full_generation_holds_half_of_the_limit() -> None:
    """The 250,000th id still fits; the one after it begins a generation, and all are known."""
    memory = Memory(1)
    memory.turn(NOON)
    for number in range(ID_LIMIT // 2):
        memory.turn(NOON)
        memory.remember(str(number))
    assert memory.number == 0
    memory.turn(NOON + 1)
    assert memory.number == 1
    assert memory.horizon == 1
    assert memory.knows("0")


@pytest.mark.parametrize(("after", "number"), [(ID_MEMORY - 1, 0), (ID_MEMORY, 1)])
def test_a_generation_lasts_a_quarter_of_an_hour(after: int, number: int) -> None:
    """The clock of the partition, to the millisecond, says when it is over."""
    memory = Memory(1)
    memory.turn(NOON)
    memory.turn(NOON + after)
    assert memory.number == number


@given(values=st.lists(st.integers(0, 9).map(str), max_size=40), limit=st.integers(1, 5))
def test_values_beyond_the_cap_share_one_scope(values: list[str], limit: int) -> None:
    """The first values keep scopes of their own, all others are `__other__`, for good."""
    memory = Memory(limit)
    memory.turn(NOON)
    first = list(dict.fromkeys(values))[:limit]
    admitted = [memory.admit("commandType", value) for value in values]
    assert admitted == [value if value in first else OTHER for value in values]


@given(steps=STEPS, limit=st.integers(1, 4))
def test_no_more_values_are_kept_than_the_cap_allows(steps: list[Step], limit: int) -> None:
    """However generations turn, the present and the last one together stay within the cap."""
    memory = Memory(limit)
    clock = NOON
    for later, _, kind in steps:
        clock += later
        memory.turn(clock)
        memory.admit("commandType", kind)
        kept = memory.values.get("commandType", set())
        assert len(kept | memory.values_before.get("commandType", set())) <= limit


def test_a_value_that_nobody_names_makes_room() -> None:
    """Two generations after it was last seen, a value no longer takes a place."""
    memory = Memory(1)
    memory.turn(NOON)
    assert memory.admit("commandType", "FAN") == "FAN"
    memory.turn(NOON + ID_MEMORY)
    assert memory.admit("commandType", "DRUM") == OTHER
    memory.turn(NOON + 2 * ID_MEMORY)
    assert memory.admit("commandType", "DRUM") == "DRUM"


def test_each_grouping_has_a_cap_of_its_own() -> None:
    """Many command types leave room for a label's values."""
    memory = Memory(1)
    memory.admit("commandType", "FAN")
    assert memory.admit("labels.site", "zug") == "zug"


@pytest.mark.usefixtures("few_ids")
@with_few_ids
@given(parts=st.lists(STEPS, max_size=5), limit=st.integers(1, 4))
def test_what_the_news_say_is_what_is_remembered(parts: list[list[Step]], limit: int) -> None:
    """Who learns all news, of each flush in turn, remembers the same as who lived through it."""
    lived, learnt = Memory(limit), Memory(limit)
    clock = NOON
    for steps in parts:
        live(lived, steps, clock)
        clock += sum(later for later, _, _ in steps)
        for news in lived.news():
            learnt.learn(news)
        assert state(learnt) == state(lived)


@pytest.mark.usefixtures("few_ids")
@with_few_ids
@given(parts=st.lists(STEPS, min_size=1, max_size=6))
def test_the_news_of_two_generations_are_enough(parts: list[list[Step]]) -> None:
    """Reading may begin where the generation before this one began."""
    lived, learnt = Memory(3), Memory(3)
    news: list[Generation] = []
    for number, steps in enumerate(parts):
        live(lived, steps, NOON + number * 60 * MINUTE)
        news += lived.news()
    oldest = max(lived.number - 1, 0)
    begin = next(i for i, one in enumerate(news) if one.number == oldest and one.whole)
    for one in news[begin:]:
        learnt.learn(one)
    assert state(learnt) == state(lived)


@pytest.mark.usefixtures("few_ids")
@with_few_ids
@given(steps=STEPS, together=st.lists(st.integers(0, 9).map(lambda n: f"e{n}"), min_size=1))
def test_remembering_together_is_remembering_one_by_one(
    steps: list[Step], together: list[str]
) -> None:
    """All at once changes what one by one would have changed, or nothing at all."""
    once, single = Memory(3), Memory(3)
    live(once, steps)
    live(single, steps)
    clock = max((memory.start or NOON) for memory in (once, single))
    before = (set(once.ids), once.number)
    events: list[Decoded] = [
        Safety(id=one, occurred_at=from_ms(NOON), signal="emergency_abort", command_type="type-1")
        for one in together
    ]
    if once.remember_all(events, clock):
        assert not any(live(single, [(0, one, "type-1") for one in together], clock))
        assert state(once) == state(single)
        assert once.news() == single.news()
    else:
        assert (once.ids, once.number) == before


def test_news_name_the_generation_even_when_nothing_is_new() -> None:
    """A flush of ticks alone still says which generation it belongs to."""
    memory = Memory(1)
    memory.turn(NOON)
    assert memory.news() == [Generation(0, NOON, True, [], [])]
    assert memory.news() == [Generation(0, NOON, False, [], [])]


def test_a_protected_type_keeps_its_scope_and_takes_nobodys() -> None:
    """Full or not, it counts by its name; and as many others as before have their own."""
    memory = Memory(1)
    memory.protected = frozenset({"FAN"})
    memory.turn(NOON)
    admitted = [memory.admit("commandType", name) for name in ("DRUM", "FLOOD", "FAN")]
    assert admitted == ["DRUM", OTHER, "FAN"]
    assert memory.admit("labels.site", "FAN") == "FAN"
    assert memory.admit("labels.site", "zug") == OTHER


def test_a_type_that_is_no_longer_protected_is_like_any_other() -> None:
    """Its place was never taken, so it must find one."""
    memory = Memory(1)
    memory.protected = frozenset({"FAN"})
    memory.turn(NOON)
    memory.admit("commandType", "FAN")
    memory.admit("commandType", "DRUM")
    memory.protected = frozenset()
    assert memory.admit("commandType", "FAN") == OTHER


def test_how_many_overflowed_is_known_for_two_generations() -> None:
    """Each value is told once, and forgotten when it was not seen for as long as ids are."""
    memory = Memory(1)
    memory.turn(NOON)
    for name in ("FAN", "A", "B", "A"):
        memory.admit("commandType", name)
    assert memory.overflowed == 2
    memory.turn(NOON + ID_MEMORY)
    assert memory.overflowed == 2
    memory.turn(NOON + 2 * ID_MEMORY)
    assert memory.overflowed == 0


@given(number=st.integers(0, 40))
def test_a_flood_of_values_costs_no_memory(number: int) -> None:
    """Beyond so many they are no longer told apart."""
    memory = Memory(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.memory.OVERFLOW_SHOWN", 9)
        for value in range(number):
            memory.admit("commandType", str(value))
    assert memory.overflowed == max(0, min(9, number - 1))
