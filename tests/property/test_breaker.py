"""Laws of the breaker, against a model that keeps the whole past and walks every step of it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rules.breaker import CLOSED_BREAKER, MOVES, Breaker, Position, advance, due, resolve
from rules.live import LiveRule
from rules.verdict import Verdict
from schemas.tallies import STEP
from tests.unit.rules.facts import live

BREACH, OK, INSUFFICIENT = Verdict.BREACH, Verdict.OK, Verdict.INSUFFICIENT
START = 1_000_000
RULES = [
    live(action=action, **{"for": wait}, keepFiringFor=keep, groupBy="commandType")
    for action in ("alert_only", "revert_to_l3", "pause_command_type")
    for wait in ("0s", "1s", "2s")
    for keep in ("0s", "1s", "3s")
]
STRONGER = ["alert_only", "pause_command_type", "revert_to_l3"]
Seen = tuple[Verdict, Verdict]
"""A verdict, and what the condition of recovery says."""

SEEN = st.tuples(st.sampled_from(Verdict), st.sampled_from(Verdict))


class Model:
    """A breaker by the book: one list of what was seen at every step, and no arithmetic on it."""

    def __init__(self, by: LiveRule) -> None:
        self.by = by
        self.past: list[Seen] = []
        self.trips: list[int] = []
        self.is_open = False
        self.pending: list[Verdict] = []
        self.recovering: list[Seen] | None = None
        self.acted = by.rule.action
        self.urged: list[Verdict] = []

    def see(self, verdict: Verdict, recovery: Verdict, at: int) -> None:
        """Live through one step."""
        if self.is_open:
            self._while_open(verdict, recovery)
            self._while_exceeded(verdict, at)
        else:
            self._while_closed(verdict, at)

    def _while_closed(self, verdict: Verdict, at: int) -> None:
        """Trip once as many steps of breach lie behind as `for` has, and it is a breach."""
        if verdict is OK:
            self.pending = []
        elif verdict is BREACH and self.pending.count(BREACH) * STEP >= self.by.for_:
            self.trips.append(at)
            self.is_open, self.pending, self.acted = True, [], self.by.rule.action
        elif verdict is BREACH or self.pending:
            self.pending.append(verdict)

    def _while_open(self, verdict: Verdict, recovery: Verdict) -> None:
        """Close once recovery began as many steps ago as `keepFiringFor` has, and holds."""
        if self.acted.latches:
            return
        if verdict is BREACH or (recovery is OK):
            self.recovering = None
        elif recovery is BREACH:
            self.recovering = self.recovering or []
            if len(self.recovering) * STEP >= self.by.keep_firing_for:
                self.is_open, self.recovering = False, None
        if self.recovering is not None:
            self.recovering.append((verdict, recovery))

    def _while_exceeded(self, verdict: Verdict, at: int) -> None:
        """Trip anew once as many steps of breach as `for` has lie behind a stronger action."""
        is_open = self.is_open and self.recovering is None
        if (
            not is_open
            or verdict is OK
            or STRONGER.index(self.by.rule.action) <= STRONGER.index(self.acted)
        ):
            self.urged = []
        elif verdict is BREACH and self.urged.count(BREACH) * STEP >= self.by.for_:
            self.trips.append(at)
            self.acted, self.urged = self.by.rule.action, []
        elif verdict is BREACH or self.urged:
            self.urged.append(verdict)

    @property
    def position(self) -> Position:
        """Where the breaker stands."""
        if self.is_open:
            return Position.OPEN if self.recovering is None else Position.RECOVERING
        return Position.PENDING if self.pending else Position.CLOSED


def stepped(by: LiveRule, seen: list[Seen]) -> list[tuple[Breaker, bool]]:
    """Return the breaker after every step."""
    breaker, states = CLOSED_BREAKER, []
    for number, (verdict, recovery) in enumerate(seen):
        at = START + number * STEP
        breaker, tripped = advance(breaker, verdict, recovery, at=at, live=by, scope="*")
        states.append((breaker, tripped))
    return states


def runs(seen: list[tuple[Seen, int]]) -> list[Seen]:
    """Return what was seen at every step from runs of the same."""
    return [one for one, length in seen for _ in range(length)]


RUNS = st.lists(st.tuples(SEEN, st.integers(1, 25)), max_size=12)


@settings(max_examples=1_500, deadline=None)
@given(by=st.sampled_from(RULES), seen=RUNS)
def test_a_breaker_does_what_the_book_says(by: LiveRule, seen: list[tuple[Seen, int]]) -> None:
    """At every step of every history, position and trips are those of the brute-force model."""
    model = Model(by)
    for number, ((verdict, recovery), (breaker, tripped)) in enumerate(
        zip(runs(seen), stepped(by, runs(seen)), strict=True)
    ):
        at = START + number * STEP
        model.see(verdict, recovery, at)
        assert (breaker.position, tripped) == (model.position, at in model.trips)


VERSIONS = st.lists(st.tuples(st.sampled_from(RULES), RUNS), min_size=1, max_size=4)


@settings(max_examples=1_500, deadline=None)
@given(versions=VERSIONS)
def test_a_rule_that_changes_does_what_the_book_says(
    versions: list[tuple[LiveRule, list[tuple[Seen, int]]]],
) -> None:
    """So it is while versions follow each other; and coming back only when due is enough."""
    model, at = Model(versions[0][0]), START
    breaker = lazy = CLOSED_BREAKER
    for by, history in versions:
        model.by = by
        before, deadline = None, None
        for one in runs(history):
            at += STEP
            model.see(*one, at)
            breaker, tripped = advance(breaker, *one, at=at, live=by, scope="*")
            assert (breaker.position, tripped) == (model.position, at in model.trips)
            if one != before or (deadline is not None and deadline <= at):
                lazy, _ = advance(lazy, *one, at=at, live=by, scope="*")
                before, deadline = one, due(lazy, by)
            assert lazy == breaker


@settings(max_examples=1_500, deadline=None)
@given(by=st.sampled_from(RULES), seen=RUNS)
def test_judging_only_when_something_changes_is_enough(
    by: LiveRule, seen: list[tuple[Seen, int]]
) -> None:
    """Coming back at changes and at `due` gives the same breaker as coming back every step."""
    everything = runs(seen)
    breaker, before, deadline = CLOSED_BREAKER, None, None
    for number, (one, expected) in enumerate(zip(everything, stepped(by, everything), strict=True)):
        at = START + number * STEP
        if one != before or (deadline is not None and deadline <= at):
            breaker, _ = advance(breaker, *one, at=at, live=by, scope="*")
            before, deadline = one, due(breaker, by)
        assert breaker == expected[0]


@settings(max_examples=500, deadline=None)
@given(by=st.sampled_from(RULES), seen=RUNS)
def test_only_legal_moves_happen(by: LiveRule, seen: list[tuple[Seen, int]]) -> None:
    """From one step to the next a breaker stays, or moves as the table allows."""
    positions = [Position.CLOSED, *(b.position for b, _ in stepped(by, runs(seen)))]

    assert all(to is frm or to in MOVES[frm] for frm, to in pairwise(positions))


@settings(max_examples=500, deadline=None)
@given(by=st.sampled_from(RULES), seen=RUNS)
def test_missing_data_never_moves_a_breaker(by: LiveRule, seen: list[tuple[Seen, int]]) -> None:
    """A step on which nothing is known leaves the breaker where it stood."""
    everything = runs(seen)
    states = [CLOSED_BREAKER, *(b for b, _ in stepped(by, everything))]

    for (frm, to), one in zip(pairwise(states), everything, strict=True):
        if one == (INSUFFICIENT, INSUFFICIENT):
            assert to.position is frm.position


class Life(RuleBasedStateMachine):
    """Verdicts, silence, resolutions and new versions of the rule, in any order."""

    @initialize(by=st.sampled_from(RULES))
    def begin(self, by: LiveRule) -> None:
        """Start with a closed breaker."""
        self.by, self.at = by, START
        self.breaker = self.before = CLOSED_BREAKER
        self.trips: list[str] = []

    @rule(seen=SEEN, steps=st.integers(1, 40))
    def judge(self, seen: Seen, steps: int) -> None:
        """Some steps later, something is seen."""
        self.at += steps * STEP
        self.before = self.breaker
        self.breaker, tripped = advance(
            self.breaker, *seen, at=self.at, live=self.by, scope="commandType=SET_POWER"
        )
        assert tripped == (
            self.breaker.position is Position.OPEN and self.breaker.opened_at == self.at
        )
        if tripped:
            assert self.breaker.action_id is not None
            self.trips.append(self.breaker.action_id)

    @rule(steps=st.integers(1, 40))
    def resolve(self, steps: int) -> None:
        """People resolve the trip, if there is one."""
        if self.breaker.opened_at is not None:
            self.at += steps * STEP
            self.before, self.breaker = self.breaker, resolve(self.breaker, at=self.at)

    @rule(by=st.sampled_from(RULES))
    def change(self, by: LiveRule) -> None:
        """A new version of the rule comes into force."""
        self.by = by

    @invariant()
    def moves_are_legal(self) -> None:
        """Every move is in the table."""
        frm, to = self.before.position, self.breaker.position
        assert to is frm or to in MOVES[frm]

    @invariant()
    def fields_fit_the_position(self) -> None:
        """A breaker remembers what its position needs, and nothing else."""
        b = self.breaker
        assert (b.action_id is not None) == (b.position in {Position.OPEN, Position.RECOVERING})
        assert (b.opened_at is not None) == (b.action_id is not None)
        assert b.breaching_since is None or b.position in {Position.PENDING, Position.OPEN}
        assert (b.action is not None) == (b.action_id is not None)
        assert b.recovered_since is None or b.position is Position.RECOVERING
        assert not (b.latched and b.position is Position.RECOVERING)
        assert b.position is not Position.CLOSED or b == CLOSED_BREAKER
        assert b.since <= self.at

    @invariant()
    def trips_have_names_of_their_own(self) -> None:
        """No two trips share an id."""
        assert len(set(self.trips)) == len(self.trips)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
