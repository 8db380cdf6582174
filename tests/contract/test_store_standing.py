"""What stands is what the audit log tells, under whatever seal SQL wrote something else.

The state, the versions of rules, the checklist, cooldowns and validations: each would loosen what
takes people if it were believed. The attacker owns the database, but not the log's chain.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, Table, delete, insert, select, update

from governance import handlers
from governance.audit import Act, canonical
from governance.desk import Desk
from governance.handlers.wishes import tighten_rule
from governance.store.engine import open_engine
from governance.store.ladder_tables import checklist_items, cooldowns, validations
from governance.store.rules import COLUMNS
from governance.store.tables import (
    circuit_breaker_rule_versions,
    circuit_breaker_rules,
    governance_state,
)
from schemas.errors import Refused
from schemas.governance import Phase
from schemas.rules import RulePatch
from tests.desks import settings_for
from tests.ladders import OPS, TECH, proposed, ready_desk

RULE = "High Error Rate"
LOOSER = "errorRate > 0.9"


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """Return a desk at L3+ where grave acts take two people, and that is ready for L4."""
    desk = ready_desk(database_url, Phase.L3_PLUS)
    yield replace(desk, settings=settings_for(auth="token"))
    desk.store.close()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return what somebody who owns the database connects with."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def row_of(engine: Engine, table: Table, **where: Any) -> dict[str, Any]:
    """Return one row."""
    with engine.connect() as connection:
        return dict(connection.execute(select(table).filter_by(**where)).mappings().one())


def do(engine: Engine, *statements: Any) -> None:
    """Run statements in one transaction."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)


def named(desk: Desk, what: str) -> bool:
    """Whether verifying names it."""
    return any(what in one for one in handlers.verify_audit(desk).differences)


def raise_and_seal(engine: Engine) -> None:
    """Raise the phase, and seal the row as the service would."""
    row = row_of(engine, governance_state)
    sealed = {**json.loads(row["sealed"]), "current_phase": "L5", "command_whitelist": '["ABORT"]'}
    do(
        engine,
        update(governance_state).values(
            current_phase="L5", command_whitelist='["ABORT"]', sealed=canonical(sealed)
        ),
    )


def test_a_state_that_sql_raised_and_sealed_is_put_back(desk: Desk, engine: Engine) -> None:
    """The watch does not believe the seal."""
    raise_and_seal(engine)
    assert named(desk, "the state")
    assert handlers.adopt_sql_changes(desk).state == 1
    state = handlers.show_state(desk)
    assert (state.current_phase, state.command_whitelist) == (Phase.L3_PLUS, [])
    assert handlers.list_audit(desk, limit=1)[0].act == Act.STATE_RESTORED
    assert handlers.verify_audit(desk).intact


def test_a_lowering_does_not_build_on_a_state_that_sql_sealed(desk: Desk, engine: Engine) -> None:
    """Whoever stays at the present phase stays at the one that was told."""
    raise_and_seal(engine)
    with pytest.raises(Refused):
        handlers.roll_back(desk, Phase.L5, reason="to be safe", by="anna")
    handlers.roll_back(desk, Phase.L3_PLUS, reason="to be safe", by="anna")
    state = handlers.show_state(desk)
    assert (state.current_phase, state.command_whitelist) == (Phase.L3_PLUS, [])
    assert handlers.verify_audit(desk).intact


def in_force(desk: Desk) -> str:
    """Return the condition of the rule that the judges have."""
    rule = handlers.list_rule_versions(desk, RULE)[0].rule
    assert rule is not None
    return rule.condition


def test_a_version_of_a_rule_that_sql_wrote_is_none(desk: Desk, engine: Engine) -> None:
    """Neither is the row believed that says the same under a seal, nor is it the measure."""
    before, versions = in_force(desk), circuit_breaker_rule_versions
    row = row_of(engine, circuit_breaker_rules, name=RULE)
    fields = {field: row[column] for field, column in COLUMNS.items()} | {"condition": LOOSER}
    version = row_of(engine, versions, name=RULE)
    rule = json.dumps(json.loads(version["rule"]) | {"condition": LOOSER})
    sealed = update(circuit_breaker_rules).where(circuit_breaker_rules.c.name == RULE)
    here = versions.c.name == RULE
    for change in (
        update(versions).where(here).values(rule=rule),
        update(versions).where(here).values(version=7, rule=rule),
        insert(versions).values({**version, "version": 2, "rule": rule}),
        delete(versions).where(here),
    ):
        do(engine, change, sealed.values(condition=LOOSER, sealed=canonical(fields)))
        assert named(desk, RULE)
        done = tighten_rule(desk, RULE, RulePatch(condition="errorRate > 0.5"), by="anna")
        assert not hasattr(done, "entry")
        assert done.__class__.__name__ == "LoosenRule"
        assert in_force(desk) == before
        assert handlers.adopt_sql_changes(desk).records == 0
        assert handlers.verify_audit(desk).intact


def test_a_rules_row_under_a_seal_of_sql_is_not_in_force(desk: Desk, engine: Engine) -> None:
    """It is weighed against the last version, as any change by SQL."""
    row = row_of(engine, circuit_breaker_rules, name=RULE)
    fields = {field: row[column] for field, column in COLUMNS.items()} | {"condition": LOOSER}
    sealed = update(circuit_breaker_rules).where(circuit_breaker_rules.c.name == RULE)
    do(engine, sealed.values(condition=LOOSER, sealed=canonical(fields)))
    assert handlers.adopt_sql_changes(desk).rules == 1
    assert "two people" in str(handlers.show_rule(desk, RULE).problem)
    assert handlers.adopt_sql_changes(desk).rules == 0


def test_a_cooldown_ends_when_it_was_told_to(desk: Desk, engine: Engine) -> None:
    """It is in force whatever SQL wrote, and nothing is proposed meanwhile."""
    handlers.pull_kill_switch(desk, reason="drill", by="olga")
    running = handlers.show_cooldown(desk)
    early = "2026-01-01T00:00:00.000Z"
    for change in (
        update(cooldowns).values(lifted_at=early, lifted_by="anna"),
        update(cooldowns).values(until=early),
        update(cooldowns).values(started_at=early),
        update(cooldowns).values(severity="low"),
        update(cooldowns).values(severity="nonsense"),
        update(cooldowns).values(cause="x"),
        delete(cooldowns),
    ):
        do(engine, change)
        assert named(desk, "cooldown")
        assert handlers.propose_if_ready(desk, handlers.assess(desk)) is None
        assert handlers.show_cooldown(desk) == running
        assert handlers.verify_audit(desk).intact
        do(engine, delete(cooldowns).where(cooldowns.c.started_at == early))


def test_the_checklist_is_what_two_people_made_it(desk: Desk, engine: Engine) -> None:
    """No item is lighter, less required, gone or new because SQL says so."""
    table, name = checklist_items, "Kill switch tested"
    here, row = table.c.name == name, row_of(engine, checklist_items, name=name)
    before = handlers.list_checklist(desk)
    for change in (
        update(table).where(here).values(weight=0),
        update(table).where(here).values(required=0),
        update(table).where(here).values(max_age_days=9_999),
        update(table).where(here).values(category="process"),
        update(table).where(here).values(flag="PATH"),
        update(table).where(here).values(check="audit_chain", kind="automatic"),
        update(table).where(here).values(kind="automatic"),
        update(table).where(here).values(name="Another"),
        delete(table).where(here),
        insert(table).values({**row, "name": "New", "weight": 99}),
    ):
        do(engine, change)
        assert named(desk, "checklist item")
        assert handlers.adopt_sql_changes(desk).records >= 1
        after = {one.name: (one.weight, one.required) for one in handlers.list_checklist(desk)}
        assert after == {one.name: (one.weight, one.required) for one in before}
        assert handlers.verify_audit(desk).intact


def test_a_validation_runs_until_it_was_told_to_end(desk: Desk, engine: Engine) -> None:
    """What is on trial stays on trial, as it was begun."""
    proposal = proposed(desk)
    for somebody in (TECH, OPS):
        handlers.approve_proposal(desk, proposal.id, somebody)
    row = row_of(engine, validations)
    early = "2026-11-23T12:00:00.000Z"
    for change in (
        update(validations).values(status="successful", ended_at=early),
        update(validations).values(ended_at=early),
        update(validations).values(ends_at=early),
        update(validations).values(proposal_id="other"),
        update(validations).values(criteria='{"samples":0}'),
        update(validations).values(criteria="nonsense"),
        update(validations).values(previous_phase="L4"),
        delete(validations),
        insert(validations).values({**row, "seq": 99, "proposal_id": "later", "ended_at": early}),
    ):
        do(engine, change)
        assert named(desk, "validation")
        assert handlers.adopt_sql_changes(desk).records == 1
        with desk.store.reading() as unit:
            assert unit.trials.running() is not None
            assert unit.trials.running().ends_at.isoformat()[:10] == row["ends_at"][:10]  # type: ignore[union-attr]
        assert handlers.verify_audit(desk).intact
