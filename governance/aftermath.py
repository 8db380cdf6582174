"""What is known of the time after a backup was made, so that a restore does not undo it.

A database that is replaced but can still be read knows it; so does Kafka, as far as it was told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from governance.autonomy import Autonomy
from governance.cooldown import Cooldown
from schemas.governance import StateRecord
from schemas.rules import RuleVersion
from schemas.wire import listed


@dataclass(frozen=True, slots=True)
class Aftermath:
    """States that autonomy had, the newest rules, a cooldown that runs, and tokens that ended.

    ``fencing`` is the number of the last take-over, beyond which the next one has to be.
    """

    source: str
    states: tuple[Autonomy, ...] = ()
    rules: Mapping[str, RuleVersion] = field(default_factory=dict)
    cooldown: Cooldown | None = None
    revoked: Mapping[str, datetime] = field(default_factory=dict)
    fencing: int = 0


def told_state(record: StateRecord) -> Autonomy:
    """Return the state that a record of the ``state`` topic tells."""
    return Autonomy(
        phase=record.phase,
        phase_start_date=record.phase_start_date,
        command_whitelist=tuple(record.command_whitelist),
        paused_command_types=tuple(record.paused_command_types),
        epoch=record.autonomy_epoch,
        all_paused=record.all_paused,
        resumed_command_types=tuple(record.resumed_command_types),
    )


def lowered_by(backup: Autonomy, restored: Autonomy) -> list[str]:
    """Return in words what *restored* no longer allows of what *backup* did; often nothing."""
    left = [name for name in backup.command_whitelist if name not in restored.command_whitelist]
    held = [
        name for name in restored.paused_command_types if name not in backup.paused_command_types
    ]
    said = []
    if restored.phase is not backup.phase:
        said.append(f"phase {restored.phase} instead of {backup.phase}")
    if left:
        said.append(f"{listed(left)} no longer on the whitelist")
    if restored.all_paused and not backup.all_paused:
        said.append("every command type paused")
    if held:
        said.append(f"{listed(held)} paused")
    return said


def newest_of(known: list[Aftermath], own: Mapping[str, RuleVersion]) -> dict[str, RuleVersion]:
    """Return the rule versions of *known* that are beyond *own*: workers may judge by them."""
    beyond: dict[str, RuleVersion] = {}
    for aftermath in known:
        for name, version in aftermath.rules.items():
            if version.version > _number(own.get(name)) and version.version > _number(
                beyond.get(name)
            ):
                beyond[name] = version
    return beyond


def _number(version: RuleVersion | None) -> int:
    """Return the number of *version*, 0 for none."""
    return version.version if version else 0


def facts_of(known: list[Aftermath]) -> list[dict[str, Any]]:
    """Return *known* as the audit log keeps it: all that a restore goes by."""
    return [
        {
            "source": one.source,
            "states": [state.told() for state in one.states],
            "cooldown": one.cooldown.to_wire() if one.cooldown else None,
            "revokedTokens": sorted(one.revoked),
        }
        for one in known
    ]
