"""Laws of the readiness score, of what moved it, and of reading long periods in few rows."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from governance.checklist import ChecklistItem, Kind, default_checklist
from governance.readiness import Assessment, Band, score
from governance.readiness_diff import difference, has_moved
from governance.rollups import stretches
from schemas.governance import Phase
from schemas.wire import from_ms, to_ms
from tests.desks import NOON
from tests.unit.governance.assessing import good_facts, said

ATTESTED = [item.name for item in default_checklist() if item.kind is Kind.ATTESTED]
MINUTE = 60_000

weights = st.lists(
    st.tuples(st.integers(0, 100), st.booleans()),
    min_size=len(default_checklist()),
    max_size=len(default_checklist()),
)
words = st.dictionaries(st.sampled_from(ATTESTED), st.booleans())
unresolved_events = st.integers(0, 3)


def checklist(edits: list[tuple[int, bool]]) -> list[ChecklistItem]:
    """Return the default checklist with other weights and requirements."""
    return [
        item.model_copy(update={"weight": weight, "required": required})
        for item, (weight, required) in zip(default_checklist(), edits, strict=True)
    ]


def assessed(
    edits: list[tuple[int, bool]], met: dict[str, bool], *, unresolved: int = 0, days: int = 0
) -> Assessment:
    """Return what is found with these weights and these words."""
    newest = {name: said(name, met=word) for name, word in met.items()}
    facts = good_facts(unresolved=unresolved)
    return score(checklist(edits), newest, facts, NOON + timedelta(days=days))


@given(weights, words, unresolved_events)
def test_ready_means_all_three(
    edits: list[tuple[int, bool]], met: dict[str, bool], unresolved: int
) -> None:
    """Ready is exactly: 95 % of the points, every required item, no unresolved event."""
    found = assessed(edits, met, unresolved=unresolved)
    earned = sum(item.weight for item in found.items if item.status)
    most = sum(weight for weight, _ in edits)
    enough = most > 0 and Fraction(earned, most) >= Fraction(95, 100)
    required = all(item.status for item in found.items if item.required)

    assert found.overall.ready == (enough and required and unresolved == 0)
    assert (found.overall.band is Band.READY) == enough
    assert found.overall.ready <= (not found.overall.blockers)


@given(weights, words)
def test_the_parts_make_the_whole(edits: list[tuple[int, bool]], met: dict[str, bool]) -> None:
    """The points of the three parts add up, and the score is their share, 0 to 1."""
    found = assessed(edits, met)
    parts = found.categories.values()

    assert sum(part.score for part in parts) == found.overall.points
    assert sum(part.max_score for part in parts) == found.overall.max_points
    assert 0 <= found.overall.score <= 1


@given(weights, words, st.sampled_from(ATTESTED))
def test_one_more_item_never_costs(
    edits: list[tuple[int, bool]], met: dict[str, bool], name: str
) -> None:
    """Meeting an item raises the score by its weight or keeps it, and adds no blocker."""
    without = assessed(edits, {**met, name: False})
    with_it = assessed(edits, {**met, name: True})

    assert with_it.overall.score >= without.overall.score
    assert set(with_it.overall.blockers) <= set(without.overall.blockers)
    assert with_it.overall.ready >= without.overall.ready


@given(weights, weights, words, words, st.integers(0, 400))
def test_the_changes_add_up_to_the_difference(
    old: list[tuple[int, bool]],
    new: list[tuple[int, bool]],
    before: dict[str, bool],
    after: dict[str, bool],
    days: int,
) -> None:
    """Whatever moved, the points of the changes are the difference of the scores in points."""
    first, last = assessed(old, before), assessed(new, after, days=days)
    found = difference(NOON, first, last, between=[last, first], checklist={})

    assert sum(change.points for change in found.changes) == (
        last.overall.points - first.overall.points
    )
    assert bool(found.changes) <= has_moved(first, last)
    assert all(first.timestamp <= change.at <= last.timestamp for change in found.changes)


@given(weights, words)
def test_nothing_moves_between_an_assessment_and_itself(
    edits: list[tuple[int, bool]], met: dict[str, bool]
) -> None:
    """No change is made up, and the phase's name in an item is none."""
    found = assessed(edits, met)
    newest = {name: said(name, met=word) for name, word in met.items()}
    higher = score(checklist(edits), newest, good_facts(phase=Phase.L4), NOON)

    assert difference(NOON, found, higher, between=[], checklist={}).changes == []
    assert not has_moved(found, found)


@given(st.integers(0, 4_000), st.integers(0, 4_000), st.integers(0, MINUTE - 1))
def test_every_minute_is_read_once(start: int, length: int, off: int) -> None:
    """Days, hours and minutes cover exactly the minutes that begin in the period."""
    first = from_ms(to_ms(NOON) + start * MINUTE + off)
    last = first + timedelta(minutes=length)
    covered = [
        minute
        for stretch in stretches(first, last)
        for minute in range(stretch.first, stretch.last, MINUTE)
    ]
    beginning = -(-to_ms(first) // MINUTE) * MINUTE

    assert covered == list(range(beginning, to_ms(last), MINUTE))
    assert len(stretches(first, last)) <= 5
