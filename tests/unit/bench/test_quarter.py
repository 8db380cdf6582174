"""What is measured on must be what the product writes, or the figures mean nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bench.load import TYPES
from bench.quarter import chain, seeding, trips
from governance import handlers
from governance.desk import Desk
from governance.store import Store
from rules.escalation_reference import decide
from schemas.settings import Settings
from schemas.tallies import Column
from tests.desks import NOON, SetClock

LENGTH = timedelta(hours=6)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return a desk, at noon, over a quarter that is only six hours long."""
    url = f"sqlite:///{tmp_path_factory.mktemp('quarter') / 'governance.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeding, "QUARTER", LENGTH)
        patch.setattr(chain, "ROWS", 300)
        patch.setattr(trips, "EVENTS", 60)
        seeding.fill(url, NOON)
    desk = Desk(Store(url), Settings(_env_file=None), decide, SetClock())
    yield desk
    desk.store.close()


def test_the_product_reads_all_of_it(desk: Desk) -> None:
    """Each shelf finds rows that it understands, and a chain that verifies."""
    assert handlers.verify_audit(desk).intact
    assert len(handlers.list_rules(desk)) == seeding.RULES
    assert len(handlers.list_unresolved_events(desk)) == trips.UNRESOLVED
    assert handlers.explain_event(desk, handlers.list_events(desk)[0].id).evidence
    assert len(handlers.list_proposals(desk)) == 1
    assert handlers.show_validation(desk).progress
    assert handlers.next_due_week(desk) is None


def test_hours_and_days_hold_what_the_minutes_do(desk: Desk) -> None:
    """Of all and of each type, so that long periods are read as they are in production."""
    with desk.store.reading() as unit:
        whole = unit.minutes.total(NOON - LENGTH, NOON)
        of_a_type = unit.minutes.total(NOON - LENGTH, NOON, scope=f"commandType={TYPES[7]}")

    assert whole[Column.SUCCEEDED] == len(TYPES) * of_a_type[Column.SUCCEEDED] == 6 * 60 * 550
