"""durable-rules, confined: the only module that knows it.

It is a good engine over a handful of facts and a dangerous one beyond: it starts threads, reads
the clock, swallows exceptions, hangs at 513 conditions, crashes on empty batches, reads beyond
its memory when a fact is compared with another, and holds a string to exceed any number. So:

- one ruleset, fixed when the host is made; one session; one caller at a time, and no thread;
- facts are short strings and integers that were checked here; they are asserted, and retracted
  when the answer is known;
- a rule looks at one fact (which brings its thresholds along) and only records that it fired.

Whoever uses it keeps a reference in plain Python beside it, and a property test that compares
the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from schemas.errors import Refused, Unavailable

MAX_RULES: Final = 64
"""Rules that may fire on one fact; with more, durable-rules evaluates none (error 303)."""

MAX_FACTS: Final = 100
"""Facts of one question; ids are compared by a 32-bit hash, so few must live at a time."""

MAX_NUMBER: Final = 2**53
MAX_TEXT: Final = 64

Fact = Mapping[str, str | int]
"""One fact; ``kind`` says of what. Two facts of a question differ in kind."""

_FIELD: Final = re.compile(r"[a-z][A-Za-z]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Inference:
    """One rule of the engine: it fires when a fact of ``kind`` meets all of ``tests``."""

    name: str
    kind: str
    tests: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True)
class Is:
    """The field has this value."""

    field: str
    value: str | int

    def pattern(self) -> dict[str, Any]:
        """Return the test as durable-rules writes it."""
        return {self.field: self.value}


@dataclass(frozen=True, slots=True)
class IsNot:
    """The field has another value than this."""

    field: str
    value: str | int

    def pattern(self) -> dict[str, Any]:
        """Return the test as durable-rules writes it."""
        return {"$neq": {self.field: self.value}}


@dataclass(frozen=True, slots=True)
class Reaches:
    """The number in ``field`` is at least the one in ``limit``, a field of the same fact."""

    field: str
    limit: str

    def pattern(self) -> dict[str, Any]:
        """Return the test as durable-rules writes it; ``$m`` is the fact itself."""
        return {"$gte": {self.field: {"$m": self.limit}}}


Test = Is | IsNot | Reaches


class Host:
    """A fixed set of inferences; ask `fired` as often as you like, from any one thread."""

    def __init__(self, name: str, inferences: Sequence[Inference]) -> None:
        """Register *inferences*; those that come first fire first.

        Raises:
            Unavailable: durable-rules cannot be imported; says why.
            Refused: more inferences than durable-rules can fire on one fact.
        """
        if len(inferences) > MAX_RULES:
            raise Refused(f"{len(inferences)} inferences are more than {MAX_RULES}")
        self._name = name
        self._inferences = tuple(inferences)
        self._fired: list[str] = []
        self._lock = Lock()
        self._engine = self._started()

    def fired(self, *facts: Fact) -> tuple[str, ...]:
        """Return the names of the inferences that *facts* make fire, in order of priority.

        Nothing of the facts stays behind.

        Raises:
            Refused: a fact holds what durable-rules cannot be trusted with.
            Unavailable: durable-rules failed; the host has a fresh one for the next question.
        """
        checked = [_checked(fact) for fact in facts]
        if len(checked) > MAX_FACTS or len({fact["id"] for fact in checked}) < len(checked):
            raise Refused(f"a question holds at most {MAX_FACTS} facts, each of another kind")
        with self._lock:
            try:
                return self._asked(checked)
            except Exception as error:
                # Facts may have stayed behind: never ask this one again.
                self._engine = self._started()
                raise Unavailable(self._name, f"durable-rules failed: {error}") from error

    def _asked(self, facts: Sequence[dict[str, str | int]]) -> tuple[str, ...]:
        """Assert *facts*, take note of what fires, and retract them."""
        self._fired.clear()
        held = [fact for fact in facts if self._is_held(fact)]
        answer = tuple(self._fired)
        for fact in reversed(held):
            self._engine.retract_fact(self._name, fact)
        self._check()
        return answer

    def _is_held(self, fact: dict[str, str | int]) -> bool:
        """Assert a fact; return whether it is kept, which one that matches nothing is not."""
        try:
            self._engine.assert_fact(self._name, fact)
        except _durable().MessageNotHandledException:
            return False
        return True

    def _check(self) -> None:
        """Raise what durable-rules swallowed: an exception in a rule ends in its state."""
        swallowed = self._engine.get_state(self._name).get("exception")
        if swallowed is not None:
            raise RuntimeError(swallowed)

    def _started(self) -> Any:
        """Return a host of durable-rules with the inferences registered."""
        definition = {
            inference.name: {
                "all": [{"fact": _pattern(inference)}],
                "pri": priority,
                "run": self._noting(inference.name),
            }
            for priority, inference in enumerate(self._inferences)
        }
        return _synchronous(_durable())({self._name: definition})

    def _noting(self, name: str) -> Callable[[Any], None]:
        """Return the action of a rule: it takes note that the rule fired, and does no more."""

        def run(closure: Any) -> None:  # durable-rules counts the parameters
            self._fired.append(name)

        return run


def _pattern(inference: Inference) -> dict[str, Any]:
    """Return what a fact must look like for *inference* to fire."""
    return {"$and": [{"kind": inference.kind}, *(test.pattern() for test in inference.tests)]}


def _durable() -> Any:
    """Return the engine module of durable-rules.

    Raises:
        Unavailable: it cannot be imported; says why.
    """
    try:
        from durable import engine
    except ImportError as error:
        raise Unavailable(
            "durable-rules",
            f"its C extension cannot be imported: {error}; it needs Python 3.11 or 3.12, and a C "
            "compiler when it is installed",
        ) from error
    # It stamps each firing with the wall clock to end those that take long. Ours take no time,
    # and a decision reads no clock.
    engine._unix_now = _no_clock
    return engine


def _no_clock() -> float:
    """Return the same moment, always."""
    return 0.0


def _synchronous(engine: Any) -> Any:
    """Return the host class of durable-rules without its threads."""
    return type("SynchronousHost", (engine.Host,), {"_run": lambda self: None})


def _checked(fact: Fact) -> dict[str, str | int]:
    """Return *fact* with its id.

    Raises:
        Refused: a field is neither a short plain string nor an integer that a float holds.
    """
    for field, value in fact.items():
        if not _FIELD.fullmatch(field) or not _is_safe(value):
            raise Refused(f"{field} = {value!r:.80} cannot be a fact")
    if not isinstance(fact.get("kind"), str):
        raise Refused("a fact says of what kind it is")
    return {**fact, "id": fact["kind"]}


def _is_safe(value: object) -> bool:
    """Return whether durable-rules reads *value* as what it is."""
    if isinstance(value, str):
        return len(value) <= MAX_TEXT and value.isascii() and value.isprintable()
    return type(value) is int and -MAX_NUMBER <= value <= MAX_NUMBER
