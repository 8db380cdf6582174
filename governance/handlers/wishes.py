"""What may take more than one person: each wish as it is written down, and as it is carried out.

A wish is kept as JSON until it is carried, so it holds everything that was decided on: the epoch,
the version, the whole rule. `read_wish` makes it again from what was kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final, Literal

from pydantic import ValidationError

from governance.audit import Act
from governance.checklist import ChecklistEntry, ItemPatch, find_item
from governance.cooldown import Cooldown
from governance.desk import Desk
from governance.events import Finding, Resolution
from governance.handlers.autonomy import resume_command_type, resume_command_types
from governance.handlers.checklist import patch_item
from governance.handlers.events import resolve_event
from governance.handlers.preconditions import check_state
from governance.handlers.rules import add_rule, delete_rule, patch_rule, weigh_patch
from governance.handlers.sight import check_sees
from governance.handlers.sql_changes import adopt_sql_changes, present_autonomy
from governance.joint_acts import JointAct, Wording
from governance.ladder import ApproverRole, next_rise
from governance.rulebook import RuleEntry
from governance.store import Unit
from rules.direction import Direction
from schemas.errors import ActClosed, Outdated, Refused, StaleEpoch
from schemas.governance import GovernanceState
from schemas.rules import Rule, RulePatch, RuleVersion
from schemas.wire import Moment, Wire, listed

TWO_PEOPLE: Final = "it takes two people"


class _Wish(Wire):
    """What every wish has beside its content; ``GRANT`` is the act of the matrix that it is."""

    ACT: ClassVar[str]
    GRANT: ClassVar[str]

    @property
    def is_idle(self) -> bool:
        """Whether carrying it out would change nothing, so that nobody need agree to it."""
        return False

    def check_open(self, desk: Desk) -> None:
        """Check that nobody has done it already, where doing it again would change nothing.

        Raises:
            ActClosed: it is done.
        """


class ResolveEvent(_Wish):
    """Resolve a critical or high event; ``about`` says which to people."""

    ACT = "resolve_event"
    GRANT = "resolve_grave"

    event_id: str
    about: str
    finding: Finding | None = None
    notes: str | None = None
    cause: str | None = None
    incident_id: str | None = None

    def wording(self) -> Wording:
        """Return it in words."""
        said = f"resolve {self.about}"
        said += f" as {self.finding}" if self.finding else ""
        reasons = ("it is critical or high", TWO_PEOPLE)
        return Wording(self.ACT, self.event_id, said, reasons, self.to_wire())

    def check_open(self, desk: Desk) -> None:
        """Check that the event waits for people."""
        with desk.store.reading() as unit:
            if unit.events.explained(self.event_id).resolved:
                raise ActClosed(f"the event {self.event_id} is resolved")

    def carry(self, desk: Desk, *, by: str) -> Resolution:
        """Resolve it."""
        return resolve_event(
            desk,
            self.event_id,
            by=by,
            finding=self.finding,
            notes=self.notes,
            cause=self.cause,
            incident_id=self.incident_id,
        )


class ResumeType(_Wish):
    """Let a paused type run again, on the state of ``epoch``; ``seen`` is its tag, if known."""

    ACT = "resume_command_type"
    GRANT = "resume"

    command_type: str
    epoch: int
    seen: str | None = None

    def wording(self) -> Wording:
        """Return it in words."""
        said = f"let {self.command_type} run again"
        reasons = ("it gives autonomy back", TWO_PEOPLE)
        return Wording(self.ACT, self.command_type, said, reasons, self.to_wire())

    def carry(self, desk: Desk, *, by: str) -> GovernanceState:
        """Resume it."""
        return resume_command_type(
            desk, self.command_type, by=by, epoch=self.epoch, check=check_state(self.seen)
        )


class ResumeTypes(_Wish):
    """Let several paused types run again, all or none, on the state of ``epoch``.

    ``all_paused`` False also ends the pause of everything.
    """

    ACT = "resume_command_types"
    GRANT = "resume"

    command_types: list[str]
    all_paused: Literal[False] | None = None
    epoch: int
    seen: str | None = None

    def wording(self) -> Wording:
        """Return it in words."""
        names, content = listed(self.command_types, most=50), self.to_wire()
        said = f"let {names} run again"
        if self.all_paused is None:
            del content["allPaused"]
        else:
            ends = "end the pause of every command type"
            said = f"{ends}, and {said}" if names else ends
        reasons = ("it gives autonomy back", TWO_PEOPLE)
        return Wording(self.ACT, names or "*", said, reasons, content)

    def carry(self, desk: Desk, *, by: str) -> GovernanceState:
        """Resume them."""
        return resume_command_types(
            desk,
            self.command_types,
            all_paused=self.all_paused,
            by=by,
            epoch=self.epoch,
            check=check_state(self.seen),
        )


class AddRule(_Wish):
    """Add a rule."""

    ACT = "add_rule"
    GRANT = "change_rules"

    rule: Rule

    def wording(self) -> Wording:
        """Return it in words."""
        rule = self.rule
        said = f"add the rule {rule.name}: {rule.condition} within {rule.window}, {rule.action}"
        reasons = ("a new rule may page people for nothing", TWO_PEOPLE)
        return Wording(self.ACT, rule.name, said, reasons, self.to_wire())

    def carry(self, desk: Desk, *, by: str) -> RuleEntry:
        """Add it."""
        return add_rule(desk, self.rule, by=by)


class LoosenRule(_Wish):
    """Change a rule so that it may trip later, or do less; ``reasons`` say in what.

    ``becomes`` is the whole rule as it is then: SQL may change a row without a version.
    """

    ACT = "loosen_rule"
    GRANT = "change_rules"

    name: str
    patch: dict[str, Any]
    version: int
    becomes: Rule
    reasons: list[str]

    def wording(self) -> Wording:
        """Return it in words."""
        said = f"change the rule {self.name}: " + "; ".join(self.reasons)
        return Wording(self.ACT, self.name, said, (*self.reasons, TWO_PEOPLE), self.to_wire())

    def carry(self, desk: Desk, *, by: str) -> RuleEntry:
        """Change it, if it still is what it was.

        Raises:
            Outdated: it is at another version, or its row was changed by SQL since.
        """
        patch = RulePatch.model_validate(self.patch)
        with desk.store.writing():
            entry = patch_rule(desk, self.name, patch, by=by, expected_version=self.version)
            if weigh_patch(desk, self.name, patch).after != self.becomes:
                raise Outdated(
                    f"{self.name!r} was changed by SQL since", allowed_when="read it and ask again"
                )
            return entry


class DeleteRule(_Wish):
    """Delete a rule."""

    ACT = "delete_rule"
    GRANT = "change_rules"

    name: str
    version: int | None

    def wording(self) -> Wording:
        """Return it in words."""
        said = f"delete the rule {self.name}"
        reasons = ("nothing trips for it any more", TWO_PEOPLE)
        return Wording(self.ACT, self.name, said, reasons, self.to_wire())

    def carry(self, desk: Desk, *, by: str) -> RuleVersion:
        """Delete it, if it still is what it was."""
        return delete_rule(desk, self.name, by=by, expected_version=self.version)


class ChangeItem(_Wish):
    """Change an item of the checklist; ``before`` is as it was when somebody asked."""

    ACT = "change_item"
    GRANT = "change_checklist"

    name: str
    patch: dict[str, Any]
    before: dict[str, Any]

    @property
    def is_idle(self) -> bool:
        """Whether the item is so already."""
        return self.patch.items() <= self.before.items()

    def wording(self) -> Wording:
        """Return it in words."""
        changes = ", ".join(
            f"{name} {self.before.get(name)} → {value}" for name, value in self.patch.items()
        )
        said = f"change the checklist item “{self.name}”: {changes}"
        reasons = ("readiness is measured by it", TWO_PEOPLE)
        return Wording(self.ACT, self.name, said, reasons, self.to_wire())

    def carry(self, desk: Desk, *, by: str) -> ChecklistEntry:
        """Change it, if it still is what it was.

        Raises:
            Outdated: somebody changed it since.
        """
        with desk.store.writing() as unit:
            present = item_facts(unit, self.name)
            if present != self.before:
                raise Outdated(
                    f"“{self.name}” was changed since", allowed_when="read it and ask again"
                )
            return patch_item(desk, self.name, ItemPatch.model_validate(self.patch), by=by)


class LiftCooldown(_Wish):
    """End a cooldown early: everybody whom the next phase takes agrees to it."""

    ACT = "lift_cooldown"
    GRANT = "approve"

    started_at: Moment
    until: Moment
    epoch: int
    roles: list[ApproverRole]

    def wording(self) -> Wording:
        """Return it in words."""
        said = f"end the cooldown that runs until {self.until:%Y-%m-%d}"
        reasons = ("it takes all who approve the next phase",)
        return Wording(
            self.ACT, "governance", said, reasons, self.to_wire(), tuple(map(str, self.roles))
        )

    def carry(self, desk: Desk, *, by: str) -> None:
        """Lift it.

        Raises:
            StreamBlind: nobody sees the stream.
            StaleEpoch: autonomy was lowered since.
            Outdated: it is no longer the cooldown that runs.
        """
        check_sees(desk)
        now = desk.clock()
        with desk.store.writing() as unit:
            epoch = present_autonomy(desk, unit, now).epoch
            if epoch != self.epoch:
                raise StaleEpoch(self.epoch, epoch)
            running = unit.trials.cooldown(now)
            if running is None or running.started_at != self.started_at:
                raise Outdated("it is no longer the cooldown that runs", allowed_when="look again")
            _lift(unit, running, by=by, now=now)


Wishes = (
    ResolveEvent
    | ResumeType
    | ResumeTypes
    | AddRule
    | LoosenRule
    | DeleteRule
    | ChangeItem
    | LiftCooldown
)

KINDS: Final[dict[str, type[Wishes]]] = {
    kind.ACT: kind
    for kind in (
        ResolveEvent,
        ResumeType,
        ResumeTypes,
        AddRule,
        LoosenRule,
        DeleteRule,
        ChangeItem,
        LiftCooldown,
    )
}
"""Every wish by its act."""


def read_wish(act: JointAct) -> Wishes:
    """Return the wish that *act* was made of.

    Raises:
        Outdated: another version of this product wrote it, in a way that is not this one's.
    """
    try:
        return KINDS[act.act].model_validate(act.content)
    except (KeyError, ValidationError):
        raise Outdated(
            f"{act.id} was asked for in a way that is no longer known",
            allowed_when="withdraw it and ask again",
        ) from None


def item_facts(unit: Unit, name: str) -> dict[str, Any]:
    """Return what people may change of a checklist item, by the names of a patch.

    Raises:
        NotFound: there is none; carries near matches.
    """
    item = find_item(unit.readiness.checklist(), name).to_wire()
    return {name: item[name] for name in ("weight", "required", "maxAgeDays")}


def wish_to_change(desk: Desk, name: str, patch: ItemPatch) -> ChangeItem:
    """Return the wish to change a checklist item as it is now.

    Raises:
        NotFound: there is none; carries near matches.
    """
    with desk.store.reading() as unit:
        before = item_facts(unit, name)
    return ChangeItem(name=name, patch=sent(patch), before=before)


def tighten_rule(
    desk: Desk, name: str, patch: RulePatch, *, by: str, expected_version: int | None = None
) -> RuleEntry | LoosenRule:
    """Change a rule at once if that does not loosen it, or return the wish to loosen it.

    It is weighed and changed in one transaction, after what SQL did to its row.

    Raises:
        NotFound: there is none; carries near matches.
        RuleError: it could not go live.
        Outdated: the rule is no longer at *expected_version*.
        Unavailable: the database is busy or away.
    """
    with desk.store.writing():
        adopt_sql_changes(desk)
        weighed = weigh_patch(desk, name, patch)
        version = weighed.version if expected_version is None else expected_version
        if weighed.change.direction is not Direction.LOOSER:
            return patch_rule(desk, name, patch, by=by, expected_version=version)
    return LoosenRule(
        name=name,
        patch=sent(patch),
        version=version,
        becomes=weighed.after,
        reasons=list(weighed.change.reasons),
    )


def sent(patch: ItemPatch | RulePatch) -> dict[str, Any]:
    """Return the fields that *patch* names, null too, as they were sent."""
    return patch.model_dump(mode="json", by_alias=True, exclude_unset=True)


def wish_to_lift(desk: Desk) -> LiftCooldown:
    """Return the wish to end the cooldown that runs now.

    Raises:
        Refused: none is running.
    """
    now = desk.clock()
    with desk.store.reading() as unit:
        state, running = unit.autonomy.load(), unit.trials.cooldown(now)
    rise = next_rise(state.phase, desk.settings.phase_whitelists)
    if running is None or rise is None:
        raise Refused("no cooldown is running", allowed_when="there is nothing to lift")
    return LiftCooldown(
        started_at=running.started_at,
        until=running.until,
        epoch=state.epoch,
        roles=list(rise.roles),
    )


def _lift(unit: Unit, running: Cooldown, *, by: str, now: datetime) -> None:
    """Write that a cooldown ended early, with its audit row."""
    unit.trials.lift(now, by=by)
    unit.audit.append(
        Act.COOLDOWN_LIFTED, "governance", actor=by, at=now, before=running.to_wire(), after=None
    )
