"""When breakers trip, against tiny logs worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from schemas.actions import action_id
from schemas.events import Severity
from schemas.governance import ResolutionRecord
from schemas.rules import Action, Rule
from schemas.wire import from_ms, iso_ms
from tests.oracle.conditions import Both, Either, Not, Term, Tree, holds, readings, written
from tests.oracle.judging import Trip
from tests.oracle.laws import Book, Law, Window, length
from tests.oracle.log import Record, SourceLog
from tests.oracle.logs import hostile
from tests.oracle.report import expect
from tests.oracle.rulemaking import Draft, law_of

NOON = 1_795_435_200_000
FAILED_TWICE = Term("failures", ">=", "2")


def command(name: str, *, at: int, status: str = "failed") -> bytes:
    """Return a command event *at* ms after noon."""
    document = {
        "id": name,
        "kind": "command",
        "occurredAt": iso_ms(NOON + at),
        "commandId": name,
        "commandType": "FAN",
        "status": status,
    }
    return json.dumps(document).encode()


def log(partition: int, *records: tuple[int, bytes]) -> SourceLog:
    """Return a partition with records appended so many ms after noon."""
    made = (Record(offset, NOON + at, value) for offset, (at, value) in enumerate(records))
    return SourceLog(partition, tuple(made))


def law(tree: Tree, *, version: int = 1, since: int = -1_000, **fields: Any) -> Law:
    """Return a rule of this condition, in force from *since* ms after noon."""
    rule = {
        "name": "r",
        "condition": written(tree),
        "window": "10s",
        "action": Action.REVERT_TO_L3,
        "alert_severity": Severity.HIGH,
        "group_by": "overall",
        **fields,
    }
    draft = Draft(Rule(**rule), tree)
    return law_of(draft, name="r", version=version, since=NOON + since)


def trips(book: Book, *logs: SourceLog) -> list[Trip]:
    """Return what trips."""
    return list(expect(logs, book).judged.trips)


def moments(book: Book, *logs: SourceLog) -> list[int]:
    """Return when breakers trip, in ms after noon."""
    return [trip.at - NOON for trip in trips(book, *logs)]


TWO_FAILURES = log(
    0, (0, b""), (110, command("a", at=0)), (350, command("b", at=300)), (9_000, b""), (60_000, b"")
)


def test_a_breaker_opens_at_the_cut_after_the_event() -> None:
    """The second failure is appended at 350 ms, so the breaker opens at 400 ms, with both."""
    [trip] = trips(Book([law(FAILED_TWICE)]), TWO_FAILURES)

    assert trip.at == NOON + 400
    assert trip.id == action_id("r", 1, "*", NOON + 400, "revert_to_l3")
    assert trip.window_start == NOON - 9_000
    assert [(one.metric, one.numerator) for one in trip.readings] == [("failures", 2)]
    assert trip.command_ids == ("a", "b")
    assert trip.upto == {0: 3}
    assert trip.first_counted == {0: 1}


def test_a_partition_that_stands_holds_everything() -> None:
    """Nothing is judged past the last cut of the slowest partition."""
    slow = log(1, (0, b""), (399, b""))
    enough = log(1, (0, b""), (400, b""))

    assert moments(Book([law(FAILED_TWICE)]), TWO_FAILURES, slow) == []
    assert moments(Book([law(FAILED_TWICE)]), TWO_FAILURES, enough) == [400]


def test_the_first_t_comes_after_the_latest_first_cut() -> None:
    """A partition that begins later delays the first judgement, not what it stands on."""
    later = log(1, (2_050, b""), (9_000, b""))

    assert moments(Book([law(FAILED_TWICE)]), TWO_FAILURES, later) == [2_100]


def test_an_event_counts_until_its_pane_has_left() -> None:
    """A failure of second 0 is inside a 10 s window until, not at, second 10."""
    at = (9_950, 9_899)
    late, soon = (
        log(0, (0, command("a", at=0)), (when, command("b", at=9_000)), (20_000, b""))
        for when in at
    )

    assert moments(Book([law(FAILED_TWICE)]), soon) == [9_900]
    assert moments(Book([law(FAILED_TWICE)]), late) == []


def test_a_latched_breaker_opens_once() -> None:
    """Failures come and go; without people a breaker that lowered autonomy stays open."""
    again = log(
        0,
        *((at, command(f"c{at}", at=at)) for at in (0, 100, 30_000, 30_100)),
        (60_000, b""),
    )

    assert moments(Book([law(FAILED_TWICE)]), again) == [200]
    assert moments(Book([law(FAILED_TWICE, action=Action.ALERT_ONLY)]), again) == [200, 30_200]


def test_a_law_that_does_more_acts_on_the_breach_that_stands() -> None:
    """Two failures alert at 400 ms; a revert from 700 ms on acts there, or after its `for`."""
    alert = law(FAILED_TWICE, action=Action.ALERT_ONLY)
    at_once = law(FAILED_TWICE, version=2, since=700)
    later = law(FAILED_TWICE, version=2, since=700, for_="3s")
    weaker = law(FAILED_TWICE, version=2, since=700, action=Action.ALERT_ONLY)
    too_late = law(FAILED_TWICE, version=2, since=30_000)

    assert moments(Book([alert, at_once]), TWO_FAILURES) == [400, 700]
    assert moments(Book([alert, later]), TWO_FAILURES) == [400, 3_700]
    for other in (weaker, too_late):
        assert moments(Book([alert, other]), TWO_FAILURES) == [400]
    [_, trip] = trips(Book([alert, at_once]), TWO_FAILURES)
    assert trip.id == action_id("r", 2, "*", NOON + 700, "revert_to_l3")


def test_a_resolved_breaker_counts_afresh() -> None:
    """After a resolution at 500 ms one more failure is not enough, two more are."""
    failures = [(at, command(f"c{at}", at=at)) for at in (0, 100, 600, 700)]
    [first, second] = log(0, *failures, (9_000, b"")), log(0, *failures[:3], (9_000, b""))
    resolved = ResolutionRecord(
        action_id=action_id("r", 1, "*", NOON + 200, "revert_to_l3"),
        rule="r",
        scope_key="*",
        effective_from=NOON + 500,
        resolved_at=from_ms(NOON),
    )
    book = Book([law(FAILED_TWICE)], [resolved])

    assert moments(book, first) == [200, 800]
    assert moments(book, second) == [200]
    assert trips(book, first)[1].command_ids == ("c600", "c700")
    assert trips(book, first)[1].mark == NOON + 500


def test_what_happened_before_the_resolved_second_stays_out() -> None:
    """After a resolution in second 5 a failure of second 4 does not count, one of 5 does."""
    records = [(0, command("a", at=0)), (50, command("b", at=0))]
    resolved = ResolutionRecord(
        action_id=action_id("r", 1, "*", NOON + 100, "revert_to_l3"),
        rule="r",
        scope_key="*",
        effective_from=NOON + 5_500,
        resolved_at=from_ms(NOON),
    )
    records += [(6_000, command("c", at=4_999)), (6_050, command("d", at=5_000))]
    records += [(6_200, command("e", at=5_900)), (7_000, b"")]

    assert moments(Book([law(FAILED_TWICE)], [resolved]), log(0, *records)) == [100, 6_300]


def test_a_breach_must_last() -> None:
    """With `for: 3s` a breach from 400 ms on opens the breaker at 3.4 s, if it is still one."""
    lasting = Book([law(FAILED_TWICE, for_="3s")])
    brief = Book([law(FAILED_TWICE, for_="10s")])

    assert moments(lasting, TWO_FAILURES) == [3_400]
    assert moments(brief, TWO_FAILURES) == []


def test_what_cannot_be_known_stops_the_clock_of_a_breach() -> None:
    """While the window is empty a pending breach neither advances nor is forgotten."""
    rate = Term("errorRate", ">", "0.5")
    records = [(0, command("a", at=0)), (14_050, command("b", at=14_000)), (30_000, b"")]
    book = Book([law(rate, for_="12s")])

    # breach from 0.1 s to 10 s: 9.9 s; silence; breach from 14.1 s on: 2.1 s more
    assert moments(book, log(0, *records)) == [16_200]


def test_an_alert_closes_after_a_while_of_calm() -> None:
    """An alert that must be well for 3 s stays open through calm of 2 s, and closes after 4 s."""
    keep = Book([law(FAILED_TWICE, window="5s", action=Action.ALERT_ONLY, keep_firing_for="3s")])

    def life(second: int) -> list[int]:
        at = (0, 50, second, second + 50)
        records = [(moment, command(f"c{moment}", at=moment)) for moment in at]
        return moments(keep, log(0, *records, (60_000, b"")))

    assert life(7_000) == [100]
    assert life(9_000) == [100, 9_100]


def test_a_new_version_keeps_the_breaker_and_a_disabled_one_drops_it() -> None:
    """A changed rule does not trip again on an open breaker; switched off and on, it does."""
    first, changed = law(FAILED_TWICE), law(FAILED_TWICE, version=2, since=1_000)
    off = law(FAILED_TWICE, version=2, since=1_000, enabled=False)
    again = law(FAILED_TWICE, version=3, since=1_500)

    assert moments(Book([first, changed]), TWO_FAILURES) == [400]
    assert moments(Book([first, off, again]), TWO_FAILURES) == [400, 1_500]


def test_too_few_events_say_nothing() -> None:
    """A rate on fewer events than `minSamples` neither trips nor closes; a count always counts."""
    rate = Term("errorRate", ">", "0.5")

    assert moments(Book([law(rate, min_samples=2)]), TWO_FAILURES) == [400]
    assert moments(Book([law(rate, min_samples=3)]), TWO_FAILURES) == []
    assert moments(Book([law(FAILED_TWICE, min_samples=3)]), TWO_FAILURES) == [400]


@pytest.mark.parametrize(
    ("tree", "wanted"),
    [
        (Both(Term("failures", ">", "0"), Term("approvalRate", "<", "1")), None),
        (Both(Term("failures", ">", "9"), Term("approvalRate", "<", "1")), False),
        (Either(Term("failures", ">", "0"), Term("approvalRate", "<", "1")), True),
        (Either(Term("failures", ">", "9"), Term("approvalRate", "<", "1")), None),
        (Not(Term("approvalRate", "<", "1")), None),
        (Not(Term("failures", "==", "3")), False),
    ],
)
def test_the_unknown_stays_unknown_unless_it_does_not_matter(
    tree: Tree, wanted: bool | None
) -> None:
    """Three failures and no proposal: the rate is unknown, and decides only where it must."""
    assert holds(tree, lambda columns: 3 if len(columns) == 2 else 0, 1) is wanted


def test_the_same_number_is_shown_once() -> None:
    """Evidence names each metric once, in order, under one name."""
    tree = Both(Term("commandType.failures", ">", "1"), Not(Term("failures", ">", "9")))
    both = Either(tree, Term("incident.severity", "===", "low"))

    assert [one.metric for one in readings(both, len)] == ["failures", "incidents.low"]
    assert written(both).endswith('or (incident.severity === "low")')


@pytest.mark.parametrize(
    ("text", "pane", "panes"),
    [("5s", 1_000, 5), ("15m", 1_000, 900), ("20m", 60_000, 20), ("25h", 3_600_000, 25)],
)
def test_long_windows_have_coarse_panes(text: str, pane: int, panes: int) -> None:
    """Up to 15 minutes a pane is a second, up to a day a minute, beyond that an hour."""
    window = Window(length(text))

    assert (window.pane, window.panes) == (pane, panes)
    assert window.leaves(NOON) > NOON + length(text) - pane
    assert window.oldest(window.leaves(NOON) - 1) == NOON // pane


@pytest.mark.parametrize("seed", range(8))
def test_walking_from_change_to_change_is_walking_every_step(seed: int) -> None:
    """The short way through a log finds what looking at every 100 ms finds."""
    case = hostile(seed, size=60)
    times = [record.time for one in case.logs for record in one.records]
    first = min(times)
    shorter = [
        replace(one, records=tuple(r for r in one.records if r.time < first + 600_000))
        for one in case.logs
    ]

    quick = expect(shorter, case.book, scope_limit=case.scope_limit)
    slow = expect(shorter, case.book, scope_limit=case.scope_limit, every_step=True)

    assert quick.judged == slow.judged
