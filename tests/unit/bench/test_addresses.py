"""Every address is measured, also one that is new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.addresses import addresses, pages

DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "docs" / "openapi.json").read_text(encoding="utf-8")
)
IDS = {
    "act_id": "a-1",
    "event_id": "e-1",
    "name": "High Error Rate",
    "proposal_id": "p-1",
    "report_id": "r-1",
}


def test_every_get_is_asked_but_the_stream() -> None:
    """The stream never ends; everything else has an id for each of its braces."""
    found = addresses(DOCUMENT, IDS)
    gets = [path for path, item in DOCUMENT["paths"].items() if "get" in item]

    assert not any("{" in address for address in found)
    assert len({address.split("?")[0] for address in found} & {*gets}) > len(gets) // 2
    assert "/api/stream" not in found
    assert "/api/circuit-breaker/rules/High%20Error%20Rate/stats" in found


def test_a_list_is_asked_at_its_longest_too() -> None:
    """What bounds it is in the document."""
    assert "/api/circuit-breaker/events?limit=500" in addresses(DOCUMENT, IDS)


def test_pages_for_people_are_told_apart() -> None:
    """They are wanted less fast."""
    assert pages(DOCUMENT, IDS) == {"/api/governance/reports/r-1.html"}


def test_an_id_that_nobody_knows_is_no_address() -> None:
    """A new parameter is noticed instead of being measured as a 404."""
    with pytest.raises(KeyError):
        addresses(DOCUMENT, {})
