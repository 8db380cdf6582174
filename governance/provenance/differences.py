"""How a record of a table is not what the audit log tells of it, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KINDS: Final = {
    "circuit_breaker_events": "breaker event",
    "joint_acts": "joint act",
    "scope_expansion_proposals": "proposal",
    "api_tokens": "token",
    "circuit_breaker_rule_versions": "last version of the rule",
    "checklist_items": "checklist item",
    "cooldowns": "cooldown of",
    "validations": "validation of",
}
"""What people call a record of each table."""

GONE: Final = ("row",)
"""What differs where the row is gone."""

UNTOLD: Final = ()
"""What differs where no audit row tells the record at all."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One record, and the columns in which it is not what is told."""

    table: str
    id: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        """Return it in words."""
        name = f"{KINDS[self.table]} {self.id}"
        if self.fields == UNTOLD:
            return f"no audit row tells the {name}"
        if self.fields == GONE:
            return f"the row of the {name} is gone"
        return f"the {name} is not what the log tells of it: {', '.join(self.fields)}"
