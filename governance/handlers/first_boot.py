"""What a new installation starts with: L3, nothing allowed, the default rules and checklist."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from governance.audit import Act
from governance.autonomy import Autonomy
from governance.checklist import Attestation, ChecklistItem, Source, default_checklist, read_flag
from governance.desk import Desk
from governance.handlers.changes import publish, publish_state
from governance.store import Unit
from rules.defaults import default_rules
from schemas.governance import Phase
from schemas.rules import Rule, RuleVersion
from schemas.topics import RULES

SYSTEM = "system"
"""The actor of what nobody asked for."""

NO_FLAGS: Final[Mapping[str, str]] = MappingProxyType({})
"""The environment of an installation that was never told anything."""


def create(desk: Desk, environment: Mapping[str, str] = NO_FLAGS) -> bool:
    """Create the state and the default rules unless they are there; return whether it did.

    The default rules are in force from the beginning of the log, so that the first events of a
    new installation are judged like all others. A checklist that is not there is created too,
    with what the flags in *environment* say attested; later the flags change nothing.

    Raises:
        Unavailable: the database is busy or away.
    """
    with desk.store.reading() as unit:
        if unit.autonomy.is_there() and unit.readiness.checklist():
            return False  # without a write: a service must start on a full disk too
    now = desk.clock()
    with desk.store.writing() as unit:
        is_new = not unit.autonomy.is_there()
        if is_new:
            _create_state(desk, unit, now)
            for rule in default_rules():
                _create_rule(unit, rule, now)
        if not unit.readiness.checklist():
            _create_checklist(unit, environment, now)
    return is_new


def _create_state(desk: Desk, unit: Unit, now: datetime) -> None:
    """Write the first state: the floor of the ladder, epoch 1."""
    state = Autonomy(phase=Phase.L3, phase_start_date=now)
    unit.autonomy.save(state, now)
    unit.autonomy.enter_phase(state, cause="first start", actor=SYSTEM, now=now)
    unit.audit.append(Act.STATE_CREATED, "governance", actor=SYSTEM, at=now, after=state.facts())
    publish_state(desk, unit, state, now=now, new_epoch=True)


def _create_rule(unit: Unit, rule: Rule, now: datetime) -> None:
    """Write version 1 of a default rule."""
    version = RuleVersion(name=rule.name, version=1, effective_from=0, rule=rule, changed_at=now)
    unit.rules.save(version)
    unit.audit.append(Act.RULE_ADDED, rule.name, actor=SYSTEM, at=now, after=version.to_wire())
    publish(unit, RULES.name, version.key, version, now=now)


def _create_checklist(unit: Unit, environment: Mapping[str, str], now: datetime) -> None:
    """Write the first checklist, and import the flags that *environment* sets."""
    items = default_checklist()
    unit.readiness.create(items, now)
    written = {item.name: item.to_wire() for item in items}
    unit.audit.append(Act.CHECKLIST_CREATED, "checklist", actor=SYSTEM, at=now, after=written)
    for item in items:
        value = environment.get(item.flag, "") if item.flag else ""
        if value.strip():
            _import_flag(unit, item, value=value, now=now)


def _import_flag(unit: Unit, item: ChecklistItem, *, value: str, now: datetime) -> None:
    """Attest *item* as the flag in the environment says."""
    said = Attestation(
        item=item.name,
        met=read_flag(value),
        note=f"{item.flag}={value.strip()[:64]!r}",
        source=Source.ENVIRONMENT,
        attested_by=Source.ENVIRONMENT,
        attested_at=now,
    )
    unit.readiness.attest(said)
    unit.audit.append(Act.READINESS_ATTESTED, item.name, actor=SYSTEM, at=now, after=said.to_wire())
