"""What counts in one partition, against tiny logs worked out by hand."""

from __future__ import annotations

import json
from typing import Any

from schemas.events import Reason
from schemas.tallies import ID_MEMORY, Column
from schemas.wire import iso_ms
from tests.oracle.counting import PartitionReport, count_partition, published_counts
from tests.oracle.log import Record, SourceLog

NOON = 1_795_435_200_000


def event(name: str, *, at: int, **fields: Any) -> bytes:
    """Return a failed command that happened *at* ms after noon."""
    document = {
        "id": name,
        "kind": "command",
        "occurredAt": iso_ms(NOON + at),
        "commandId": f"c-{name}",
        "commandType": "FAN",
        "status": "failed",
    }
    return json.dumps({**document, **fields}).encode()


def counted(
    *records: tuple[int, bytes], labels: tuple[str, ...] = (), **limits: Any
) -> PartitionReport:
    """Return what comes of records appended so many ms after noon."""
    log = SourceLog(
        0, tuple(Record(offset, NOON + at, value) for offset, (at, value) in enumerate(records))
    )
    return count_partition(log, grouped=lambda _: labels, **limits)


def test_an_event_is_judged_from_the_cut_after_it() -> None:
    """What is appended at 250 ms belongs to the cut of 200 ms, and is judged at 300 ms."""
    report = counted((0, b""), (250, event("a", at=-1_500)), (420, b""))

    [only] = report.counted
    assert (only.step - NOON, only.pane) == (300, NOON // 1000 - 2)
    assert only.scopes == ("*", "commandType=FAN")
    assert (report.first_cut, report.last_cut) == (NOON, NOON + 400)


def test_what_lies_after_the_last_cut_is_not_published() -> None:
    """The event after the last cut is counted by nobody yet; the one before it is."""
    report = counted((0, event("a", at=0)), (100, event("b", at=100)))

    assert published_counts(report) == {
        ("*", NOON // 1000, 0): {Column.FAILED: 1},
        ("commandType=FAN", NOON // 1000, 0): {Column.FAILED: 1},
    }


def test_one_cut_is_no_cut() -> None:
    """As long as the clock stands in its first step, nothing was published."""
    report = counted((0, event("a", at=0)), (99, event("b", at=0)))

    assert report.last_cut is None
    assert published_counts(report) == {}


def test_an_id_counts_once() -> None:
    """The second event of an id is dropped in silence, whatever else it says."""
    report = counted((0, event("a", at=0)), (5, event("a", at=1, status="succeeded")))

    assert [one.columns for one in report.counted] == [(Column.FAILED,)]
    assert (report.duplicates, report.dead_letters) == (1, [])


def test_an_id_is_forgotten_after_two_generations() -> None:
    """An id lives through one turn and is gone after the next; a repeat does not refresh it."""
    report = counted(
        (0, event("a", at=0)),
        (ID_MEMORY, event("a", at=ID_MEMORY)),
        (ID_MEMORY + 1, event("b", at=ID_MEMORY)),
        (2 * ID_MEMORY, event("a", at=2 * ID_MEMORY)),
    )

    assert [one.offset for one in report.counted] == [0, 2, 3]
    assert report.duplicates == 1


def test_many_ids_turn_the_generation_too() -> None:
    """With room for two ids a generation, the first of five is forgotten."""
    names = ["a", "b", "c", "d", "e", "a"]
    report = counted(*((at, event(name, at=at)) for at, name in enumerate(names)), id_limit=4)

    assert report.duplicates == 0
    assert len(report.counted) == 6


def test_an_event_is_late_by_one_millisecond() -> None:
    """Sixty seconds behind the clock counts, one millisecond more is a dead letter."""
    report = counted((0, event("a", at=-60_000)), (0, event("b", at=-60_001)))

    assert [one.offset for one in report.counted] == [0]
    assert report.dead_letters == [(0, 1, Reason.LATE)]


def test_the_id_of_a_late_event_is_not_remembered() -> None:
    """A late event may be sent again with a better time, and then counts."""
    report = counted((0, event("a", at=-60_001)), (1, event("a", at=0)))

    assert [one.offset for one in report.counted] == [1]


def test_an_early_event_counts_at_the_clock() -> None:
    """Thirty seconds ahead keeps its own pane, one millisecond more counts at the clock."""
    report = counted((0, event("a", at=30_000)), (0, event("b", at=30_001)))

    assert [one.pane - NOON // 1000 for one in report.counted] == [30, 0]


def test_the_clock_never_goes_back() -> None:
    """A record stamped before its predecessor counts at the predecessor's clock."""
    report = counted((1_000, b""), (0, event("a", at=-60_000)))

    assert report.dead_letters == [(0, 1, Reason.LATE)]


def test_rubbish_moves_the_clock() -> None:
    """A dead letter's append time counts: the log's clock needs no valid record."""
    report = counted((0, b""), (60_001, b"rubbish"), (60_001, event("a", at=0)))

    assert [one.reason for one in report.dead_letters] == [Reason.NOT_JSON, Reason.LATE]


def test_values_beyond_the_cap_count_together() -> None:
    """With room for one command type, the second counts as one of the others."""
    report = counted(
        (0, event("a", at=0, commandType="ONE")),
        (1, event("b", at=0, commandType="TWO")),
        (2, event("c", at=0, commandType="ONE")),
        scope_limit=1,
    )

    assert [one.scopes[1] for one in report.counted] == [
        "commandType=ONE",
        "commandType=__other__",
        "commandType=ONE",
    ]


def test_only_the_labels_grouped_by_are_counted() -> None:
    """A label counts when some rule groups by it and the event carries it."""
    labels = {"region": "EU", "agent": "7"}
    report = counted(
        (0, event("a", at=0, labels=labels)), (1, event("b", at=0)), labels=("region",)
    )

    assert [one.scopes[2:] for one in report.counted] == [("labels.region=EU",), ()]
