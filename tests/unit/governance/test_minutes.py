"""Minutes that are counted and not yet written: no reader misses or doubles one."""

from governance.minutes import Minutes
from schemas.tallies import Column, Cut, Row

MINUTE = 29_000_000
PANE = MINUTE * 60


def cut(scope: str, pane: int, number: int = 1) -> Cut:
    """Return a cut that adds *number* successes."""
    return Cut(
        frm=0, upto=100, offset=0, rows=[Row(scope, [(pane, [(Column.SUCCEEDED, number)])], [])]
    )


def seen(minutes: Minutes, written: int, scope: str = "*") -> int:
    """Return the successes that a reader adds to what the database holds."""
    return minutes.since(written, scope=scope, first=MINUTE, last=MINUTE + 1)[Column.SUCCEEDED]


def test_panes_of_one_minute_add_up() -> None:
    """Sixty panes make a minute; the next one does not belong to it."""
    minutes = Minutes()
    for pane in (PANE, PANE + 59, PANE + 60):
        minutes.add(cut("*", pane))
    assert seen(minutes, 0) == 2


def test_overall_and_command_types_are_kept_and_labels_are_not() -> None:
    """Other groupings are the judges' business and would only grow the table."""
    minutes = Minutes()
    for scope in ("*", "commandType=A", "labels.site=north"):
        minutes.add(cut(scope, PANE))
    assert seen(minutes, 0, "commandType=A") == 1
    assert seen(minutes, 0, "labels.site=north") == 0


def test_a_reader_sees_each_batch_once() -> None:
    """What a reader's database holds already is not added again, what it lacks is."""
    minutes = Minutes(written=4)
    minutes.add(cut("*", PANE, 10))
    batch = minutes.close_batch()
    minutes.add(cut("*", PANE, 1))
    assert batch.number == 5
    assert seen(minutes, written=4) == 11
    assert seen(minutes, written=5) == 1


def test_batches_are_kept_for_slow_readers_and_not_for_ever() -> None:
    """A reader that summed the database a few batches ago still finds what it lacks."""
    minutes = Minutes()
    for _ in range(10):
        minutes.add(cut("*", PANE))
        minutes.close_batch()
    assert seen(minutes, written=8) == 2
    assert seen(minutes, written=0) == 3
