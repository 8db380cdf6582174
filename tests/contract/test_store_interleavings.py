"""Trips and people in any order: what the service remembers is what a small model remembers."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from governance import handlers
from governance.desk import Desk
from schemas.actions import BreakerAction
from schemas.errors import NotFound, Refused, StaleEpoch
from schemas.governance import Phase
from schemas.rules import Action
from tests.contract.test_store_people import promote
from tests.desks import NOON, desk_at, revert, trip

TYPES = ("A", "B", "C")
ACTIONS = [
    make
    for hours in range(4)
    for make in (
        *(trip(name, decided_at=NOON + timedelta(hours=hours)) for name in TYPES),
        revert(decided_at=NOON + timedelta(hours=hours)),
    )
]


class Interleavings(RuleBasedStateMachine):
    """Applies, repeats, resolves, resumes and rolls back; the model is five plain fields."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.desk: Desk = desk_at(f"sqlite:///{Path(self.folder.name) / 'g.db'}")
        self.phase = Phase.L3
        self.paused: set[str] = set()
        self.epoch = 1
        self.known: dict[str, BreakerAction] = {}
        self.resolved: set[str] = set()

    @initialize(phase=st.sampled_from(Phase))
    def begin(self, phase: Phase) -> None:
        """Start at any phase."""
        if phase is not Phase.L3:
            promote(self.desk, phase, *TYPES)
        self.phase = phase

    @rule(actions=st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=4))
    def judges_publish(self, actions: list[BreakerAction]) -> None:
        """A batch of actions, any of which may have come before."""
        handlers.apply_actions(self.desk, actions)
        for action in actions:
            if action.id not in self.known:
                self.known[action.id] = action
                self.lower(action)

    def lower(self, action: BreakerAction) -> None:
        """Do to the model what a new action does."""
        self.epoch += 1
        if action.action is Action.REVERT_TO_L3:
            self.phase = Phase.L3
        elif action.command_type is not None:
            self.paused.add(action.command_type)

    @rule(action=st.sampled_from(ACTIONS))
    def people_resolve(self, action: BreakerAction) -> None:
        """The first resolves, later ones are told so, unknown trips are not found."""
        try:
            done = handlers.resolve_event(self.desk, action.id, by="anna")
        except NotFound:
            assert action.id not in self.known
        else:
            assert done.already == (action.id in self.resolved)
            self.resolved.add(action.id)

    @rule(name=st.sampled_from(TYPES), behind=st.integers(0, 2))
    def people_resume(self, name: str, behind: int) -> None:
        """Only the present epoch, only a paused type, only when nothing holds it."""
        try:
            handlers.resume_command_type(self.desk, name, by="anna", epoch=self.epoch - behind)
        except StaleEpoch:
            assert behind
        except NotFound:
            assert name not in self.paused
        except Refused:
            assert self.holders(name)
        else:
            assert not behind
            assert not self.holders(name)
            self.paused.remove(name)

    def holders(self, name: str) -> set[str]:
        """Return the unresolved trips that paused *name*."""
        held = {one.id for one in self.known.values() if one.command_type == name}
        return held - self.resolved

    @rule(to=st.sampled_from(Phase))
    def people_roll_back(self, to: Phase) -> None:
        """Down or where it is, never up."""
        try:
            handlers.roll_back(self.desk, to, reason="r", by="anna")
        except Refused:
            assert to.rank > self.phase.rank
        else:
            assert to.rank <= self.phase.rank
            self.phase = to
            self.epoch += 1

    @invariant()
    def they_agree(self) -> None:
        """Phase, paused types, epoch and open events are the model's, and the chain holds."""
        state = handlers.show_state(self.desk)
        assert (state.current_phase, state.autonomy_epoch) == (self.phase, self.epoch)
        assert set(state.paused_command_types) == self.paused
        open_ids = {event.id for event in handlers.list_unresolved_events(self.desk)}
        assert open_ids == set(self.known) - self.resolved
        assert handlers.verify_audit(self.desk).intact

    def teardown(self) -> None:
        """Close the database and remove it."""
        self.desk.store.close()
        self.folder.cleanup()


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=25,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class ManyInterleavings(Interleavings):
    """A thousand of them."""


TestManyInterleavings = ManyInterleavings.TestCase
TestManyInterleavings.settings = settings(TestInterleavings.settings, max_examples=1_000)
for mark in (pytest.mark.chaos, pytest.mark.timeout(3_600)):
    mark(TestManyInterleavings)
