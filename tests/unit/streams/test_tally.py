"""Tally: what each record of a source partition adds, publishes or is refused for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.tallies import EARLINESS, ID_MEMORY, LATENESS, SAMPLES, Column, Cut, Row
from schemas.topics import DEAD_LETTERS
from schemas.wire import iso_ms
from streams.batch import Batch, Gap
from streams.deltas import decode_tally, encode
from streams.rulebook import PROTECTION, Entry
from streams.tally import Tally, home_of
from tests.unit.streams.facts import (
    MINUTE,
    NOON,
    SECOND,
    batch,
    command,
    covering,
    cuts_of,
    dead_letters,
    entry,
)
from tests.unit.streams.logs import fold_all, logs, ordered, piece, pieces

LATER: Final = NOON + 10 * MINUTE
"""When a tick closes the last cut."""


def tally(**given: Any) -> Tally:
    """Return a tally at the beginning of its partition."""
    return Tally(0, **{"tally_partitions": 1} | given)


def counted(state: Tally, *values: bytes | None, times: list[int] | int = NOON) -> list[Row]:
    """Return the rows of all that *values* add to *state*."""
    outputs = state.fold(batch(values, times=times, start=state.pos))
    outputs += state.fold(batch([b""], times=LATER, start=state.pos))
    return [row for cut in cuts_of(outputs) for row in cut.rows]


def panes(rows: list[Row], scope: str = "*") -> dict[int, dict[str, int]]:
    """Return what *rows* add to *scope*: by pane, counted from `NOON` in s, and column."""
    return {
        second - NOON // SECOND: {Column(column).name: number for column, number in counts}
        for row in rows
        if row.scope == scope
        for second, counts in row.panes
    }


def event(kind: str, **fields: Any) -> bytes:
    """Return the record of an incident or a safety event at noon."""
    return json.dumps({"kind": kind, "id": "e1", "occurredAt": iso_ms(NOON)} | fields).encode()


# ------------------------------------------------------------------------------------- counts


@pytest.mark.parametrize("status", ["proposed", "succeeded", "failed", "timed_out", "overridden"])
def test_a_command_adds_one_to_the_column_of_its_status(status: str) -> None:
    """It counts overall and for its command type, in the second in which it happened."""
    rows = counted(tally(), command("e1", at=NOON - 3_001, status=status))
    assert panes(rows) == panes(rows, "commandType=FAN") == {-4: {status.upper(): 1}}


@pytest.mark.parametrize(
    ("severity", "autonomous", "columns"),
    [
        ("low", False, {"INCIDENT_LOW"}),
        ("high", True, {"INCIDENT_HIGH", "INCIDENT_AUTONOMOUS"}),
        ("critical", False, {"INCIDENT_CRITICAL"}),
        (
            "critical",
            True,
            {"INCIDENT_CRITICAL", "INCIDENT_AUTONOMOUS", "INCIDENT_CRITICAL_AUTONOMOUS"},
        ),
    ],
)
def test_an_incident_counts_by_severity_and_by_who_caused_it(
    severity: str, autonomous: bool, columns: set[str]
) -> None:
    """Its severity counts; that automation caused it counts besides."""
    value = event("incident", incidentId="i1", severity=severity, autonomous=autonomous)
    assert panes(counted(tally(), value)) == {0: dict.fromkeys(columns, 1)}


def test_a_safety_event_without_a_command_type_counts_overall_only() -> None:
    """There is no type to count it for."""
    rows = counted(tally(), event("safety", signal="emergency_abort"))
    assert [row.scope for row in rows] == ["*"]
    assert panes(rows) == {0: {"EMERGENCY_ABORT": 1}}


def test_bad_events_are_evidence_by_the_id_that_people_know() -> None:
    """A failure is kept by its command, an incident by itself, a signal by what it can name."""
    values = [
        command("e1", status="failed", commandId="c1"),
        command("e2"),
        event("incident", id="e3", incidentId="i1", severity="low", commandId="c2"),
        event("safety", id="e4", signal="emergency_abort", commandId="c3"),
        event("safety", id="e5", signal="emergency_abort"),
    ]
    overall = next(row for row in counted(tally(), *values) if row.scope == "*")
    assert [one.id for one in overall.samples] == ["c1", "i1", "c3", "e5"]
    assert [one.offset for one in overall.samples] == [0, 2, 3, 4]


def test_of_many_failures_the_newest_are_kept_as_evidence() -> None:
    """A cut carries at most 20 of a class and a scope, however many failed."""
    values = [command(str(number), status="failed") for number in range(50)]
    for row in counted(tally(), *values):
        assert [one.offset for one in row.samples] == list(range(50 - SAMPLES, 50))


def test_command_types_beyond_the_limit_share_one_scope() -> None:
    """The events still count, overall and under `__other__`."""
    values = [command(str(number), commandType=f"type-{number}") for number in range(5)]
    rows = counted(tally(scope_limit=2), *values)
    assert panes(rows, "commandType=__other__") == {0: {"SUCCEEDED": 3}}
    assert panes(rows) == {0: {"SUCCEEDED": 5}}


def test_each_row_goes_to_the_one_partition_where_its_scope_lives() -> None:
    """All partitions get every cut, each with the rows of its own scopes."""
    state = tally(tally_partitions=3)
    outputs = state.fold(batch([command(str(n), commandType=f"t{n}") for n in range(9)]))
    outputs = state.fold(batch([None], times=NOON + 100, start=9))
    homes = [{row.scope for cut in cuts_of(outputs, home) for row in cut.rows} for home in range(3)]
    assert sum(map(len, homes)) == 10
    assert all(home_of(scope, 3) == home for home, found in enumerate(homes) for scope in found)
    assert all(len(cuts_of(outputs, home)) == 1 for home in range(3))


# -------------------------------------------------------------------- late, early, seen before


@pytest.mark.parametrize(("behind", "counts"), [(LATENESS, 1), (LATENESS + 1, 0)])
def test_an_event_may_be_a_minute_late_to_the_millisecond(behind: int, counts: int) -> None:
    """One millisecond more and it is a dead letter that says by how much it was late."""
    state = tally()
    outputs = state.fold(batch([command("e1", at=NOON - behind)]))
    assert state.stats.events == counts
    assert [one["reason"] for one in dead_letters(outputs)] == ["late"] * (1 - counts)
    if outputs:
        assert "60.0 s behind the log's clock" in dead_letters(outputs)[0]["detail"]


@pytest.mark.parametrize(("ahead", "second"), [(EARLINESS, 30), (EARLINESS + 1, 0)])
def test_an_event_may_be_half_a_minute_early_to_the_millisecond(ahead: int, second: int) -> None:
    """One millisecond more and it counts at the clock instead."""
    state = tally()
    assert panes(counted(state, command("e1", at=NOON + ahead))) == {second: {"SUCCEEDED": 1}}
    assert state.stats.early == (second == 0)


def test_the_record_itself_moves_the_clock_before_it_is_judged_late() -> None:
    """Its own append time counts, not that of the record before it."""
    values = [None, command("e1", at=NOON)]
    outputs = tally().fold(batch(values, times=[NOON, NOON + LATENESS + 1]))
    assert [one["offset"] for one in dead_letters(outputs)] == ["1"]


def test_the_clock_never_goes_back() -> None:
    """A record with an older append time is judged by the newest before it."""
    values = [None, command("e1", at=NOON)]
    outputs = tally().fold(batch(values, times=[NOON + LATENESS + 1, NOON]))
    assert [one["reason"] for one in dead_letters(outputs)] == ["late"]


def test_a_repeat_counts_once() -> None:
    """The same id again is dropped in silence, in the same batch and in a later one."""
    state = tally()
    assert panes(counted(state, command("e1"), command("e1", status="failed"))) == {
        0: {"SUCCEEDED": 1}
    }
    assert counted(state, command("e1", at=LATER), times=LATER) == []
    assert state.stats.duplicates == 2


@pytest.mark.parametrize(
    "refused", [command("e1", at=NOON - LATENESS - 1), command("e1", status="exploded")]
)
def test_what_was_refused_may_come_again_as_it_should_be(refused: bytes) -> None:
    """Neither a late event's id nor an invalid one's is remembered."""
    assert panes(counted(tally(), refused, command("e1"))) == {0: {"SUCCEEDED": 1}}


def test_an_id_counts_again_when_it_has_been_forgotten() -> None:
    """Two generations of a quarter of an hour later the same id is a new event."""
    state = tally()
    for moment in (NOON, NOON + ID_MEMORY, NOON + 2 * ID_MEMORY):
        state.fold(batch([command(str(moment), at=moment)], times=moment, start=state.pos))
    again = NOON + 2 * ID_MEMORY
    state.fold(batch([command(str(NOON), at=again)], times=again, start=state.pos))
    assert (state.stats.events, state.stats.duplicates) == (4, 0)


def test_a_dead_letter_is_the_record_and_says_where_it_came_from() -> None:
    """Key and bytes are untouched; headers name place, moment and reason."""
    state = Tally(3, tally_partitions=1, pos=7)
    output = state.fold(batch([b"\xff{"], start=7, partition=3))[0]
    assert (output.topic, output.value, output.key) == ("dead-letters", b"\xff{", b"key-0")
    assert dead_letters([output])[0] | {"detail": ""} == {
        "topic": "command-events",
        "partition": "3",
        "offset": "7",
        "reason": "not_json",
        "detail": "",
        "receivedAt": "2026-11-23T12:00:00.000Z",
    }


def test_a_dead_letter_is_never_larger_than_its_topic_takes() -> None:
    """A compressed record may be of any size: its beginning is kept, and that is said."""
    large = batch([b"x" * 20_000_000])
    [output] = tally().fold(replace(large, keys=[b"k" * 20_000_000]))
    size = len(output.value) + len(output.key or b"") + sum(len(b) for _, b in output.headers)
    assert size < DEAD_LETTERS.max_message_bytes - 1_024
    assert "20000000 bytes" in dead_letters([output])[0]["detail"]
    assert "its first 1048576 bytes are kept" in dead_letters([output])[0]["detail"]


def test_a_tick_only_moves_the_clock() -> None:
    """An empty record, None or no bytes, closes cuts and is no event and no dead letter."""
    state = tally()
    outputs = state.fold(batch([None, b""], times=[NOON, NOON + 100]))
    assert cuts_of(outputs) == [Cut(NOON, NOON + 100, 1, [], 0)]
    assert (state.stats.ticks, state.stats.events, state.stats.dead) == (2, 0, {})


# --------------------------------------------------------------------------------------- cuts


def test_a_cut_closes_when_the_clock_passes_a_multiple_of_the_step() -> None:
    """At 99 ms it is open, at 100 ms closed: the record that passes it is in the next one."""
    values = [command("e1"), command("e2"), command("e3")]
    cuts = cuts_of(tally().fold(batch(values, times=[NOON + 1, NOON + 99, NOON + 100])))
    assert [(one.frm, one.upto, one.offset, one.events) for one in cuts] == [
        (NOON, NOON + 100, 2, 2)
    ]


def test_silence_is_one_cut() -> None:
    """However many steps the clock jumps over, one cut says so, and the next one follows on."""
    cuts = cuts_of(tally().fold(batch([None] * 3, times=[NOON, NOON + 7_250, NOON + 7_300])))
    assert [(one.frm - NOON, one.upto - NOON) for one in cuts] == [(0, 7_200), (7_200, 7_300)]


@given(log=logs())
def test_cuts_follow_on_one_another(log: Batch) -> None:
    """Each begins where the one before it ended, at multiples of the step, never empty-handed."""
    cuts = cuts_of(tally().fold(log))
    assert all(one.frm % 100 == one.upto % 100 == 0 and one.frm < one.upto for one in cuts)
    assert [one.frm for one in cuts[1:]] == [one.upto for one in cuts[:-1]]
    for one in cuts:
        assert max(log.times[: one.offset]) < one.frm + 100
        assert max(log.times[: one.offset + 1]) >= one.upto


@given(log=logs())
def test_every_record_is_counted_or_accounted_for(log: Batch) -> None:
    """Events in cuts, repeats, ticks and dead letters add up to the records."""
    state = tally()
    outputs = state.fold(log)
    outputs += state.fold(batch([b""], times=max(log.times) + 100, start=state.pos))
    stats = state.stats
    assert sum(one.events for one in cuts_of(outputs)) == stats.events
    assert len(dead_letters(outputs)) == sum(stats.dead.values())
    assert stats.events + stats.duplicates + stats.ticks - 1 + sum(stats.dead.values()) == len(
        log.offsets
    )


@given(log=logs(), data=st.data())
def test_batches_make_no_difference(log: Batch, data: st.DataObject) -> None:
    """However the log comes in batches, the same is published, in the same order, and stored."""
    whole, parts = tally(), tally()
    at_once = whole.fold(log)
    in_parts = fold_all(parts, data.draw(pieces(log)))
    assert cuts_of(at_once) == cuts_of(in_parts)
    assert dead_letters(at_once) == dead_letters(in_parts)
    assert ordered(whole.delta()) == ordered(parts.delta())


@given(log=logs(), data=st.data())
def test_records_below_the_position_are_skipped(log: Batch, data: st.DataObject) -> None:
    """A batch that comes again, whole or in part, changes nothing and publishes nothing."""
    once, again = tally(), tally()
    split = data.draw(st.integers(0, len(log.offsets)))
    for one in (piece(log, 0, split), piece(log, 0, split), log):
        again.fold(one)
    once.fold(log)
    assert again.fold(log) == []
    assert ordered(again.delta()) == ordered(once.delta())


def test_a_batch_above_the_position_changes_nothing() -> None:
    """It says where the state ends and what came; the same records fold once the hole is filled."""
    state = tally()
    with pytest.raises(Gap, match="ends at 0, what came starts at 3") as gap:
        state.fold(batch([command("e1")], start=3))
    assert (gap.value.pos, gap.value.found) == (0, 3)
    assert (state.pos, state.clock, state.stats.events) == (0, 0, 0)
    state.fold(covering(batch([]), 0, 3))
    state.fold(batch([command("e1")], start=3))
    assert state.stats.events == 1


# -------------------------------------------------------------------------------------- labels


def labelled(event_id: str, moment: int) -> bytes:
    """Return a command with a label."""
    return command(event_id, at=moment, labels={"site": "zug", "line": "7"})


def scopes_by_cut(state: Tally, moments: list[int]) -> list[list[str]]:
    """Return the scopes in each cut of one labelled command at each of *moments*."""
    values = [labelled(str(moment), moment) for moment in moments]
    outputs = state.fold(batch([*values, b""], times=[*moments, LATER], start=state.pos))
    return [sorted(row.scope for row in cut.rows) for cut in cuts_of(outputs)]


def test_a_label_is_a_grouping_from_the_cut_that_the_rule_names() -> None:
    """Before the rule's time the label has no scope, from it on it has, until the rule ends."""
    state = tally()
    state.learn([entry(1, since=NOON + 100, groupBy="labels.site")])
    state.learn([entry(2, since=NOON + 200, groupBy="labels.site", enabled=False)])
    plain = ["*", "commandType=FAN"]
    assert scopes_by_cut(state, [NOON, NOON + 100, NOON + 200]) == [
        plain,
        [*plain, "labels.site=zug"],
        plain,
    ]


def test_a_rule_heard_of_too_late_groups_from_the_next_cut() -> None:
    """What was counted is not counted again; the moment is stored with the state."""
    state = tally()
    state.fold(batch([labelled("e1", NOON + 500)], times=NOON + 500))
    state.learn([entry(1, since=NOON, groupBy="labels.site")])
    assert state.late == {"High Error Rate@1": NOON + 600}
    found = scopes_by_cut(state, [NOON + 550, NOON + 600])
    assert ["labels.site=zug" in scopes for scopes in found] == [False, True]
    delta = state.delta()
    assert delta is not None
    assert delta.late == {"High Error Rate@1": NOON + 600}


def test_an_event_without_the_label_counts_in_its_other_scopes() -> None:
    """The label's absence is no value."""
    state = tally()
    state.learn([entry(1, groupBy="labels.site")])
    assert {row.scope for row in counted(state, command("e1"))} == {"*", "commandType=FAN"}


# -------------------------------------------------------------------------------------- stored


@given(log=logs(), data=st.data())
def test_a_tally_goes_on_from_what_was_stored(log: Batch, data: st.DataObject) -> None:
    """Who joins the changelog publishes of the rest of the log what the first one would have."""
    lived, joined = tally(scope_limit=2), tally(scope_limit=2)
    for state in (lived, joined):
        state.learn([entry(1, since=NOON + 1_000, groupBy="labels.site")])
    *stored, rest = data.draw(pieces(log))
    for offset, one in enumerate(stored):
        lived.fold(one)
        delta = lived.delta()
        assert delta is not None
        lived.stored(delta, offset)
        joined.apply(decode_tally(encode(delta)), offset)
    assert joined.is_complete()
    joined.learn([entry(1, since=NOON + 1_000, groupBy="labels.site")])
    assert joined.fold(rest) == lived.fold(rest)
    assert ordered(joined.delta()) == ordered(lived.delta())


def protection(version: int, *names: str, since: int = 0) -> Entry:
    """Return a version of the protected command types, as workers hear of it."""
    return Entry(PROTECTION, version, since, None, frozenset(names))


def test_a_protected_type_counts_by_its_name_whatever_came_before() -> None:
    """A flood takes every place, and the type that matters still has its own."""
    state = tally(scope_limit=2)
    state.learn([protection(1, "FAN")])
    values = [command(str(number), commandType=f"type-{number}") for number in range(5)]
    rows = counted(state, *values, command("real"))
    assert panes(rows, "commandType=FAN") == {0: {"SUCCEEDED": 1}}
    assert panes(rows, "commandType=__other__") == {0: {"SUCCEEDED": 3}}
    assert (state.memory.overflowed, state.stats.overflowed) == (3, 3)


def test_protection_begins_at_the_cut_that_its_time_names() -> None:
    """Every worker switches there, whenever it heard of it."""
    state = tally(scope_limit=1)
    state.learn([protection(1, "FAN", since=NOON + 200)])
    values = [command("a", commandType="FLOOD"), command("b"), command("c"), command("d")]
    times = [NOON, NOON + 199, NOON + 200, NOON + 400]
    cuts = cuts_of(state.fold(batch(values, times=times)))
    found = [sorted(row.scope for row in cut.rows) for cut in cuts]
    assert found == [
        ["*", "commandType=FLOOD"],
        ["*", "commandType=__other__"],
        ["*", "commandType=FAN"],
    ]


def test_protection_that_is_heard_of_late_is_stored_before_it_is_used() -> None:
    """Whoever recovers uses it from the same cut, though the record says an earlier one."""
    state = tally(scope_limit=1)
    state.fold(batch([command("a", commandType="FLOOD"), None], times=[NOON, NOON + 100]))
    state.learn([protection(1, "FAN", since=NOON)])
    state.fold(batch([command("b")], times=NOON + 150, start=2))
    delta = state.delta()
    assert delta is not None
    joined = tally(scope_limit=1)
    joined.apply(delta, 0)
    joined.learn([protection(1, "FAN", since=NOON)])
    rest = batch(
        [command("c"), command("d"), None], times=[NOON + 199, NOON + 200, NOON + 300], start=3
    )
    found = [cuts_of(one.fold(rest)) for one in (state, joined)]
    assert found[0] == found[1]
    assert [sorted(row.scope for row in cut.rows) for cut in found[0]] == [
        ["*", "commandType=__other__"],
        ["*", "commandType=FAN"],
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"commandType": "__other__"},
        {"labels": {"site": "__other__"}},
        {"kind": "incident", "incidentId": "i", "severity": "low", "commandType": "__other__"},
        {"kind": "safety", "signal": "emergency_abort", "commandType": "__other__"},
    ],
)
@pytest.mark.parametrize("escape", [None, b"_", b"o"])
def test_the_name_of_all_others_is_refused(fields: dict[str, Any], escape: bytes | None) -> None:
    """No producer can pose as the overflow, however it spells the name; the letter says why."""
    record = command("e", **fields)
    if escape is not None:
        record = record.replace(
            b"__other__", b"__other__".replace(escape, b"\\u00%02x" % escape[0], 1)
        )
    assert (b"__other__" in record) is (escape is None)
    for others in ((), (command("f"), command("g"))):
        (letter,) = dead_letters(tally().fold(batch([*others, record])))
        assert letter["reason"] == "invalid"
        assert "must not be __other__" in letter["detail"]
