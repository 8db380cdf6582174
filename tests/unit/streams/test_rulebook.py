"""Which version of a rule is in force at T, and what happens to one that comes too late."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from streams.rulebook import Entry, Rulebook
from tests.unit.streams.facts import NOON, entry

BEGINS: Final = st.lists(st.integers(0, 6).map(lambda n: NOON + n * 100), min_size=1, max_size=5)


def versions(begins: list[int]) -> list[Entry]:
    """Return the versions 1, 2, … of one rule, in force from each of *begins*."""
    return [entry(number, since=since) for number, since in enumerate(begins, 1)]


@given(begins=BEGINS, at=st.integers(-1, 7).map(lambda n: NOON + n * 100), data=st.data())
def test_the_version_in_force_is_the_last_that_has_begun(
    begins: list[int], at: int, data: st.DataObject
) -> None:
    """Of the versions whose time has come the latest counts, in whatever order they are heard."""
    book = Rulebook()
    book.learn(data.draw(st.permutations(versions(begins))))
    begun = sorted((since, number) for number, since in enumerate(begins, 1) if since <= at)
    found = [one.version for one in book.in_force(at, {}).values()]
    assert found == [number for _, number in begun[-1:]]


@given(begins=BEGINS, at=st.integers(-1, 7).map(lambda n: NOON + n * 100))
def test_nothing_changes_before_the_next_change(begins: list[int], at: int) -> None:
    """Until the moment that is named the same versions are in force; none is named in vain."""
    book = Rulebook()
    book.learn(versions(begins))
    change = book.next_change(at, {})
    later = [since for since in begins if since > at]
    assert change == min(later, default=None)
    assert book.in_force(at, {}) == book.in_force((change or NOON * 2) - 1, {})


def test_a_rule_heard_of_twice_changes_nothing() -> None:
    """Workers read the topic again at each start."""
    book = Rulebook()
    book.learn([entry(1), entry(1)])
    book.learn([entry(1)])
    assert [one.key for one in book.in_force(0, {}).values()] == ["High Error Rate@1"]


def test_a_disabled_version_is_in_force_and_judges_nothing() -> None:
    """It takes the place of the version before it."""
    book = Rulebook()
    book.learn([entry(1), entry(2, since=NOON, enabled=False)])
    assert book.in_force(NOON, {})["High Error Rate"].live is None
    assert book.in_force(NOON - 1, {})["High Error Rate"].version == 1


def test_a_late_version_counts_from_the_moment_that_was_stored() -> None:
    """What is stored about a late version takes the place of the time written into it."""
    book = Rulebook()
    book.learn([entry(1), entry(2, since=NOON)])
    late = {"High Error Rate@2": NOON + 500}
    assert book.in_force(NOON + 499, late)["High Error Rate"].version == 1
    assert book.in_force(NOON + 500, late)["High Error Rate"].version == 2
    assert book.next_change(NOON, late) == NOON + 500


def test_only_what_nobody_has_used_is_missed() -> None:
    """A version is missed when its time has passed and neither it nor a later one was adopted."""
    book = Rulebook()
    book.learn([entry(1), entry(2, since=NOON), entry(3, since=NOON + 100)])
    name = "High Error Rate"

    def missed(at: int, adopted: int, late: dict[str, int]) -> list[int]:
        return [one.version for one in book.missed(at, {name: adopted}, late)]

    assert missed(NOON, 1, {}) == [2]
    assert missed(NOON - 1, 1, {}) == []
    assert missed(NOON + 100, 2, {}) == [3]
    assert missed(NOON + 100, 1, {f"{name}@2": NOON + 200}) == [3]


def test_labels_are_those_of_rules_in_force() -> None:
    """A tally groups by a label for as long as an enabled rule asks for it."""
    book = Rulebook()
    book.learn(
        [
            entry(1, since=NOON, groupBy="labels.site"),
            entry(2, since=NOON + 100, groupBy="labels.line"),
            entry(3, since=NOON + 200, groupBy="labels.line", enabled=False),
            entry(1, name="Other", groupBy="commandType"),
        ]
    )
    found = [book.labels(NOON + later, {}) for later in (-1, 0, 100, 200)]
    assert found == [set(), {"site"}, {"line"}, set()]
