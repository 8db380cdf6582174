"""Judge: what people's resolutions do, and what an action says of its trip."""

from __future__ import annotations

import pytest

from schemas.tallies import SAMPLES, STEP
from schemas.wire import to_ms
from streams.judge import Judge, Resolution
from tests.unit.streams.facts import DAY, HOUR, MINUTE, SECOND, actions, cut, entry, row
from tests.unit.streams.judging import ERRORS, FIRST, begun, failing, see, trips

# -------------------------------------------------------------------------------- resolutions


def tripped() -> tuple[Judge, Resolution]:
    """Return a judge with an open latched breaker, and its resolution a second later."""
    state = begun(entry(**ERRORS, action="revert_to_l3"))
    action = actions(see(state, failing(FIRST, ids=["a", "b", "c"])))[0]
    return state, Resolution(action.id, "High Error Rate", "*", FIRST + SECOND)


def test_a_latched_breaker_stays_open_until_people_resolve_it() -> None:
    """Neither silence nor further failures trip it again."""
    state, _ = tripped()
    silence = see(state, cut(FIRST + STEP, upto=FIRST + HOUR))
    assert silence + see(state, failing(FIRST + HOUR)) == []


def test_after_a_resolution_only_new_events_count() -> None:
    """Two old failures and two new ones are no breach; a third new one is, and shows only those."""
    state, resolution = tripped()
    state.learn(resolutions=[resolution])
    see(state, cut(FIRST + STEP, upto=FIRST + SECOND))
    at = FIRST + SECOND
    assert see(state, failing(at, 2, ids=["d", "e"])) == []
    found = see(state, failing(at + STEP, 1, ids=["f"]))
    assert trips(found) == [SECOND + 2 * STEP]
    evidence = actions(found)[0].evidence
    assert evidence.command_ids == ["d", "e", "f"]
    assert evidence.resolved_at is not None
    assert to_ms(evidence.resolved_at) == FIRST + SECOND


def test_evidence_leaves_out_what_was_counted_ahead_of_a_resolution() -> None:
    """An event of a later second that came before it neither counts nor is shown."""
    state, resolution = tripped()
    state.learn(resolutions=[resolution])
    early = row(failed=1, at=FIRST + 10 * SECOND, ids=["early"])
    see(state, cut(FIRST + STEP, early, upto=FIRST + SECOND))
    found = see(state, failing(FIRST + SECOND, 3, ids=["d", "e", "f"]))
    evidence = actions(found)[0].evidence
    assert [reading.value for reading in evidence.readings] == [3]
    assert evidence.command_ids == ["d", "e", "f"]


@pytest.mark.parametrize("window", ["5s", "30m", "3d"])
def test_a_resolution_holds_when_the_window_changes(window: str) -> None:
    """What came before it does not count in a longer or a finer window either."""
    state, resolution = tripped()
    fields = {"condition": "failures >= 2", "window": window, "action": "revert_to_l3"}
    state.learn([entry(2, since=FIRST + 2 * SECOND, **fields)], [resolution])
    see(state, cut(FIRST + STEP, upto=FIRST + SECOND), failing(FIRST + SECOND, 1))
    assert see(state, cut(FIRST + SECOND + STEP, upto=FIRST + 3 * SECOND)) == []
    assert trips(see(state, failing(FIRST + 3 * SECOND, 1))) == [3 * SECOND + STEP]


def test_a_rule_that_comes_back_knows_of_no_resolution() -> None:
    """Disabled and enabled again it counts everything in its window, as a new rule would."""
    state, resolution = tripped()
    fields = {**ERRORS, "action": "revert_to_l3"}
    off = entry(2, since=FIRST + 2 * SECOND, **(fields | {"enabled": False}))
    state.learn([off, entry(3, since=FIRST + MINUTE // 2, **fields)], [resolution])
    assert trips(see(state, cut(FIRST + STEP, upto=FIRST + MINUTE))) == [MINUTE // 2]


def test_a_resolution_of_another_trip_changes_nothing() -> None:
    """Only the trip that it names is closed by it."""
    state, resolution = tripped()
    state.learn(resolutions=[Resolution("other", "High Error Rate", "*", FIRST + SECOND)])
    see(state, cut(FIRST + STEP, upto=FIRST + HOUR))
    assert state.scopes["*"].breaker(resolution.rule).action_id == resolution.action_id


def test_a_resolution_heard_of_too_late_waits_until_that_is_stored() -> None:
    """It counts from the next T, the same for whoever takes over."""
    state, resolution = tripped()
    see(state, cut(FIRST + STEP, upto=FIRST + 2 * SECOND))
    state.learn(resolutions=[resolution])
    see(state, cut(FIRST + 2 * SECOND, upto=FIRST + 3 * SECOND))
    assert state.scopes["*"].breakers
    delta = state.delta()
    assert delta is not None
    assert delta.late == {f"resolution/{resolution.action_id}": FIRST + 2 * SECOND + STEP}
    state.stored(delta, 0)
    state.advance()
    assert not state.scopes["*"].breakers


def test_a_rule_made_stronger_acts_on_the_breach_that_stands() -> None:
    """At the T from which it is in force, with its version in the id; resolving both works."""
    state = begun(entry(**ERRORS))
    alert = actions(see(state, failing(FIRST)))[0]
    state.learn([entry(2, since=FIRST + SECOND, **ERRORS, action="revert_to_l3")])
    found = actions(see(state, cut(FIRST + STEP, upto=FIRST + 2 * SECOND)))
    assert [(one.action, one.rule_version, to_ms(one.decided_at)) for one in found] == [
        ("revert_to_l3", 2, FIRST + SECOND)
    ]
    assert found[0].id != alert.id
    old, new = (
        Resolution(one.id, "High Error Rate", "*", at)
        for one, at in ((alert, FIRST + 3 * SECOND), (found[0], FIRST + 4 * SECOND))
    )
    state.learn(resolutions=[old])
    assert see(state, cut(FIRST + 2 * SECOND, upto=FIRST + 3 * SECOND)) == []
    assert state.scopes["*"].breaker("High Error Rate").action_id == found[0].id
    state.learn(resolutions=[new])
    see(state, cut(FIRST + 3 * SECOND, upto=FIRST + 4 * SECOND))
    assert not state.scopes["*"].breakers


def test_a_rule_made_stronger_after_the_breach_does_nothing() -> None:
    """The failures have left the window: the alert has closed, and nothing is lowered."""
    state = begun(entry(**ERRORS))
    see(state, failing(FIRST))
    state.learn([entry(2, since=FIRST + 2 * MINUTE, **ERRORS, action="revert_to_l3")])
    assert see(state, cut(FIRST + STEP, upto=FIRST + 3 * MINUTE)) == []


# ----------------------------------------------------------------------------------- evidence


def test_evidence_shows_the_newest_failures_and_where_they_lie() -> None:
    """At most 20 ids, oldest first, and offsets that cover the window."""
    state = begun(entry(**ERRORS))
    ids = [f"c{number}" for number in range(30)]
    found = see(
        state,
        cut(FIRST, row(failed=2, ids=ids[:15]), offset=20),
        cut(FIRST + STEP, row(failed=2, ids=ids[15:]), offset=40),
    )
    evidence = actions(found)[0].evidence
    assert evidence.command_ids == ids[-SAMPLES:]
    assert [(one.topic, one.partition, one.from_, one.upto) for one in evidence.log] == [
        ("command-events", 0, 0, 40)
    ]


def test_an_action_shows_the_epoch_in_force() -> None:
    """The greatest that has begun at T, None before the first."""
    state = begun(entry(**ERRORS))
    state.learn(epochs=[(7, FIRST + MINUTE), (8, FIRST + 2 * MINUTE), (9, FIRST + DAY)])
    found = see(state, failing(FIRST), cut(FIRST + STEP, upto=FIRST + HOUR))
    found += see(state, failing(FIRST + HOUR))
    assert [action.epoch for action in actions(found)] == [None, 8]


@pytest.mark.parametrize(
    ("group", "key", "scope", "kind"),
    [
        ("overall", "*", "*", None),
        ("commandType", "commandType=SET=1", "SET=1", "SET=1"),
        ("labels.site", "labels.site=zug", "site=zug", None),
    ],
)
def test_an_action_names_its_scope_as_people_read_it(
    group: str, key: str, scope: str, kind: str | None
) -> None:
    """Everything, a command type, or a label and its value; the key stays beside it."""
    state = begun(entry(**ERRORS, groupBy=group))
    [action] = actions(see(state, failing(FIRST, scope=key)))
    assert (action.scope_key, action.scope, action.command_type) == (key, scope, kind)


def test_actions_of_one_moment_come_in_the_order_of_scopes() -> None:
    """The topic is total: who reads it twice reads the same order."""
    state = begun(entry(**ERRORS, groupBy="commandType"))
    rows = [row(f"commandType={name}", failed=3) for name in ("b", "c", "a")]
    found = actions(see(state, cut(FIRST, *rows)))
    assert [action.scope for action in found] == ["a", "b", "c"]
