"""How far the judges are: the slowest of all partitions, and nothing before all reported."""

from datetime import timedelta

from governance.frontier import Frontiers
from schemas.actions import Frontier
from tests.desks import NOON


def report(partition: int, seconds: float, *, partitions: int = 2) -> Frontier:
    """Return a judge's report."""
    return Frontier(
        partition=partition,
        partitions=partitions,
        judged_until=NOON + timedelta(seconds=seconds),
        worker="w",
    )


def test_nothing_is_known_before_every_judge_reported() -> None:
    """One silent judge is a blind spot, not a fast one."""
    frontiers = Frontiers()
    assert frontiers.age(NOON) is None
    frontiers.note(report(0, 5))
    assert frontiers.judged_until() is None


def test_the_slowest_judge_counts() -> None:
    """The frontier is the least of all, and its age never negative."""
    frontiers = Frontiers()
    frontiers.note(report(0, 5))
    frontiers.note(report(1, 2))
    assert frontiers.age(NOON + timedelta(seconds=3)) == timedelta(seconds=1)
    assert frontiers.age(NOON) == timedelta(0)


def test_a_frontier_never_goes_back() -> None:
    """A judge that was stopped and woke up says nothing new."""
    frontiers = Frontiers()
    frontiers.note(report(0, 5, partitions=1))
    frontiers.note(report(0, 1, partitions=1))
    assert frontiers.judged_until() == NOON + timedelta(seconds=5)


def test_another_number_of_partitions_begins_a_new_set() -> None:
    """After the tallies were split further, the old partitions prove nothing."""
    frontiers = Frontiers()
    frontiers.note(report(0, 5, partitions=1))
    frontiers.note(report(0, 6, partitions=2))
    assert frontiers.judged_until() is None
    assert set(frontiers.last()) == {0}


def test_each_worker_says_once_what_overflowed() -> None:
    """A worker with several judges reports the same number with each."""
    frontiers = Frontiers()
    for partition, worker, overflowed in ((0, "w0", 3), (1, "w0", 3), (2, "w1", 40)):
        frontiers.note(
            report(partition, 5, partitions=3).model_copy(
                update={"worker": worker, "overflowed": overflowed}
            )
        )
    assert frontiers.overflowed() == 43
