"""The checklist as it ships, and how an attestation wears out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from governance.checklist import (
    Category,
    ChecklistItem,
    ItemPatch,
    Kind,
    default_checklist,
    expiry,
    find_item,
)
from schemas.errors import NotFound
from schemas.governance import Phase
from tests.desks import NOON
from tests.unit.governance.assessing import said

CONTRACT = {
    Category.TECHNICAL: [
        ("6+ months running at L3", 5, "RA"),
        ("Command success rate >99.5%", 5, "RA"),
        ("Command approval rate >80%", 3, "A"),
        ("Rollback rate <2%", 2, "A"),
        ("Eval coverage >90%", 5, "R"),
        ("Zero critical incidents from commands", 5, "RA"),
        ("Circuit breakers implemented", 3, "RA"),
        ("Real-time monitoring operational", 3, "RA"),
        ("Kill switch tested", 2, "R"),
        ("Chaos engineering tests passing", 2, ""),
    ],
    Category.PROCESS: [
        ("Incident response playbook complete", 5, "R"),
        ("Runbooks for autonomous actions", 3, "R"),
        ("Accountability framework documented", 2, "R"),
        ("Approval workflow defined", 5, "R"),
        ("Escalation paths established", 3, "R"),
        ("Rollback procedures tested", 2, "R"),
        ("Compliance requirements validated", 3, ""),
        ("Audit trail comprehensive", 2, "RA"),
    ],
    Category.ORGANIZATIONAL: [
        ("Team trained on monitoring", 5, "R"),
        ("On-call rotation established", 3, "R"),
        ("24/7 coverage available", 2, ""),
        ("Leadership approval obtained", 5, "R"),
        ("Customer communication plan ready", 3, ""),
        ("Design partner validation complete", 2, "R"),
    ],
}
"""The contract's checklist: name, weight, R for required, A for measured by us."""


def _marks(item: ChecklistItem) -> str:
    return "R" * item.required + "A" * (item.kind is Kind.AUTOMATIC)


def test_the_checklist_is_the_contracts_word_for_word() -> None:
    """Names, weights and marks are what clients and dashboards already show."""
    shipped = {
        category: [
            (item.name, item.weight, _marks(item))
            for item in default_checklist()
            if item.category is category
        ]
        for category in Category
    }
    assert shipped == CONTRACT


def test_there_are_eighty_points() -> None:
    """35 technical, 25 process, 20 organizational."""
    points = [sum(row[1] for row in CONTRACT[category]) for category in Category]
    assert points == [35, 25, 20]


def test_every_attested_item_has_its_flag() -> None:
    """What is not measured can be imported from the environment, each by a name of its own."""
    flags = [item.flag for item in default_checklist() if item.kind is Kind.ATTESTED]
    assert len(set(flags)) == 16
    assert None not in flags


def test_time_is_counted_at_the_present_phase() -> None:
    """The first item names the phase, and is found by every name that it ever shows."""
    (months, *_) = default_checklist()
    assert months.title(Phase.L4_PLUS) == "6+ months running at L4+"
    assert find_item(default_checklist(), "6+ months running at L4+") == months


def test_a_misspelt_item_names_its_neighbours() -> None:
    """Whoever mistypes a name reads the right one."""
    with pytest.raises(NotFound, match="Kill switch tested"):
        find_item(default_checklist(), "Kill switch test")


def test_an_attestation_ends_at_the_earlier_of_two_ends() -> None:
    """Its own expiry, or the item's greatest age; without either, never."""
    item = find_item(default_checklist(), "Kill switch tested")
    word = said(item.name)
    sooner = word.model_copy(update={"expires_at": NOON + timedelta(days=3)})
    ageless = item.model_copy(update={"max_age_days": None})

    assert expiry(item, word) == NOON + timedelta(days=180)
    assert expiry(item, sooner) == expiry(ageless, sooner) == NOON + timedelta(days=3)
    assert expiry(ageless, word) is None


def test_a_patch_changes_only_what_was_sent() -> None:
    """A field that was left out stays, and a greatest age can be taken away."""
    item = find_item(default_checklist(), "Kill switch tested")
    patched = ItemPatch.model_validate({"weight": 4, "maxAgeDays": None}).applied_to(item)

    assert (patched.weight, patched.required, patched.max_age_days) == (4, True, None)
