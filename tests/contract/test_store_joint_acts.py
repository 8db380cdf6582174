"""Joint acts on both databases: one transaction, once, and nothing left of what was refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from governance import handlers
from governance.audit import Act
from governance.checklist import ItemPatch
from governance.desk import Desk
from governance.handlers.joint_acts import rehearse
from governance.handlers.wishes import (
    ResolveEvent,
    ResumeType,
    read_wish,
    wish_to_change,
    wish_to_lift,
)
from governance.joint_acts import JointStatus, Signer
from governance.ladder_watch import LadderWatch
from governance.store import Store
from schemas.errors import ActClosed, NotFound, OwnAct, Refused, StaleEpoch, StreamBlind
from schemas.governance import Phase
from tests.desks import NOON, desk_at, revert, trip
from tests.ladders import PEOPLE, TECH, clock_of, proposed, ready_desk

ANNA = Signer("anna", "token", may_carry=True)
BEN = Signer("ben", "token", may_carry=True)
OLGA = Signer("olga", "token", may_carry=False)


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """Return a desk over a new installation whose clock is set."""
    desk = ready_desk(database_url)
    yield desk
    desk.store.close()


@pytest.fixture
def wish(desk: Desk) -> ResolveEvent:
    """Return the wish to resolve an event that paused a command type."""
    action = trip(decided_at=NOON)
    handlers.apply_action(desk, action)
    return ResolveEvent(event_id=action.id, about="a trip")


def acts(desk: Desk) -> list[str]:
    """Return what the audit log says was done, oldest first."""
    return [entry.act for entry in reversed(handlers.list_audit(desk, limit=500))]


def test_the_last_signature_and_what_it_carries_are_one(desk: Desk, wish: ResolveEvent) -> None:
    """Both are in the audit log, one behind the other, and the chain holds."""
    act = handlers.sign_wish(desk, wish, OLGA).act
    assert handlers.list_unresolved_events(desk)
    signed = handlers.countersign(desk, act.id, read_wish(act), ANNA)

    assert signed.act.status is JointStatus.CARRIED
    assert acts(desk)[-4:] == [
        Act.JOINT_ACT_ASKED,
        Act.JOINT_ACT_SIGNED,
        Act.EVENT_RESOLVED,
        Act.JOINT_ACT_CARRIED,
    ]
    assert handlers.verify_audit(desk).intact
    assert handlers.explain_event(desk, wish.event_id).resolved_by == "olga, anna"


def audit_details(desk: Desk) -> str:
    """Return what the checklist says of the audit log."""
    return next(e.details for e in handlers.list_checklist(desk) if e.check == "audit_chain")


def test_an_audit_log_is_whole_although_a_joint_act_was_tried_and_undone(desk: Desk) -> None:
    """The row that the trial wrote is gone, and its number belongs to another one by now."""
    item = handlers.list_checklist(desk)[0]
    handlers.sign_wish(desk, wish_to_change(desk, item.name, ItemPatch(weight=4)), OLGA)

    assert acts(desk)[-1] == Act.JOINT_ACT_ASKED
    assert audit_details(desk) == f"the chain of {len(acts(desk))} audit rows verifies"


def test_of_fifty_who_countersign_at_once_one_does(desk: Desk, wish: ResolveEvent) -> None:
    """The others are told that it is done."""
    act = handlers.sign_wish(desk, wish, OLGA).act
    ready = threading.Barrier(50)

    def sign(number: int) -> bool:
        ready.wait()
        try:
            signer = Signer(f"lead-{number}", "token", may_carry=True)
            return handlers.countersign(desk, act.id, wish, signer).outcome is not None
        except ActClosed:
            return False

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(sign, range(50))) == 1
    assert acts(desk).count(Act.EVENT_RESOLVED) == 1


def test_of_fifty_who_ask_for_the_same_at_once_two_are_enough(
    desk: Desk, wish: ResolveEvent
) -> None:
    """One act, two names, one resolution."""
    ready = threading.Barrier(50)

    def ask(number: int) -> None:
        ready.wait()
        with suppress(ActClosed):
            handlers.sign_wish(desk, wish, Signer(f"lead-{number}", "token", may_carry=True))

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(ask, range(50)))
    asked = handlers.list_past_joint_acts(desk, limit=100)
    assert acts(desk).count(Act.EVENT_RESOLVED) == 1
    assert [(act.status, len(act.signatures)) for act in asked] == [(JointStatus.CARRIED, 2)]


def test_a_rehearsal_leaves_nothing(desk: Desk, wish: ResolveEvent) -> None:
    """It raises what would be refused, and otherwise is as if it had not been."""
    head = handlers.show_audit_head(desk)
    told: list[None] = []
    desk.store.on_commit(lambda: told.append(None))
    rehearse(desk, wish)
    with pytest.raises(NotFound):
        rehearse(desk, ResolveEvent(event_id="none", about="nothing"))
    with pytest.raises(Refused):
        rehearse(desk, ResumeType(command_type="SET_POWER", epoch=2))

    assert (handlers.show_audit_head(desk), told) == (head, [])
    assert handlers.list_unresolved_events(desk)


def test_what_is_refused_when_signed_is_undone_and_may_be_signed_later(desk: Desk) -> None:
    """A signature without its act would be a promise that nobody kept."""
    action = trip(decided_at=NOON)
    handlers.apply_action(desk, action)
    handlers.resolve_event(desk, action.id, by="anna")
    epoch = handlers.show_state(desk).autonomy_epoch
    wish = ResumeType(command_type="SET_POWER", epoch=epoch)
    act = handlers.sign_wish(desk, wish, OLGA).act
    blind = replace(desk, blindness=lambda: "no judge has reported yet")
    with pytest.raises(StreamBlind):
        handlers.countersign(blind, act.id, wish, ANNA)

    assert len(handlers.show_joint_act(desk, act.id).signatures) == 1
    assert handlers.countersign(desk, act.id, wish, ANNA).outcome is not None
    assert handlers.show_state(desk).paused_command_types == []


def test_a_lowering_between_two_signatures_wins(desk: Desk) -> None:
    """The second person signs on an epoch that is over: it is voided, and says why."""
    action = trip(decided_at=NOON)
    handlers.apply_action(desk, action)
    handlers.resolve_event(desk, action.id, by="anna")
    epoch = handlers.show_state(desk).autonomy_epoch
    wish = ResumeType(command_type="SET_POWER", epoch=epoch)
    act = handlers.sign_wish(desk, wish, OLGA).act
    handlers.apply_action(desk, revert(decided_at=NOON + timedelta(seconds=1)))
    with pytest.raises(StaleEpoch):
        handlers.countersign(desk, act.id, wish, ANNA)

    found = handlers.show_joint_act(desk, act.id)
    assert (found.status, str(epoch) in (found.reason or "")) == (JointStatus.VOIDED, True)
    assert handlers.show_state(desk).paused_command_types == ["SET_POWER"]


def test_what_asked_for_another_outcome_is_voided(desk: Desk, wish: ResolveEvent) -> None:
    """Of two wishes about one event the first that is signed is done, and the other is over."""
    other = wish.model_copy(update={"notes": "seen before"})
    first, second = (handlers.sign_wish(desk, one, OLGA).act for one in (wish, other))
    handlers.countersign(desk, first.id, wish, BEN)

    assert handlers.show_joint_act(desk, second.id).status is JointStatus.VOIDED
    assert handlers.list_joint_acts(desk) == []


def test_an_act_that_nobody_signs_expires_by_itself(desk: Desk, wish: ResolveEvent) -> None:
    """After three days, with an audit row, whether or not anybody looks."""
    act = handlers.sign_wish(desk, wish, OLGA).act
    with pytest.raises(OwnAct):
        handlers.countersign(desk, act.id, wish, OLGA)
    clock_of(desk).now = NOON + timedelta(hours=72)
    LadderWatch(desk, wait=lambda _: None).turn()

    assert handlers.show_joint_act(desk, act.id).status is JointStatus.EXPIRED
    assert Act.JOINT_ACT_EXPIRED in acts(desk)


def test_nothing_rises_while_nobody_sees(database_url: str) -> None:
    """No proposal, no approval; and all of it as soon as the judges report again."""
    desk = ready_desk(database_url)
    blind = replace(desk, blindness=lambda: "the judges are 9.0 s behind, more than 3 s")
    assert "blind" in handlers.list_obstacles(blind, handlers.assess(blind))[0]
    assert handlers.propose_if_ready(blind, handlers.assess(blind)) is None
    proposal = proposed(desk)
    with pytest.raises(StreamBlind, match=r"9\.0 s behind"):
        handlers.approve_proposal(blind, proposal.id, TECH)

    assert handlers.show_proposal(desk, proposal.id).approvals == []
    assert handlers.approve_proposal(desk, proposal.id, TECH).phase_changed
    desk.store.close()


def test_a_lifted_cooldown_no_longer_stands_and_still_counts(database_url: str) -> None:
    """A rise may be proposed again; the next demotion is a repeat all the same."""
    desk = ready_desk(database_url, Phase.L3_PLUS)
    handlers.roll_back(desk, Phase.L3, reason="a precaution", by="olga")
    person = Signer(PEOPLE[0].principal, "token", may_carry=True, role="tech-lead")
    assert handlers.sign_wish(desk, wish_to_lift(desk), person).act.status is JointStatus.CARRIED
    assert handlers.show_cooldown(desk) is None
    with desk.store.reading() as unit:
        (lifted,) = unit.trials.cooldowns()
    assert (lifted.lifted_by, lifted.lifted_at) == ("anna", clock_of(desk).now)
    assert handlers.verify_audit(desk).intact
    with pytest.raises(Refused):
        wish_to_lift(desk)
    desk.store.close()


def test_handlers_that_are_put_together_happen_as_one(tmp_path: Path) -> None:
    """Inside a transaction a handler writes and reads in it, and goes with it."""
    desk = desk_at(f"sqlite:///{tmp_path / 'governance.db'}")
    action = trip(decided_at=NOON)
    with pytest.raises(ZeroDivisionError), desk.store.writing():
        handlers.apply_action(desk, action)
        assert [event.id for event in handlers.list_unresolved_events(desk)] == [action.id]
        raise ZeroDivisionError

    assert handlers.list_unresolved_events(desk) == []
    with desk.store.writing():
        handlers.roll_back(desk, Phase.L3, reason="a precaution", by="olga")
        with suppress(NotFound):
            handlers.resolve_event(desk, "none", by="olga")
        with suppress(ZeroDivisionError), desk.store.writing():
            handlers.apply_action(desk, action)
            raise ZeroDivisionError
        handlers.roll_back(desk, Phase.L3, reason="to be sure", by="olga")
    assert handlers.list_unresolved_events(desk) == []
    assert handlers.verify_audit(desk).intact
    other = Store(f"sqlite:///{tmp_path / 'governance.db'}", patience=timedelta(seconds=1))
    with desk.store.writing():
        handlers.apply_action(desk, action)
        with other.reading() as unit:
            assert unit.events.count_unresolved() == 0
    assert len(handlers.list_unresolved_events(desk)) == 1
    other.close()
    desk.store.close()
