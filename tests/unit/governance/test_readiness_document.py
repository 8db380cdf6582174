"""The page on readiness says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi.routing import APIRoute

from api.routes import metrics, readiness
from governance.checklist import Measured, default_checklist
from governance.measured import (
    APPROVAL_ABOVE,
    LONG_ENOUGH,
    MONTH,
    ROLLBACK_BELOW,
    SCRAPED_WITHIN,
    SUCCESS_ABOVE,
)
from governance.readiness import NO_COOLDOWN, NO_UNRESOLVED, Band, Recommended

PAGE = (Path(__file__).parents[3] / "docs" / "readiness.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """Return the cells of the table whose first column is headed so, without backquotes."""
    block = re.search(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert block is not None
    lines = block[1].splitlines()
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_the_checklist_is_the_shipped_one() -> None:
    """Every item with its part, points, requirement, measure or flag, and age."""
    shipped = [
        [
            item.name,
            item.category,
            str(item.weight),
            "yes" if item.required else "",
            item.check or item.flag,
            f"{item.max_age_days} days" if item.max_age_days else "",
        ]
        for item in default_checklist()
    ]
    assert table("item") == shipped


def test_every_measure_is_explained_with_its_numbers() -> None:
    """What is measured, and from which number on it is met."""
    said = dict(table("check"))

    assert list(said) == list(Measured)
    assert f"{SUCCESS_ABOVE:.1%}".replace("%", " %") in said["success_rate"]
    assert f"{APPROVAL_ABOVE:.0%}".replace("%", " %") in said["approval_rate"]
    assert f"{ROLLBACK_BELOW:.0%}".replace("%", " %") in said["rollback_rate"]
    assert f"{MONTH.days} days" in said["success_rate"]
    assert f"{LONG_ENOUGH.days} days" in said["months_at_phase"]
    assert f"{SCRAPED_WITHIN.seconds // 60} minutes" in said["monitoring"]


def test_bands_and_recommendations_are_all_there() -> None:
    """Nothing that an answer may say is left unexplained."""
    assert {row[0] for row in table("band")} == set(Band)
    assert {row[0] for row in table("recommendation")} == set(Recommended)
    assert NO_UNRESOLVED in PAGE
    assert NO_COOLDOWN in PAGE


def test_the_addresses_are_routed() -> None:
    """Every address that the page names is answered."""
    routed = {
        f"{method} {route.path}"
        for router in (metrics.router, readiness.router)
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert {row[0].split("?")[0] for row in table("address")} <= routed
