"""The score, what blocks, and what follows from it."""

from __future__ import annotations

from datetime import timedelta

from governance.advice import advised, next_actions
from governance.checklist import Category
from governance.readiness import NO_COOLDOWN, NO_UNRESOLVED, Band, Recommended, overall, score
from schemas.governance import Phase
from tests.desks import NOON
from tests.unit.governance.assessing import CHECKLIST, assessment, counted, good_facts

OPTIONAL = ("Customer communication plan ready",)
BAD = counted(succeeded=90, failed=10, proposed=10, approved=9)


def recommended(**facts: object) -> list[Recommended]:
    """Return what is recommended when everything attested is met."""
    known = good_facts(**facts)
    return [each.type for each in advised(assessment(facts=known), known).recommendations]


def test_everything_met_is_ready() -> None:
    """80 of 80, and nothing blocks."""
    whole = assessment().overall
    assert (whole.score, whole.ready, whole.blockers, whole.band) == (1.0, True, [], Band.READY)


def test_categories_are_in_points() -> None:
    """35, 25 and 20, as the dashboards divide them."""
    parts = assessment().categories
    assert [(parts[c].score, parts[c].max_score) for c in Category] == [
        (35, 35),
        (25, 25),
        (20, 20),
    ]


def test_seventy_seven_of_eighty_are_enough() -> None:
    """An item of three points that is not required does not block."""
    whole = assessment(but=OPTIONAL).overall
    assert (round(whole.score, 2), whole.ready) == (0.96, True)


def test_a_required_item_blocks_whatever_the_score() -> None:
    """78 of 80 with the kill switch untested is not ready, and says so by the item's name."""
    whole = assessment(but=["Kill switch tested"]).overall
    assert (whole.points, whole.band, whole.ready) == (78, Band.READY, False)
    assert whole.blockers == ["Kill switch tested"]


def test_an_unresolved_event_blocks() -> None:
    """A full score waits for people."""
    whole = assessment(facts=good_facts(unresolved=2)).overall
    assert (whole.score, whole.ready, whole.blockers) == (1.0, False, [NO_UNRESOLVED])


def test_a_cooldown_blocks_and_says_until_when() -> None:
    """A full score is not ready while nothing may be proposed anyhow."""
    until = NOON + timedelta(days=7)
    found = assessment(facts=good_facts(cooldown_until=until))
    assert (found.overall.score, found.overall.ready) == (1.0, False)
    assert found.overall.blockers == [NO_COOLDOWN]
    first = next_actions(found, good_facts(cooldown_until=until))[0]
    assert first.due_date == until


def test_a_sentence_names_three_blockers_and_counts_the_rest() -> None:
    """The report lists each of them once; its sentences stay readable, and no point is rounded."""
    one = assessment(but=["Kill switch tested"])
    assert (one.overall.shown_score, one.overall.shown_blockers) == ("97.50%", "Kill switch tested")
    known = good_facts()
    nobody = score(CHECKLIST, {}, known, NOON)
    named = ", ".join(nobody.overall.blockers[:3])
    more = len(nobody.overall.blockers) - 3
    why = f"readiness is {nobody.overall.shown_score}; missing: {named} and {more} more"
    assert more > 5
    assert [one.rationale for one in advised(nobody, known).recommendations] == [why]


def test_a_checklist_that_weighs_nothing_says_nothing() -> None:
    """No points are no readiness."""
    assert not overall([], unresolved=0).ready


def test_an_attestation_expires() -> None:
    """On the day after its greatest age it no longer counts, and its item says why."""
    later = NOON + timedelta(days=180)
    found = {item.name: item for item in assessment(now=later).items}["Kill switch tested"]
    assert not found.status
    assert found.details == "attested by anna on 2026-11-23, expired on 2027-05-22"


def test_ready_recommends_the_next_phase() -> None:
    """At the top there is nothing above."""
    assert recommended() == [Recommended.EXPAND_SCOPE]
    assert recommended(phase=Phase.L5) == [Recommended.MAINTAIN]


def test_unresolved_events_are_investigated_first() -> None:
    """Nothing is expanded while nobody knows what happened."""
    assert recommended(unresolved=1) == [Recommended.INVESTIGATE]


def test_bad_numbers_above_the_floor_recommend_a_rollback() -> None:
    """Below 99 % success the runbook considers it; at L3 there is nothing to give up."""
    assert recommended(recent=BAD, phase=Phase.L4)[0] is Recommended.ROLLBACK
    assert Recommended.ROLLBACK not in recommended(recent=BAD, phase=Phase.L3)


def test_what_blocks_is_done_first() -> None:
    """Next actions begin with the required item that adds most."""
    known = good_facts()
    found = advised(assessment(but=[*OPTIONAL, "Kill switch tested"], facts=known), known)
    assert [action.description.split("”")[0] for action in found.next_actions] == [
        "Attest “Kill switch tested",
        "Attest “Customer communication plan ready",
    ]


def test_what_runs_out_soon_is_renewed() -> None:
    """Two weeks before the end an attestation is something to do, by when it ends."""
    later = NOON + timedelta(days=170)
    known = good_facts(scraped_at=later)
    actions = advised(assessment(facts=known, now=later), known).next_actions
    assert {action.due_date for action in actions} == {NOON + timedelta(days=180)}
    assert "Renew “Kill switch tested”" in [action.description for action in actions]
