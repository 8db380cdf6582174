"""Trials as handlers keep them: what demotes, what people decide, and what a lock delays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from governance import handlers
from governance.desk import Desk
from governance.proposals import ProposalStatus
from governance.validation import ValidationStatus
from schemas.alerts import AlertType
from schemas.errors import NotFound, Refused
from schemas.governance import Phase
from tests.contract.test_store_trips import alerts
from tests.ladders import (
    OPS,
    TECH,
    clock_of,
    executors_of,
    proposed,
    ready_desk,
)


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Return the address of an empty database."""
    return f"sqlite:///{tmp_path / 'governance.db'}"


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """Return a desk over an installation that has just risen to L3+."""
    desk = ready_desk(database_url)
    handlers.approve_proposal(desk, proposed(desk).id, TECH)
    clock_of(desk).pass_(timedelta(minutes=1))
    yield desk
    desk.store.close()


def test_a_critical_incident_demotes_to_the_floor(database_url: str) -> None:
    """From L4 not to L3+ but to L3, and with a month of cooldown."""
    desk = ready_desk(database_url, Phase.L3_PLUS)
    for somebody in (TECH, OPS):
        handlers.approve_proposal(desk, (handlers.list_proposals(desk) or [proposed(desk)])[0].id,
                                  somebody)  # fmt: skip
    clock_of(desk).pass_(timedelta(minutes=2))
    executors_of(desk).columns["incident_critical_autonomous"] = 1
    handlers.judge_validation(desk)
    cooldown = handlers.show_cooldown(desk)
    assert handlers.show_state(desk).current_phase is Phase.L3
    assert cooldown is not None
    assert cooldown.until - cooldown.started_at == timedelta(days=30)
    desk.store.close()


def test_too_few_attempts_extend_once_and_then_ask_people(desk: Desk) -> None:
    """Nothing is read into silence: twice as long, then a person decides; rises wait meanwhile."""
    executors_of(desk).columns = {"succeeded": 3}
    clock_of(desk).pass_(timedelta(days=14))
    handlers.judge_validation(desk)
    assert handlers.show_validation(desk).extended
    with pytest.raises(Refused, match="running"):
        handlers.conclude_validation(desk, keep=True, reason="fine", by="anna")
    clock_of(desk).pass_(timedelta(days=14))
    handlers.judge_validation(desk)
    handlers.judge_validation(desk)
    assert handlers.show_validation(desk).status is ValidationStatus.INCONCLUSIVE
    assert [a.type for a in alerts(desk)].count(AlertType.VALIDATION_UNDECIDED) == 1
    assert "is still being validated" in "".join(
        handlers.list_obstacles(desk, handlers.assess(desk))
    )
    handlers.conclude_validation(desk, keep=True, reason="a quiet month", by="anna")
    assert handlers.show_validation(desk).status is ValidationStatus.SUCCESSFUL
    assert handlers.show_state(desk).current_phase is Phase.L3_PLUS
    with pytest.raises(NotFound):
        handlers.conclude_validation(desk, keep=False, reason="no", by="anna")


def test_a_dry_run_shows_and_changes_nothing(desk: Desk) -> None:
    """It says which command types go, and that the validation ends; the rollback then does so."""
    before = (handlers.show_audit_head(desk), handlers.show_state(desk))
    preview = handlers.preview_rollback(desk, Phase.L3, incident_id="i-7")
    assert (handlers.show_audit_head(desk), handlers.show_state(desk)) == before
    assert preview.leaves_whitelist == ["SET_FAN", "SET_POWER"]
    assert preview.ends_validation
    assert preview.cooldown is not None
    state = handlers.roll_back(desk, Phase.L3, reason="precaution", by="anna", incident_id="i-7")
    assert state == preview.state
    found = handlers.show_cooldown(desk)
    assert found is not None
    assert found.until == preview.cooldown.until


def test_the_kill_switch_voids_what_is_pending(database_url: str) -> None:
    """A proposal of before cannot be approved after."""
    desk = ready_desk(database_url)
    found = proposed(desk)
    killed = handlers.pull_kill_switch(desk, reason="smoke", by="anna")
    assert killed.voided_proposals == [found.id]
    assert handlers.show_proposal(desk, found.id).status is ProposalStatus.VOIDED
    desk.store.close()


def test_what_lowers_waits_for_a_database_that_another_process_holds(tmp_path: Path) -> None:
    """Long after the database said busy, the lowering takes effect as soon as the lock is gone."""
    file = tmp_path / "governance.db"
    desk = ready_desk(f"sqlite:///{file}", Phase.L4, patience_ms=100)
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    with ThreadPoolExecutor(2) as people:
        back = people.submit(handlers.roll_back, desk, Phase.L3_PLUS, reason="x", by="anna")
        killed = people.submit(handlers.pull_kill_switch, desk, reason="x", by="anna")
        with pytest.raises(TimeoutError):
            killed.result(timeout=1)
        assert not back.done()
        other.execute("ROLLBACK")
        assert killed.result(timeout=60).state.current_phase is Phase.L3
    other.close()
    assert handlers.show_state(desk).current_phase is Phase.L3
    desk.store.close()
