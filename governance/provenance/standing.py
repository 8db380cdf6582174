"""What the audit log tells of what stands: the state, the rules, the checklist, what is on trial.

These are not asked for and decided, as events and acts are: the last row that tells one is what
it is. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from governance.audit import STATE_FACTS, Act, AuditRow, state_told
from governance.checklist import ChecklistItem
from governance.cooldown import Cooldown
from governance.provenance.reading import after_of
from governance.validation import Validation
from schemas.rules import RuleVersion
from schemas.wire import iso


@dataclass(slots=True)
class Standing:
    """The last that was told: the state's facts, and the others by their names.

    ``cooldowns`` are kept by their start, as text; of validations only the last one stands.
    """

    state: dict[str, Any] | None = None
    rules: dict[str, RuleVersion] = field(default_factory=dict)
    items: dict[str, ChecklistItem] = field(default_factory=dict)
    cooldowns: dict[str, Cooldown] = field(default_factory=dict)
    validation: Validation | None = None

    def copied(self) -> Standing:
        """Return another one that tells the same."""
        return Standing(
            self.state, {**self.rules}, {**self.items}, {**self.cooldowns}, self.validation
        )

    def read(self, row: AuditRow) -> None:
        """Take in one row; one that is not as we write them raises ValueError or KeyError."""
        READ[row.act](self, row)


def _state(standing: Standing, row: AuditRow) -> None:
    after = after_of(row)
    if after.keys() >= STATE_FACTS:
        standing.state = state_told(after)


def _rule(standing: Standing, row: AuditRow) -> None:
    standing.rules[row.subject] = RuleVersion.model_validate(after_of(row))


def _first_items(standing: Standing, row: AuditRow) -> None:
    told = {name: ChecklistItem.model_validate(item) for name, item in after_of(row).items()}
    standing.items.update(told)


def _item(standing: Standing, row: AuditRow) -> None:
    standing.items[row.subject] = ChecklistItem.model_validate(after_of(row))


def _cooldown(standing: Standing, row: AuditRow) -> None:
    found = Cooldown.model_validate(after_of(row))
    standing.cooldowns[iso(found.started_at)] = found


def _lift(standing: Standing, row: AuditRow) -> None:
    at = datetime.fromisoformat(row.at)
    for name, one in standing.cooldowns.items():
        if not one.is_over(at):
            lifted = {"lifted_at": at, "lifted_by": row.actor}
            standing.cooldowns[name] = one.model_copy(update=lifted)


def _validation(standing: Standing, row: AuditRow) -> None:
    standing.validation = Validation.model_validate(after_of(row))


READ: Final[dict[str, Callable[[Standing, AuditRow], None]]] = {
    **dict.fromkeys(
        map(
            str,
            (
                *(Act.STATE_CREATED, Act.STATE_ADOPTED, Act.STATE_RESTORED),
                *(Act.PHASE_REVERTED, Act.PHASE_ROLLED_BACK, Act.PHASE_PROMOTED),
                *(Act.PHASE_DEMOTED, Act.KILL_SWITCH_PULLED, Act.TYPE_PAUSED, Act.TYPE_RESUMED),
                Act.DATABASE_RESTORED,
            ),
        ),
        _state,
    ),
    **dict.fromkeys(map(str, (Act.RULE_ADDED, Act.RULE_CHANGED, Act.RULE_DELETED)), _rule),
    Act.CHECKLIST_CREATED.value: _first_items,
    Act.CHECKLIST_CHANGED.value: _item,
    Act.COOLDOWN_STARTED.value: _cooldown,
    Act.COOLDOWN_LIFTED.value: _lift,
    **dict.fromkeys(
        map(
            str,
            (
                *(Act.VALIDATION_STARTED, Act.VALIDATION_EXTENDED),
                *(Act.VALIDATION_UNDECIDED, Act.VALIDATION_ENDED),
            ),
        ),
        _validation,
    ),
}
"""How each act is taken in."""
