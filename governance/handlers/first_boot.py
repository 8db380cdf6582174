"""What a new installation starts with: L3, nothing allowed, and the default rules."""

from __future__ import annotations

from datetime import datetime

from governance.audit import Act
from governance.autonomy import Autonomy
from governance.desk import Desk
from governance.handlers.changes import publish, publish_state
from governance.store import Unit
from rules.defaults import default_rules
from schemas.governance import Phase
from schemas.rules import Rule, RuleVersion
from schemas.topics import RULES

SYSTEM = "system"
"""The actor of what nobody asked for."""


def create(desk: Desk) -> bool:
    """Create the state and the default rules unless they are there; return whether it did.

    The default rules are in force from the beginning of the log, so that the first events of a
    new installation are judged like all others.

    Raises:
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        if unit.autonomy.is_there():
            return False
        _create_state(desk, unit, now)
        for rule in default_rules():
            _create_rule(unit, rule, now)
    return True


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
