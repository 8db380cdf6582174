"""Judge: which T are judged, and what rules do at them, told as stories of a few cuts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.tallies import STEP, Column
from streams.batch import Batch, Gap
from streams.merge import Hole
from tests.unit.streams.facts import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    actions,
    batch,
    cut,
    entry,
    row,
    tallies,
)
from tests.unit.streams.judging import ERRORS, FIRST, begun, failing, judge, see, trips

# -------------------------------------------------------------------------------- when T comes


def test_nothing_is_judged_until_every_partition_has_spoken() -> None:
    """With one of two source partitions silent there is no frontier and no action."""
    state = judge(entry(**ERRORS), sources=2)
    assert see(state, failing(NOON), cut(NOON + STEP)) == []
    assert (state.frontier, state.first) == (None, None)


def test_the_slowest_partition_is_the_frontier() -> None:
    """T waits for it, and no longer."""
    state = judge(entry(**ERRORS), sources=2)
    see(state, cut(NOON), cut(NOON + STEP), failing(NOON + 2 * STEP), source=0)
    assert see(state, cut(NOON), source=1) == []
    assert see(state, cut(NOON + STEP), source=1) == []
    assert trips(see(state, cut(NOON + 2 * STEP), source=1)) == [3 * STEP]


def test_the_first_moment_judged_is_after_the_last_partitions_first_cut() -> None:
    """What was counted before it is in the windows, but nothing trips until all partitions see."""
    state = judge(entry(**ERRORS), sources=2)
    see(state, failing(NOON), cut(NOON + STEP, upto=NOON + SECOND))
    found = see(state, cut(NOON + 500, upto=NOON + SECOND), source=1)
    assert trips(found) == [500 + STEP]


def test_the_first_moment_itself_is_not_judged() -> None:
    """What was applied at it trips one step later, when a whole step has been seen."""
    state = judge(entry(**ERRORS), sources=2)
    see(state, failing(FIRST - STEP), cut(FIRST, upto=FIRST + SECOND))
    assert trips(see(state, cut(FIRST, upto=FIRST + SECOND), source=1)) == [STEP]


def test_a_cut_is_judged_at_its_step_however_late_it_is_read() -> None:
    """A backlog read at once trips at the same moments as live traffic."""
    cuts = [cut(FIRST), failing(FIRST + STEP), cut(FIRST + 2 * STEP)]
    live, backlog = begun(entry(**ERRORS)), begun(entry(**ERRORS))
    one_by_one = [output for one in cuts for output in see(live, one)]
    assert one_by_one == see(backlog, *cuts)
    assert trips(one_by_one) == [2 * STEP]


def test_a_hole_in_the_tallies_is_never_judged_over() -> None:
    """A cut that does not begin where the one before it ended stops everything."""
    state = begun(entry(**ERRORS))
    with pytest.raises(Hole, match=r"source partition 0: after cut \d+ came one from \d+"):
        see(state, cut(FIRST + STEP))


@given(repeats=st.lists(st.integers(0, 4), max_size=8))
def test_a_repeated_cut_counts_once(repeats: list[int]) -> None:
    """A worker that was thought dead may publish again what another has published since."""
    cuts = [failing(FIRST + n * STEP, 1) for n in range(5)]
    once, twice = begun(entry(**ERRORS)), begun(entry(**ERRORS))
    found = see(twice, *cuts)
    for number in repeats:
        assert see(twice, *cuts[: number + 1]) == []
    assert found == see(once, *cuts)
    assert twice.scopes["*"].panes.counts(MINUTE)[Column.FAILED] == 5


def test_a_batch_above_the_position_changes_nothing() -> None:
    """The same contract as that of a tally."""
    state = begun(entry(**ERRORS))
    with pytest.raises(Gap, match="ends at 1, what came starts at 5"):
        state.fold(tallies((0, [failing(FIRST)]), start=5))
    assert trips(see(state, failing(FIRST))) == [STEP]


@given(data=st.data())
def test_how_partitions_interleave_makes_no_difference(data: st.DataObject) -> None:
    """The same cuts in any order of arrival give the same actions, byte for byte."""
    sources = {
        p: [failing(FIRST + n * STEP, 1, ids=[f"{p}-{n}-{k}" for k in range(15)]) for n in range(4)]
        for p in (0, 1)
    }
    plain, mixed = judge(entry(**ERRORS), sources=2), judge(entry(**ERRORS), sources=2)
    wanted = [out for p, cuts in sources.items() for out in see(plain, *cuts, source=p)]
    order = data.draw(st.permutations([0] * 4 + [1] * 4))
    found = [out for p in order for out in see(mixed, sources[p].pop(0), source=p)]
    assert [out.value for out in found] == [out.value for out in wanted]
    assert trips(found) == [2 * STEP]


# --------------------------------------------------------------------------------- idle hours


def test_a_breaker_opens_in_the_middle_of_silence() -> None:
    """`for` ends at its moment though no cut does, and though hours are read as one cut."""
    state = begun(entry(**(ERRORS | {"for": "10s"})))
    found = see(state, failing(FIRST), cut(FIRST + STEP, upto=FIRST + 3 * HOUR))
    assert trips(found) == [STEP + 10 * SECOND]
    assert state.at == FIRST + 3 * HOUR


def test_an_alert_ends_when_its_window_has_emptied() -> None:
    """Its breaker closes in silence; the next breach is a trip of its own."""
    state = begun(entry(**ERRORS, recoverWhen="failures < 1"))
    first = see(state, failing(FIRST))
    see(state, cut(FIRST + STEP, upto=FIRST + MINUTE - STEP))
    assert state.scopes["*"].breakers
    see(state, cut(FIRST + MINUTE - STEP, upto=FIRST + HOUR))
    assert not state.scopes["*"].breakers
    second = see(state, failing(FIRST + HOUR))
    assert trips(first + second) == [STEP, HOUR + STEP]
    assert len({action.id for action in actions(first + second)}) == 2


def test_a_week_of_silence_ends_a_scope() -> None:
    """It is forgotten, and a flush says so once."""
    state = begun(entry(**ERRORS))
    see(state, cut(FIRST, row("commandType=FAN", succeeded=1)))
    assert "commandType=FAN" in state.scopes
    see(state, cut(FIRST + STEP, upto=FIRST + 8 * DAY))
    assert not state.scopes
    delta = state.delta()
    assert delta is not None
    assert delta.dropped == ["commandType=FAN"]


def test_a_scope_ends_though_rules_changed_just_before() -> None:
    """Being looked at shortly before its end does not make a silent scope last."""
    state = begun(entry(**ERRORS), entry(2, since=FIRST + 7 * DAY - 30 * SECOND))
    see(state, cut(FIRST, row("commandType=FAN", succeeded=1)))
    see(state, cut(FIRST + STEP, upto=FIRST + 8 * DAY))
    assert not state.scopes


def test_an_open_breaker_keeps_its_scope() -> None:
    """What people have yet to resolve outlasts any silence."""
    state = begun(entry(**ERRORS, action="revert_to_l3"))
    see(state, failing(FIRST), cut(FIRST + STEP, upto=FIRST + 30 * DAY))
    assert state.scopes["*"].breakers


def test_too_many_scopes_cost_the_most_silent_but_no_open_breaker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the limit a tenth goes, the longest silent first; a tripped one stays."""
    monkeypatch.setattr("streams.judge.SCOPES", 10)
    state = begun(entry(**ERRORS, groupBy="commandType"))
    see(state, failing(FIRST, scope="commandType=bad"))
    for number in range(1, 12):
        moment = FIRST + number * STEP
        see(state, cut(moment, row(f"commandType=t{number}", succeeded=1, at=moment)))
    assert len(state.scopes) == 10
    assert "commandType=bad" in state.scopes
    assert state.scopes.keys().isdisjoint({"commandType=t1", "commandType=t2"})


# -------------------------------------------------------------------------------------- rules


def test_a_rule_change_takes_effect_at_its_moment_with_what_was_counted() -> None:
    """The new threshold trips at its T on events from before it, and names its version."""
    lowered = entry(2, since=FIRST + 550, condition="failures >= 2", window="1m")
    state = begun(entry(**ERRORS), lowered)
    found = see(state, failing(FIRST, 2), cut(FIRST + STEP, upto=FIRST + SECOND))
    assert trips(found) == [600]
    assert actions(found)[0].evidence.rule_version == 2


@pytest.mark.parametrize("window", ["10s", "20m", "2d"])
def test_a_new_window_is_full_from_the_start(window: str) -> None:
    """A rule that looks back further than any before it sees all that was counted."""
    state = begun(entry(condition="failures > 99", window="5s"))
    see(state, failing(FIRST, 2), failing(FIRST + STEP, 2))
    state.learn([entry(2, since=FIRST + SECOND, condition="failures == 4", window=window)])
    assert trips(see(state, cut(FIRST + 2 * STEP, upto=FIRST + SECOND))) == [SECOND]


@pytest.mark.parametrize(
    "change", [{"enabled": False}, {"groupBy": "commandType"}], ids=["disabled", "regrouped"]
)
def test_a_rule_that_no_longer_looks_there_drops_its_breaker(change: dict[str, Any]) -> None:
    """Its breakers are gone at T; enabled again, it starts afresh."""
    fields = {**ERRORS, "action": "revert_to_l3"}
    state = begun(entry(**fields), entry(2, since=FIRST + SECOND, **(fields | change)))
    state.learn([entry(3, since=FIRST + 2 * SECOND, **fields)])
    found = see(state, failing(FIRST), cut(FIRST + STEP, upto=FIRST + SECOND))
    assert not state.scopes["*"].breakers
    found += see(state, cut(FIRST + SECOND, upto=FIRST + 3 * SECOND))
    assert trips(found) == [STEP, 2 * SECOND]


def test_a_rule_heard_of_too_late_waits_until_that_is_stored() -> None:
    """Its T has been judged: it takes effect at the next T, once a delta says so."""
    state = begun(entry(**ERRORS))
    see(state, failing(FIRST, 2))
    state.learn([entry(2, since=FIRST, condition="failures >= 2", window="1m")])
    assert see(state, cut(FIRST + STEP, upto=FIRST + SECOND)) == []
    assert state.at == FIRST + STEP

    delta = state.delta()
    assert delta is not None
    assert delta.late == {"High Error Rate@2": FIRST + 2 * STEP}
    assert state.advance() == []
    state.stored(delta, 0)
    assert trips(state.advance()) == [2 * STEP]
    assert state.at == FIRST + SECOND


def test_a_second_late_rule_waits_for_a_delta_of_its_own() -> None:
    """A delta taken before it was heard of does not release it."""
    state = begun(entry(**ERRORS))
    see(state, failing(FIRST, 2))
    state.learn([entry(2, since=FIRST, condition="failures >= 9")])
    delta = state.delta()
    assert delta is not None
    state.learn([entry(3, since=FIRST, condition="failures >= 2")])
    state.stored(delta, 0)
    assert see(state, cut(FIRST + STEP)) == state.advance() == []
    again = state.delta()
    assert again is not None
    state.stored(again, 1)
    assert trips(state.advance()) == [2 * STEP]


def test_no_moment_is_judged_before_its_rules_are_known() -> None:
    """A judge goes as far as it is told that it has heard of everything, and never back."""
    state = begun(entry(**ERRORS))
    state.trust(FIRST)
    assert see(state, failing(FIRST), cut(FIRST + STEP, upto=FIRST + SECOND)) == []
    state.trust(FIRST - HOUR)
    assert (state.advance(), state.at) == ([], FIRST)
    state.trust(FIRST + 5 * STEP)
    assert trips(state.advance()) == [STEP]
    assert (state.at, state.seen) == (FIRST + 5 * STEP, FIRST + SECOND)


# ------------------------------------------------------------------- partitions that are added


def named(sources: int, *, start: int) -> Batch:
    """Return the message that says that there are so many source partitions."""
    return tallies((sources - 1, []), start=start)


def test_a_partition_that_is_named_is_waited_for_from_the_next_moment_on() -> None:
    """What could be judged before is judged without it, whenever it is looked at."""
    state = judge(entry(**ERRORS))
    see(state, cut(FIRST - STEP, upto=FIRST), cut(FIRST))
    state.fold(named(2, start=state.pos))
    assert see(state, failing(FIRST + STEP), cut(FIRST + 2 * STEP)) == []
    assert state.frontier == FIRST + STEP
    assert trips(see(state, cut(FIRST + STEP, upto=FIRST + SECOND), source=1)) == [2 * STEP]


def test_what_a_new_partition_held_before_counts_at_that_moment() -> None:
    """Its events are in their panes, and no moment that was judged without them is judged again."""
    state = judge(entry(**ERRORS))
    see(state, cut(FIRST - STEP, upto=FIRST), cut(FIRST, upto=FIRST + SECOND))
    state.fold(named(2, start=state.pos))
    see(state, cut(FIRST + SECOND, upto=FIRST + 2 * SECOND))
    found = see(state, failing(FIRST), cut(FIRST + STEP, upto=FIRST + 2 * SECOND), source=1)
    assert trips(found) == [SECOND + STEP]


def test_a_partition_joins_where_it_is_named_however_far_a_judge_has_come() -> None:
    """One that lags, as it may not yet know of newer rules, decides as one that does not."""
    outcomes = []
    for lags in (False, True):
        state = judge(entry(**ERRORS))
        state.trust(FIRST + (STEP if lags else 10 * SECOND))
        see(state, cut(FIRST - STEP, upto=FIRST), cut(FIRST, upto=FIRST + SECOND))
        state.fold(named(2, start=state.pos))
        found = see(state, failing(FIRST), cut(FIRST + STEP, upto=FIRST + 3 * SECOND), source=1)
        state.trust(FIRST + 10 * SECOND)
        found += state.advance() + see(state, cut(FIRST + SECOND, upto=FIRST + 2 * SECOND))
        outcomes.append(trips(found))
    assert outcomes == [[SECOND + STEP]] * 2


def test_a_judge_that_begins_waits_for_those_that_the_log_names_first() -> None:
    """Not for those that the topic has by now: whoever began sooner knew of fewer."""
    state = judge(entry(**ERRORS), sources=2)
    state.fold(named(1, start=0))
    see(state, cut(FIRST - STEP, upto=FIRST))
    assert trips(see(state, failing(FIRST))) == [STEP]


# ------------------------------------------------------------------------ what is none of ours


@pytest.mark.parametrize("junk", [b"junk", b"{}", b"\x92\xff\x90", b"\x92\xce\xff\xff\xff\xff\x90"])
def test_a_record_that_no_worker_wrote_changes_nothing(junk: bytes) -> None:
    """Whatever else is in the batch is judged, and the record is named."""
    state = judge(entry(**ERRORS))
    see(state, cut(FIRST - STEP, upto=FIRST))
    start = state.pos
    state.fold(batch([junk], times=NOON, start=start))
    assert trips(see(state, failing(FIRST))) == [STEP]
    [(offset, said)] = state.unreadable
    assert offset == start
    assert said
