"""Validations, cooldowns, rollbacks and the kill switch on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from governance import handlers
from governance.audit import Act
from governance.desk import Desk
from governance.validation import ValidationStatus
from schemas.alerts import AlertType
from schemas.events import Severity
from schemas.governance import Phase
from schemas.tallies import WIDTH
from tests.contract.test_store_proposals import acts
from tests.contract.test_store_trips import alerts, states
from tests.desks import NOON, revert
from tests.ladders import (
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
    assert seen.progress.samples == 3_000
    handlers.judge_validation(desk)
    assert handlers.show_validation(desk).ended_at is None
    clock_of(desk).pass_(timedelta(days=7))
    handlers.judge_validation(desk)
    assert handlers.show_validation(desk).status is ValidationStatus.SUCCESSFUL
    assert handlers.show_state(desk).current_phase is Phase.L3_PLUS


def test_too_many_failures_demote_to_the_previous_phase(desk: Desk) -> None:
    """By itself, in a new epoch, told to everybody, and with a week of cooldown."""
    executors_of(desk).columns = {"succeeded_autonomous": 990, "failed_autonomous": 10}
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


def test_the_kill_switch_takes_everything_once(desk: Desk) -> None:
    """L3, nothing allowed, all known types paused, proposals voided; pulled again, no change."""
    with desk.store.writing() as unit:
        unit.minutes.add({(int(NOON.timestamp()) // 60, "commandType=BREW"): [1] * WIDTH})
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
