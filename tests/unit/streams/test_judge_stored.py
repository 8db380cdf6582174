"""What a judge stores: joined again it goes on as if nothing had happened."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from schemas.tallies import STEP, Cut
from streams.batch import Batch, Gap, Output
from streams.deltas import FROM_THE_BEGINNING, JudgeDelta, decode_judge, encode
from streams.judge import Judge, Resolution
from streams.rulebook import Entry
from tests.unit.streams.facts import HOUR, MINUTE, NOON, SECOND, actions, cut, entry, row, tallies

RULES: Final[list[Entry]] = [
    entry(1, condition="failures >= 3", window="5s", groupBy="commandType"),
    entry(1, name="Latching", condition="errorRate > 0.5", window="1h", action="revert_to_l3"),
    entry(2, since=NOON + 3 * SECOND, condition="failures >= 2", window="20m"),
]

JUMPS: Final = st.sampled_from((1, 1, 1, 2, 9, 40, MINUTE // STEP, 2 * HOUR // STEP))
ROWS: Final = st.lists(
    st.tuples(st.sampled_from(("*", "commandType=a", "commandType=b")), st.integers(0, 3)),
    max_size=3,
    unique_by=lambda one: one[0],
)
with_short_rounds = settings(
    max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def batches(draw: st.DrawFn) -> list[Batch]:
    """Return the tallies of two source partitions, a batch for each message."""
    found: list[Batch] = []
    moments = [NOON, NOON]
    for source in draw(st.lists(st.integers(0, 1), min_size=2, max_size=24)):
        frm = moments[source]
        moments[source] += draw(JUMPS) * STEP
        rows = [
            row(scope, at=frm, ids=[f"{source}-{frm}"] * bool(n), failed=n, succeeded=1)
            for scope, n in draw(ROWS)
        ]
        one = cut(frm, *rows, upto=moments[source], offset=len(found))
        found.append(tallies((source, [one]), start=len(found)))
    return found


def judge() -> Judge:
    """Return a judge of two source partitions that knows nothing."""
    return Judge(0, source_partitions=2)


def flush(state: Judge, changelog: list[JudgeDelta]) -> None:
    """Write to *changelog* what changed in *state*."""
    delta = state.delta()
    if delta is not None:
        changelog.append(decode_judge(encode(delta)))
        state.stored(delta, len(changelog) - 1)


def joined(changelog: list[JudgeDelta], start: int = 0) -> Judge:
    """Return the judge that *changelog* holds, read from *start* on."""
    state = judge()
    for offset in range(max(start, 0), len(changelog)):
        state.apply(changelog[offset], offset)
    return state


@pytest.fixture
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all scopes be written out within three flushes."""
    monkeypatch.setattr("streams.judge.ROUND", 3)


@pytest.mark.usefixtures("short_rounds")
@with_short_rounds
@given(log=batches(), flushes=st.sets(st.integers(0, 23)), deaths=st.sets(st.integers(0, 23)))
def test_a_judge_goes_on_from_what_was_stored(
    log: list[Batch], flushes: set[int], deaths: set[int]
) -> None:
    """Whoever takes over, at any moment, publishes what a judge that never died publishes."""
    alive, owner = judge(), judge()
    for state in (alive, owner):
        state.learn(RULES)
    changelog, resolved = list[JudgeDelta](), list[Resolution]()
    wanted, found = list[bytes](), dict[bytes, None]()
    for number, batch in enumerate(log):
        outputs = alive.fold(batch)
        wanted += [out.value for out in outputs]
        found |= dict.fromkeys(out.value for out in owner.fold(batch))
        if number in flushes:
            flush(owner, changelog)
        if number in deaths:
            owner = joined(changelog)
            owner.learn(RULES, resolved)
            for again in log[owner.resume : number + 1]:
                found |= dict.fromkeys(out.value for out in owner.fold(again))
        for state in (alive, owner):
            state.learn(resolutions=resolutions(outputs, alive.at + 5 * STEP))
        resolved += resolutions(outputs, alive.at + 5 * STEP)
    assert list(found) == wanted


@pytest.mark.usefixtures("short_rounds")
@with_short_rounds
@given(log=batches(), death=st.integers(0, 12), told=st.integers(0, 12), by_halves=st.booleans())
def test_a_judge_that_lacks_its_rules_waits_and_forgets_nothing(
    log: list[Batch], death: int, told: int, *, by_halves: bool
) -> None:
    """Restored where the rules are gone, it decides nothing; told of them again, the same."""
    alive, owner = judge(), judge()
    for state in (alive, owner):
        state.learn(RULES)
    changelog, wanted, found = list[JudgeDelta](), list[bytes](), dict[bytes, None]()
    for number, batch in enumerate(log):
        wanted += [out.value for out in alive.fold(batch)]
        if number <= death:
            found |= dict.fromkeys(out.value for out in owner.fold(batch))
            flush(owner, changelog)
        if number == death:
            owner = joined(changelog)
            assume(owner.adopted)
            owner.learn(RULES[:1] if by_halves else ())
            for again in log[owner.resume : number + 1]:
                found |= dict.fromkeys(out.value for out in owner.fold(again))
        elif number > death:
            if number - death == told:
                owner.learn(RULES)
            found |= dict.fromkeys(out.value for out in owner.fold(batch))
            assert not owner.lacking or owner.at == (changelog[-1].pos if changelog else 0)
    owner.learn(RULES)
    found |= dict.fromkeys(out.value for out in owner.advance())
    assert list(found) == wanted
    assert not owner.lacking


def resolutions(outputs: list[Output], since: int) -> list[Resolution]:
    """Return what people decide on the trips among *outputs* that wait for them."""
    return [
        Resolution(action.id, action.rule.name, action.scope_key, since)
        for action in actions(outputs)
        if action.action.latches
    ]


@pytest.mark.usefixtures("short_rounds")
@with_short_rounds
@given(log=batches())
def test_reading_may_begin_where_the_last_record_says(log: list[Batch]) -> None:
    """From the hint on the records hold everything; a start after it is seen to be too late."""
    state, changelog = judge(), list[JudgeDelta]()
    state.learn(RULES)
    for batch in log:
        state.fold(batch)
        flush(state, changelog)
    if changelog and changelog[-1].start != FROM_THE_BEGINNING:
        whole, hinted = joined(changelog), joined(changelog, changelog[-1].start)
        assert hinted.is_complete()
        assert stored(hinted) == stored(whole)


def stored(state: Judge) -> list[object]:
    """Return what *state* keeps of its scopes and of the log."""
    scopes = [scope.unit(full=True) for _, scope in sorted(state.scopes.items())]
    trails = [trail.changes(full=True) for _, trail in sorted(state.trails.items())]
    return [state.at, state.first, state.pos, state.adopted, state.late, scopes, trails]


def storied() -> tuple[Judge, list[JudgeDelta]]:
    """Return a judge with three flushes behind it, and what they wrote."""
    state, changelog = judge(), list[JudgeDelta]()
    state.learn(RULES)
    for number in range(6):
        failed = cut(NOON + number // 2 * STEP, row("commandType=a", failed=1))
        state.fold(tallies((number % 2, [failed]), start=number))
        if number % 2:
            flush(state, changelog)
    return state, changelog


def test_a_missing_record_is_a_gap() -> None:
    """A record that begins above what was joined is refused."""
    _, changelog = storied()
    assert len(changelog) == 3
    state = joined(changelog[:1])
    with pytest.raises(Gap):
        state.apply(changelog[2], 2)


def test_a_record_of_a_worker_that_woke_up_changes_nothing() -> None:
    """It says what is known already, whenever it comes."""
    _, changelog = storied()
    state, again = joined(changelog), joined(changelog)
    for zombie in (changelog[0], changelog[1], changelog[2]):
        again.apply(zombie, 3)
    assert stored(again) == stored(state)


def test_records_that_begin_in_the_middle_are_not_complete() -> None:
    """A scope of which only changes were read is missed."""
    state, changelog = judge(), list[JudgeDelta]()
    for number, scope in enumerate(("commandType=a", "commandType=b", "commandType=a")):
        rows = cut(NOON + number * STEP, row(scope, failed=1))
        state.fold(tallies((0, [rows]), (1, [cut(NOON + number * STEP)]), start=2 * number))
        flush(state, changelog)
    assert joined(changelog).is_complete()
    assert not joined(changelog, 2).is_complete()


def test_nothing_new_is_not_stored() -> None:
    """Without a T since the last flush there is no record."""
    state, _ = storied()
    assert state.delta() is None
    state.fold(tallies((0, [cut(NOON + 3 * STEP)]), start=6))
    assert state.delta() is None


def test_recovery_reads_again_what_waits() -> None:
    """The source is read from the oldest message with a cut that could not be applied yet."""
    ahead: list[Cut] = [cut(NOON + number * STEP) for number in (3, 4)]
    state, _ = storied()
    state.fold(tallies((0, ahead[:1]), (0, ahead[1:]), start=6))
    assert (state.pos, state.resume) == (8, 6)
    state.fold(tallies((1, [cut(NOON + 3 * STEP)]), start=8))
    assert (state.pos, state.resume) == (9, 7)


def test_a_late_resolution_keeps_its_moment_over_a_recovery() -> None:
    """Who takes over resolves at the T that was stored, not at one of its own."""
    state, changelog = judge(), list[JudgeDelta]()
    state.learn(RULES[1:2])
    state.fold(tallies((0, [cut(NOON, row(failed=3))]), (1, [cut(NOON)])))
    action_id = state.scopes["*"].breaker("Latching").action_id
    assert action_id is not None
    late = Resolution(action_id, "Latching", "*", NOON)
    state.learn(resolutions=[late])
    flush(state, changelog)

    owner = joined(changelog)
    owner.learn(RULES[1:2], [late])
    assert owner.late == {f"resolution/{action_id}": NOON + 2 * STEP}
    owner.fold(tallies((0, [cut(NOON + STEP)]), (1, [cut(NOON + STEP)]), start=2))
    assert owner.scopes["*"].baselines["Latching"].at == NOON + 2 * STEP
