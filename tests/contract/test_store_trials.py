"""Validations, cooldowns, rollbacks and the kill switch on both databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from governance import handlers
from governance.audit import Act
from governance.desk import Desk
from governance.proposals import ProposalStatus
from governance.validation import ValidationStatus
from schemas.alerts import AlertType
from schemas.errors import NotFound, Refused
from schemas.events import Severity
from schemas.governance import Phase
from tests.contract.test_store_proposals import acts
from tests.contract.test_store_trips import alerts, states
from tests.desks import NOON, revert
from tests.ladders import (
    OPS,
    TECH,
    clock_of,
    executors_of,
    make_ready,
    proposed,
    ready_desk,
)


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """Return a desk over an installation that has just risen to L3+."""
    desk = ready_desk(database_url)
    handlers.approve_proposal(desk, proposed(desk).id, TECH)
    clock_of(desk).pass_(timedelta(minutes=1))
    yield desk
    desk.store.close()


def test_a_validation_succeeds_at_its_end(desk: Desk) -> None:
    """It runs for its fourteen days, shows how far it is, and then blocks nothing any more."""
    clock_of(desk).pass_(timedelta(days=7))
    seen = handlers.show_validation(desk)
    assert seen.progress is not None
    assert (seen.status, round(seen.progress.elapsed, 2)) == (ValidationStatus.RUNNING, 0.5)
    assert seen.progress.samples == 5_995
    handlers.judge_validation(desk)
    assert handlers.show_validation(desk).ended_at is None
    clock_of(desk).pass_(timedelta(days=7))
    handlers.judge_validation(desk)
    assert handlers.show_validation(desk).status is ValidationStatus.SUCCESSFUL
    assert handlers.show_state(desk).current_phase is Phase.L3_PLUS


def test_too_many_failures_demote_to_the_previous_phase(desk: Desk) -> None:
    """By itself, in a new epoch, told to everybody, and with a week of cooldown."""
    executors_of(desk).columns = {"succeeded": 990, "failed": 10}
    handlers.judge_validation(desk)
    state = handlers.show_state(desk)
    assert (state.current_phase, state.autonomy_epoch) == (Phase.L3, 2)
    ended = handlers.show_validation(desk)
    assert (ended.status, "99.000%" in (ended.reason or "")) == (ValidationStatus.FAILED, True)
    cooldown = handlers.show_cooldown(desk)
    assert cooldown is not None
    assert cooldown.until - cooldown.started_at == timedelta(days=7)
    assert acts(desk)[-3:] == [Act.VALIDATION_ENDED, Act.COOLDOWN_STARTED, Act.PHASE_DEMOTED]
    assert {AlertType.VALIDATION_ENDED, AlertType.PHASE_CHANGED} <= {a.type for a in alerts(desk)}
    assert states(desk, "epoch/2")


def test_a_critical_incident_demotes_to_the_floor(database_url: str) -> None:
    """From L4 not to L3+ but to L3, and with a month of cooldown."""
    desk = ready_desk(database_url, Phase.L3_PLUS)
    for somebody in (TECH, OPS):
        handlers.approve_proposal(desk, (handlers.list_proposals(desk) or [proposed(desk)])[0].id,
                                  somebody)  # fmt: skip
    clock_of(desk).pass_(timedelta(minutes=2))
    executors_of(desk).columns["incident_critical"] = 1
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


def test_a_revert_ends_the_validation_and_cools_down_for_longer_each_time(desk: Desk) -> None:
    """A month for the first critical demotion, two for one within ninety days of it."""
    handlers.apply_action(desk, revert(decided_at=NOON))
    assert handlers.show_validation(desk).status is ValidationStatus.FAILED
    first = handlers.show_cooldown(desk)
    handlers.resolve_event(desk, revert(decided_at=NOON).id, by="anna")
    make_ready(desk)
    assert handlers.propose_if_ready(desk, handlers.assess(desk)) is None
    clock_of(desk).pass_(timedelta(days=31))
    make_ready(desk)
    handlers.approve_proposal(desk, proposed(desk).id, TECH)
    handlers.apply_action(desk, revert(decided_at=NOON + timedelta(days=31)))
    second = handlers.show_cooldown(desk)
    assert first is not None
    assert second is not None
    assert (first.until - first.started_at).days == 30
    assert (second.until - second.started_at, second.severity) == (
        timedelta(days=60),
        Severity.CRITICAL,
    )


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


def test_the_kill_switch_takes_everything_once(desk: Desk) -> None:
    """L3, nothing allowed, all known types paused, proposals voided; pulled again, no change."""
    with desk.store.writing() as unit:
        unit.minutes.add({(int(NOON.timestamp()) // 60, "commandType=BREW"): [1] * 17})
    killed = handlers.pull_kill_switch(desk, reason="smoke", by="anna")
    assert (killed.state.current_phase, killed.state.command_whitelist) == (Phase.L3, [])
    assert {"BREW", "SET_FAN", "SET_POWER", "ABORT"} <= set(killed.state.paused_command_types)
    assert (killed.already, killed.state.autonomy_epoch) == (False, 2)
    head = handlers.show_audit_head(desk)
    again = handlers.pull_kill_switch(desk, reason="smoke", by="anna")
    assert (again.already, again.state) == (True, killed.state)
    assert handlers.show_audit_head(desk) == head
    assert acts(desk)[-1] == Act.KILL_SWITCH_PULLED
    assert len([s for s in states(desk, "governance") if s.phase is Phase.L3]) >= 2


def test_the_kill_switch_voids_what_is_pending(database_url: str) -> None:
    """A proposal of before cannot be approved after."""
    desk = ready_desk(database_url)
    found = proposed(desk)
    killed = handlers.pull_kill_switch(desk, reason="smoke", by="anna")
    assert killed.voided_proposals == [found.id]
    assert handlers.show_proposal(desk, found.id).status is ProposalStatus.VOIDED
    desk.store.close()


def test_of_fifty_who_pull_at_once_one_opens_an_epoch(desk: Desk) -> None:
    """Everybody hits the button: one lowering, one audit row."""
    with ThreadPoolExecutor(50) as people:
        done = list(
            people.map(
                lambda n: handlers.pull_kill_switch(desk, reason="smoke", by=f"p{n}"), range(50)
            )
        )
    assert sum(not one.already for one in done) == 1
    assert handlers.show_state(desk).autonomy_epoch == 2
    assert acts(desk).count(Act.KILL_SWITCH_PULLED) == 1


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
        assert killed.result(timeout=20).state.current_phase is Phase.L3
    other.close()
    assert handlers.show_state(desk).current_phase is Phase.L3
    desk.store.close()
