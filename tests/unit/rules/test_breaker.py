"""A breaker's life, one promise at a time; `tests/property/test_breaker.py` has the laws."""

from __future__ import annotations

import pytest

from rules.breaker import (
    CLOSED_BREAKER,
    MOVES,
    Breaker,
    Position,
    _moved,
    advance,
    due,
    resolve,
)
from rules.live import LiveRule
from rules.verdict import Verdict
from schemas.actions import action_id
from schemas.errors import Refused
from tests.unit.rules.facts import live

BREACH, OK, INSUFFICIENT = Verdict.BREACH, Verdict.OK, Verdict.INSUFFICIENT
AT = 1_000_000
ALERT = live()
LATCH = live(action="revert_to_l3")
PATIENT = live(**{"for": "2s"}, keepFiringFor="3s")


def judged(
    breaker: Breaker, verdict: Verdict, *, at: int, by: LiveRule, recovery: Verdict | None = None
) -> tuple[Breaker, bool]:
    """Return the breaker after *verdict*, recovery following from it unless said otherwise."""
    if recovery is None:
        recovery = by.recovery([], verdict)
    return advance(breaker, verdict, recovery, at=at, live=by, scope="*")


def after(by: LiveRule, *verdicts: tuple[int, Verdict]) -> Breaker:
    """Return a closed breaker after *verdicts*, each some ms after `AT`."""
    breaker = CLOSED_BREAKER
    for offset, verdict in verdicts:
        breaker, _ = judged(breaker, verdict, at=AT + offset, by=by)
    return breaker


@pytest.mark.parametrize("verdict", [OK, INSUFFICIENT])
def test_only_a_breach_trips(verdict: Verdict) -> None:
    """A closed breaker stays closed while all is well, and while nobody knows."""
    assert judged(CLOSED_BREAKER, verdict, at=AT, by=ALERT) == (CLOSED_BREAKER, False)


def test_a_breach_opens_at_once_and_names_its_moment() -> None:
    """Without `for` a breach trips at its T, which is in the id of the action."""
    breaker, tripped = judged(CLOSED_BREAKER, BREACH, at=AT, by=LATCH)

    assert tripped
    assert breaker.position is Position.OPEN
    assert (breaker.since, breaker.opened_at) == (AT, AT)
    assert breaker.action_id == action_id("High Error Rate", 1, "*", AT, "revert_to_l3")


def test_a_breach_that_lasts_trips_once() -> None:
    """An open breaker publishes nothing more, however long the breach lasts."""
    breaker = after(ALERT, (0, BREACH))

    assert judged(breaker, BREACH, at=AT + 100, by=ALERT) == (breaker, False)


def test_for_makes_a_breach_wait() -> None:
    """With `for: 2s` the breaker opens when the breach is two seconds old, not before."""
    pending = after(PATIENT, (0, BREACH))

    assert pending.position is Position.PENDING
    assert due(pending, PATIENT) == AT + 2_000
    assert judged(pending, BREACH, at=AT + 1_900, by=PATIENT) == (pending, False)
    opened, tripped = judged(pending, BREACH, at=AT + 2_000, by=PATIENT)
    assert (opened.position, opened.opened_at, tripped) == (Position.OPEN, AT + 2_000, True)


def test_a_breach_that_ends_in_time_is_forgotten() -> None:
    """One ok verdict within `for` closes the breaker as if nothing had been."""
    assert after(PATIENT, (0, BREACH), (1_900, OK)) is CLOSED_BREAKER


def test_missing_data_neither_advances_nor_resets_a_breach() -> None:
    """Time without data does not count towards `for`, and what had passed stays."""
    #      AT          +1s                      +9s        +10s
    #      breach ──── insufficient ─────────── breach ─── trips
    waiting = after(PATIENT, (0, BREACH), (1_000, INSUFFICIENT))
    assert (waiting.progress, due(waiting, PATIENT)) == (1_000, None)
    again, tripped = judged(waiting, BREACH, at=AT + 9_000, by=PATIENT)
    assert (tripped, due(again, PATIENT)) == (False, AT + 10_000)

    opened, tripped = judged(again, BREACH, at=AT + 10_000, by=PATIENT)

    assert (opened.position, tripped) == (Position.OPEN, True)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_latched_breaker_waits_for_people(verdict: Verdict) -> None:
    """No verdict closes a breaker whose action lowered autonomy."""
    breaker = after(LATCH, (0, BREACH))

    assert judged(breaker, verdict, at=AT + 100, by=LATCH) == (breaker, False)


def test_a_latch_outlives_the_rule_that_set_it() -> None:
    """Making the rule alert-only while its breaker is open does not open the latch."""
    breaker = after(LATCH, (0, BREACH))

    assert judged(breaker, OK, at=AT + 100, by=ALERT) == (breaker, False)


def test_an_alert_closes_when_it_is_over() -> None:
    """Without `keepFiringFor` the first ok verdict closes an alert, and missing data does not."""
    breaker = after(ALERT, (0, BREACH), (100, INSUFFICIENT))
    assert breaker.position is Position.OPEN

    assert judged(breaker, OK, at=AT + 200, by=ALERT) == (CLOSED_BREAKER, False)


def test_keep_firing_for_makes_recovery_wait() -> None:
    """With `keepFiringFor: 3s` the alert closes when recovery is three seconds old."""
    recovering = after(PATIENT, (0, BREACH), (2_000, BREACH), (5_000, OK))

    assert (recovering.position, due(recovering, PATIENT)) == (Position.RECOVERING, AT + 8_000)
    assert judged(recovering, OK, at=AT + 7_900, by=PATIENT) == (recovering, False)
    assert judged(recovering, OK, at=AT + 8_000, by=PATIENT) == (CLOSED_BREAKER, False)


def test_a_relapse_reopens_the_same_trip() -> None:
    """A breach while recovering is no new trip: people see one event, not two."""
    recovering = after(PATIENT, (0, BREACH), (2_000, BREACH), (5_000, OK))

    opened, tripped = judged(recovering, BREACH, at=AT + 6_000, by=PATIENT)

    assert (opened.position, tripped) == (Position.OPEN, False)
    assert (opened.action_id, opened.opened_at) == (recovering.action_id, AT + 2_000)


def test_missing_data_does_not_end_a_recovery() -> None:
    """While data is missing the alert stays; it closes once recovery is seen to hold."""
    recovering = after(PATIENT, (0, BREACH), (2_000, BREACH), (5_000, OK), (6_000, INSUFFICIENT))
    assert (recovering.position, due(recovering, PATIENT)) == (Position.RECOVERING, None)

    silent, _ = judged(recovering, INSUFFICIENT, at=AT + 60_000, by=PATIENT)
    assert silent == recovering
    assert judged(silent, OK, at=AT + 60_100, by=PATIENT) == (CLOSED_BREAKER, False)


def test_a_recovery_seen_again_in_time_still_waits() -> None:
    """Data that comes back before `keepFiringFor` is over does not close the alert early."""
    recovering = after(
        PATIENT, (0, BREACH), (2_000, BREACH), (5_000, OK), (6_000, INSUFFICIENT), (7_000, OK)
    )

    assert (recovering.position, due(recovering, PATIENT)) == (Position.RECOVERING, AT + 8_000)


def test_recovery_may_need_more_than_ok() -> None:
    """Between the two thresholds of `recoverWhen` an alert stays open, or opens again."""
    opened = after(PATIENT, (0, BREACH), (2_000, BREACH))
    between, _ = judged(opened, OK, at=AT + 3_000, by=PATIENT, recovery=OK)
    recovering, _ = judged(between, OK, at=AT + 4_000, by=PATIENT, recovery=BREACH)
    back, _ = judged(recovering, OK, at=AT + 5_000, by=PATIENT, recovery=OK)

    positions = [b.position for b in (between, recovering, back)]
    assert positions == [Position.OPEN, Position.RECOVERING, Position.OPEN]


def test_a_breach_wins_over_a_recovery_that_overlaps_it() -> None:
    """A careless `recoverWhen` that holds inside the breach cannot make a breaker flap."""
    opened = after(ALERT, (0, BREACH))

    assert judged(opened, BREACH, at=AT + 100, by=ALERT, recovery=BREACH) == (opened, False)


@pytest.mark.parametrize("by", [ALERT, LATCH])
def test_people_close_any_breaker_that_has_tripped(by: LiveRule) -> None:
    """Resolving gives a clean slate, after which the same rule may trip again."""
    closed = resolve(after(by, (0, BREACH)), at=AT + 500)

    again, tripped = judged(closed, BREACH, at=AT + 500, by=by)

    assert closed is CLOSED_BREAKER
    assert (tripped, again.opened_at) == (True, AT + 500)


@pytest.mark.parametrize("breaker", [CLOSED_BREAKER, after(PATIENT, (0, BREACH))])
def test_there_is_nothing_to_resolve_before_the_trip(breaker: Breaker) -> None:
    """Closed and pending breakers have no trip, and say so."""
    with pytest.raises(Refused, match="no trip to resolve"):
        resolve(breaker, at=AT + 500)


def test_time_does_not_run_backwards() -> None:
    """A verdict from before the present position is a fault of the caller, and is refused."""
    with pytest.raises(Refused, match="cannot be judged"):
        judged(after(ALERT, (0, BREACH)), OK, at=AT - 100, by=ALERT)


@pytest.mark.parametrize("before", list(Position))
@pytest.mark.parametrize("to", list(Position))
def test_moves_that_are_not_in_the_table_are_refused(before: Position, to: Position) -> None:
    """The table is the law: the code cannot move a breaker in any other way."""
    if to in MOVES[before]:
        assert _moved(Breaker(before), Breaker(to)).position is to
    else:
        with pytest.raises(Refused, match="cannot go"):
            _moved(Breaker(before), Breaker(to))


def test_the_next_move_falls_on_a_step() -> None:
    """Decisions fall on multiples of 100 ms, so a deadline between two is the later one."""
    pending = Breaker(Position.PENDING, since=AT, breaching_since=AT + 30, progress=0)

    assert due(pending, PATIENT) == AT + 2_100


def test_a_closed_or_latched_breaker_is_never_due() -> None:
    """Time alone moves neither, so judges need not come back for them."""
    assert due(CLOSED_BREAKER, PATIENT) is None
    assert due(after(LATCH, (0, BREACH)), LATCH) is None


def test_a_stronger_rule_acts_on_the_breach_that_stands() -> None:
    """An alert is open when its rule is made to revert: the next verdict of breach trips anew."""
    stronger = live(action="revert_to_l3")
    alert = after(ALERT, (0, BREACH))
    acted, tripped = judged(alert, BREACH, at=AT + 500, by=stronger)

    assert tripped
    assert (acted.position, acted.opened_at, acted.latched) == (Position.OPEN, AT + 500, True)
    assert acted.action_id == action_id("High Error Rate", 1, "*", AT + 500, "revert_to_l3")
    assert judged(acted, BREACH, at=AT + 600, by=stronger) == (acted, False)


@pytest.mark.parametrize("verdict", [OK, INSUFFICIENT])
def test_a_stronger_rule_does_nothing_without_a_breach(verdict: Verdict) -> None:
    """What is over or not known lowers nothing; a pause that is open stays so."""
    typed = {"groupBy": "commandType"}
    paused = after(live(action="pause_command_type", **typed), (0, BREACH))
    stronger = live(action="revert_to_l3", **typed)

    assert judged(paused, verdict, at=AT + 500, by=stronger) == (paused, False)
    assert judged(paused, BREACH, at=AT + 600, by=stronger)[1]


def test_a_stronger_rule_waits_for_its_own_for() -> None:
    """Its time runs from when it is in force, stands while nobody knows, and ok begins it anew."""
    stronger = live(action="revert_to_l3", **{"for": "2s"})
    waiting, tripped = judged(after(ALERT, (0, BREACH)), BREACH, at=AT + 500, by=stronger)
    assert (tripped, due(waiting, stronger)) == (False, AT + 2_500)
    blind, _ = judged(waiting, INSUFFICIENT, at=AT + 1_500, by=stronger)
    assert (blind.progress, due(blind, stronger)) == (1_000, None)
    again, _ = judged(blind, BREACH, at=AT + 5_000, by=stronger)
    assert judged(again, BREACH, at=AT + 5_900, by=stronger) == (again, False)
    assert judged(again, BREACH, at=AT + 6_000, by=stronger)[1]
    assert judged(again, OK, at=AT + 5_900, by=stronger) == (CLOSED_BREAKER, False)
    weaker, tripped = judged(again, BREACH, at=AT + 6_000, by=ALERT)
    assert (weaker.breaching_since, weaker.progress, tripped) == (None, 0, False)


def test_a_trip_whose_action_nobody_noted_is_exceeded_only_if_it_was_an_alert() -> None:
    """Older versions noted only whether it latched: a latched trip may have been a revert."""
    alert, latched = (Breaker(Position.OPEN, action_id="a", opened_at=AT, latched=latch)
                      for latch in (False, True))  # fmt: skip

    assert alert.is_exceeded_by(LATCH)
    assert not alert.is_exceeded_by(ALERT)
    assert not latched.is_exceeded_by(LATCH)
