"""Open transactions: seen, aged, and neither taken for a stall nor an excuse for one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final

import pytest

from schemas.settings import Settings
from schemas.topics import COMMAND_EVENTS, TALLIES
from streams.duties import positions_that_must_move, tell_of_transactions
from streams.stretch import Ends
from streams.transactions import Held, OpenTransactions, has_nothing_to_read

NOW: Final = 1_795_435_200.0
STALL: Final = 30
LOG: Final = "t.command-events/0"


def ends(stable: int, high: int, age: float = 0.0) -> Ends:
    """Return ends that a broker told *age* seconds ago."""
    return Ends(stable, high, NOW - age)


def test_a_transaction_is_as_old_as_its_first_sight() -> None:
    """It is known by where it holds its partition; one that is seen but once is none to tell of."""
    seen = OpenTransactions()
    seen.see({LOG: ends(7, 9)}, 100.0)
    assert seen.held == {}
    seen.see({LOG: ends(7, 12)}, 104.5)
    assert seen.held == {LOG: Held(7, 4.5)}


@pytest.mark.parametrize("later", [{LOG: ends(9, 12)}, {LOG: ends(7, 7)}, {LOG: ends(12, 12)}, {}])
def test_a_transaction_that_ended_is_forgotten(later: dict[str, Ends]) -> None:
    """Another one in its place begins anew."""
    seen = OpenTransactions()
    for now in (100.0, 104.0):
        seen.see({LOG: ends(7, 9)}, now)
    seen.see(later, 105.0)
    assert seen.held == {}


@pytest.mark.parametrize(
    ("pos", "found", "has_nothing"),
    [
        (7, ends(7, 9), True),
        (7, ends(7, 7), True),
        (6, ends(7, 9), False),
        (7, ends(7, 9, age=STALL), True),
        (7, ends(7, 9, age=STALL + 1), False),
        (7, None, False),
    ],
)
def test_nothing_to_read_must_have_been_said_lately(
    pos: int, found: Ends | None, has_nothing: bool
) -> None:
    """A client that stopped asking does not know, and is no excuse."""
    assert has_nothing_to_read(pos, found, now=NOW, patience=STALL) == has_nothing


def app(tally: Ends | None, judge: Ends | None, *, pos: int = 7, rules: Ends | None = None) -> Any:
    """Return as much of a worker's app as its watchdog looks at: a partition on each side."""
    settings = Settings(_env_file=None, topic_prefix="t.", worker_stall_seconds=STALL)
    parts = {0: SimpleNamespace(state=SimpleNamespace(pos=pos))}
    sides = [
        SimpleNamespace(source=source, checkpoints=SimpleNamespace(parts=parts))
        for source in (COMMAND_EVENTS, TALLIES)
    ]
    found = {"t.command-events": tally, "t.tallies": judge}
    return SimpleNamespace(
        settings=settings,
        sides=sides,
        tallying=sides[0],
        ends_of=lambda topic, _: found[topic],
        transactions=OpenTransactions(),
        control=SimpleNamespace(ends=lambda: {} if rules is None else {"t.rules/0": rules}),
    )


@pytest.mark.parametrize(
    ("tally", "judge", "must_move"),
    [
        (ends(7, 7), ends(8, 8), ["command-events/0", "tallies/0"]),
        (ends(7, 7), ends(7, 7), ["command-events/0"]),
        (ends(7, 9), ends(7, 7), []),
        (ends(8, 9), ends(7, 7), ["command-events/0"]),
        (ends(7, 9, age=STALL + 1), ends(7, 7, age=STALL + 1), ["command-events/0", "tallies/0"]),
        (None, None, ["command-events/0", "tallies/0"]),
    ],
)
def test_what_waits_for_a_transaction_need_not_move(
    tally: Ends | None, judge: Ends | None, must_move: list[str]
) -> None:
    """A source partition is ticked by us otherwise; a judge waits for the source."""
    assert sorted(positions_that_must_move(app(tally, judge), NOW)) == must_move


@pytest.mark.parametrize(
    ("rules", "must_move"), [(ends(5, 5), 2), (ends(5, 6), 0), (ends(5, 6, age=STALL + 1), 2)]
)
def test_nothing_moves_while_decisions_may_yet_be_committed(rules: Ends, must_move: int) -> None:
    """No batch is taken before they are known; a reader that no longer asks is no excuse."""
    worker = app(ends(9, 9), ends(9, 9), rules=rules)
    assert len(positions_that_must_move(worker, NOW)) == must_move


def test_a_long_transaction_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """With its place, its age and its offset; the next one is told again."""
    worker, told = app(None, None), set[tuple[str, int]]()
    for now, stable in ((0, 7), (1, 7), (10, 7), (11, 7), (20, 30), (40, 30), (41, 30)):
        worker.transactions.see({LOG: ends(stable, 99)}, float(now))
        told = tell_of_transactions(worker, told)
    said = [record.message for record in caplog.records]
    assert [one.partition(" has been open for ")[2].split(";")[0] for one in said] == [
        "10 s",
        "20 s",
    ]
    assert "offset 7 on" in said[0]
    assert said[1].startswith("t.command-events/0: a transaction")
