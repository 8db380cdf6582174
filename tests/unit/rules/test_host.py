"""The confinement of durable-rules: nothing odd enters, nothing stays, nothing is swallowed."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from rules.host import MAX_FACTS, MAX_NUMBER, MAX_RULES, Fact, Host, Inference, Is, IsNot, Reaches
from schemas.errors import Refused, Unavailable

NAMES = count()
BIG = Inference("big", "order", (Reaches("size", "limit"),))
ANY = Inference("any", "order")


def host(*inferences: Inference) -> Host:
    """Return a host of its own for each test."""
    return Host(f"test {next(NAMES)}", inferences)


def order(size: int) -> Fact:
    """Return a fact about an order, of which ten and more are big."""
    return {"kind": "order", "size": size, "limit": 10}


def kept(made: Host) -> list[Any]:
    """Return the facts that durable-rules still holds."""
    facts: list[Any] = made._engine.get_facts(made._name)
    return facts


def test_what_comes_first_fires_first() -> None:
    """The order of the inferences is the order in which they fire."""
    assert host(BIG, ANY).fired(order(12)) == ("big", "any")
    assert host(ANY, BIG).fired(order(12)) == ("any", "big")


def test_nothing_stays_behind() -> None:
    """Each question is asked of an empty memory, whatever was asked before."""
    made = host(BIG, ANY)

    answers = [made.fired(order(size)) for size in (12, 3, 12)]

    assert answers == [("big", "any"), ("any",), ("big", "any")]
    assert kept(made) == []


def test_a_fact_that_matches_nothing_is_no_error() -> None:
    """What no inference asks for is passed over."""
    assert host(BIG).fired(order(3), {"kind": "weather"}) == ()


@pytest.mark.parametrize(
    ("test", "answers"),
    [
        (Is("size", 7), (False, True, False)),
        (IsNot("size", 7), (True, False, True)),
        (Reaches("size", "limit"), (False, True, True)),
    ],
    ids=repr,
)
def test_a_test_says_what_its_name_says(test: Any, answers: tuple[bool, ...]) -> None:
    """Asked of sizes below, at and above 7, each test fires where it should."""
    made = host(Inference("it", "order", (test,)))

    facts: list[Fact] = [{"kind": "order", "size": size, "limit": 7} for size in (6, 7, 8)]

    assert tuple(bool(made.fired(fact)) for fact in facts) == answers


def test_all_tests_must_hold() -> None:
    """An inference fires when all of its tests hold, whichever of them fails otherwise."""
    both = Inference("both", "order", (Is("paid", 1), Reaches("size", "limit"), IsNot("size", 12)))
    made = host(both)

    answers = [
        made.fired({**order(size), "paid": paid})
        for paid, size in ((1, 10), (0, 10), (1, 9), (1, 12), (1, 11))
    ]

    assert answers == [("both",), (), (), (), ("both",)]


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**32 + 5, MAX_NUMBER, 1 - MAX_NUMBER])
def test_numbers_are_compared_exactly(number: int) -> None:
    """Integers of any size that is let in are compared as what they are."""
    made = host(BIG)

    answers = [
        made.fired({"kind": "order", "size": size, "limit": number})
        for size in (number, number - 1)
    ]

    assert answers == [("big",), ()]


def test_it_has_no_thread_of_its_own() -> None:
    """durable-rules would start two timers; here it answers when asked, and only then.

    What other tests left running may end meanwhile.
    """
    before = set(threading.enumerate())

    host(ANY).fired({"kind": "order"})

    assert set(threading.enumerate()) <= before


def test_callers_take_turns() -> None:
    """Asked from several threads at once, it answers each as if alone."""
    made = host(BIG, ANY)
    sizes = [number % 20 for number in range(400)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda size: made.fired(order(size)), sizes))

    assert answers == [("big", "any") if size >= 10 else ("any",) for size in sizes]


@pytest.mark.parametrize(
    "value",
    [0.5, 1e-05, True, None, [], {}, b"x", "x" * 65, "é", "a\nb", "\x00", MAX_NUMBER + 1],
    ids=repr,
)
def test_only_short_strings_and_safe_integers_enter(value: Any) -> None:
    """Whatever durable-rules misreads is refused before it sees it."""
    with pytest.raises(Refused, match="cannot be a fact"):
        host(ANY).fired({"kind": "order", "size": value})


@pytest.mark.parametrize("field", ["", "Size", "a b", "$and", "a.b", "x" * 40])
def test_only_plain_names_enter(field: str) -> None:
    """A field cannot be mistaken for an operator."""
    with pytest.raises(Refused, match="cannot be a fact"):
        host(ANY).fired({"kind": "order", field: 1})


def test_facts_of_a_question_differ() -> None:
    """Two facts of one kind, none of a kind, or too many are faults of the caller."""
    made = host(ANY)

    for facts in (
        [{"kind": "order"}, {"kind": "order"}],
        [{"size": 1}],
        [{"kind": f"order{number}"} for number in range(MAX_FACTS + 1)],
    ):
        with pytest.raises(Refused):
            made.fired(*facts)


def test_no_more_rules_than_can_fire_at_once() -> None:
    """Beyond 64 durable-rules would evaluate none of them, in the middle of an incident."""
    with pytest.raises(Refused, match="65 inferences"):
        host(*[Inference(f"rule {number}", "order") for number in range(MAX_RULES + 1)])


def test_as_many_rules_as_are_allowed_fire_at_once() -> None:
    """The limit is one that holds."""
    names = [f"rule {number}" for number in range(MAX_RULES)]

    assert host(*[Inference(name, "order") for name in names]).fired({"kind": "order"}) == (*names,)


def test_an_exception_inside_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What durable-rules would hide in its state is raised, and the next question is answered."""

    def failing(self: Host, name: str) -> Any:
        def run(closure: Any) -> None:
            raise ZeroDivisionError("planted")

        return run

    with monkeypatch.context() as patched:
        patched.setattr(Host, "_noting", failing)
        made = host(ANY)
        with pytest.raises(Unavailable, match="planted"):
            made.fired({"kind": "order"})
    made._engine = made._started()

    assert made.fired({"kind": "order"}) == ("any",)


def test_a_failure_leaves_no_facts_for_the_next_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that failed half way through starts over with an empty memory."""
    made = host(BIG, ANY)

    def failing(self: Host) -> None:
        raise RuntimeError("planted")

    with monkeypatch.context() as patched:
        patched.setattr(Host, "_is_held", failing)
        with pytest.raises(Unavailable):
            made.fired(order(99))

    assert made.fired(order(1)) == ("any",)


def test_without_the_extension_the_error_says_why() -> None:
    """An interpreter for which durable-rules was not built gives a reason, not a traceback."""
    script = (
        "import sys; sys.modules['durable_rules_engine'] = None\n"
        "from rules.host import Host\n"
        "from schemas.errors import Unavailable\n"
        "try: Host('x', [])\n"
        "except Unavailable as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    assert "durable-rules: its C extension cannot be imported" in done.stdout
    assert "Python 3.11 or 3.12" in done.stdout
