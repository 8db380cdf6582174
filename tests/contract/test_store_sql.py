"""The runbook's own SQL: it works as written, is noticed, checked, audited and put in force."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from governance import handlers
from governance.audit import Act
from governance.desk import Desk
from governance.handlers.sql_changes import Found
from schemas.alerts import AlertType
from schemas.governance import Phase
from schemas.rules import Rule
from tests.contract.test_store_people import promote
from tests.contract.test_store_rules import told
from tests.contract.test_store_trips import alerts, states
from tests.desks import NOON, at, desk_at, settings_for, trip

INSERT = """
INSERT INTO circuit_breaker_rules (name, enabled, condition, "window", action, alert_severity)
VALUES ('{name}', 1, '{condition}', '5m', 'alert_only', 'medium')
"""
ROLL_BACK = """
UPDATE governance_state
SET current_phase = 'L3', phase_start_date = '2026-11-23 12:05:00', command_whitelist = '[]'
WHERE id = 1
"""

Sql = Callable[[str], None]


def acts_of(desk: Desk) -> list[str]:
    """Return what was done last, newest first."""
    return [entry.act for entry in handlers.list_audit(desk, limit=10)]


@pytest.fixture
def sql(database_url: str, desk: Desk) -> Iterator[Sql]:
    """Return what an operator's own SQL client does, beside the running service."""
    if database_url.startswith("sqlite"):
        direct = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
        yield lambda statement: direct.executescript(statement).close()
        direct.close()
    else:
        with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as server:
            yield lambda statement: server.execute(statement.encode()).close()


@pytest.fixture
def known(desk: Desk) -> Desk:
    """Return the desk of a service that knows people, where grave acts take two."""
    return replace(desk, settings=settings_for(auth="token"))


def test_nothing_changed_is_nothing_found(desk: Desk) -> None:
    """What the service wrote itself is never taken for somebody else's."""
    handlers.apply_action(desk, trip())
    head = handlers.show_audit_head(desk)
    assert handlers.adopt_sql_changes(desk) == Found()
    assert handlers.show_audit_head(desk) == head


def test_an_inserted_rule_goes_live(desk: Desk, sql: Sql) -> None:
    """Six columns are enough; the rest have defaults, and the judges are told."""
    sql(INSERT.format(name="Many Overrides", condition="overrideRate > 0.2"))
    assert handlers.adopt_sql_changes(desk).rules == 1
    rule = handlers.show_rule(desk, "Many Overrides")
    assert (rule.version, rule.problem, rule.updated_by) == (1, None, "sql")
    assert told(desk)[-1].key == "Many Overrides@1"
    assert handlers.list_audit(desk, limit=1)[0].act == Act.RULE_ADDED
    assert handlers.adopt_sql_changes(desk) == Found()


def test_the_runbooks_sample_rule_is_reported_and_nothing_else_stops(desk: Desk, sql: Sql) -> None:
    """`metric > threshold` is no condition: the rule says so, and an alert, once."""
    sql(INSERT.format(name="New Rule Name", condition="metric > threshold"))
    assert handlers.adopt_sql_changes(desk).rules == 1
    rule = handlers.show_rule(desk, "New Rule Name")
    assert rule.version == 0
    assert rule.problem is not None
    assert "metric" in rule.problem
    assert alerts(desk)[-1].type is AlertType.RULE_INVALID
    assert handlers.adopt_sql_changes(desk) == Found()
    assert handlers.apply_action(desk, trip())


def test_a_rule_that_sql_broke_keeps_its_last_good_version(desk: Desk, sql: Sql) -> None:
    """The row shows what was written; what is in force is the version before."""
    sql("UPDATE circuit_breaker_rules SET \"window\" = '5min' WHERE name = 'High Error Rate'")
    handlers.adopt_sql_changes(desk)
    rule = handlers.show_rule(desk, "High Error Rate")
    assert (rule.version, rule.window) == (1, "5min")
    assert rule.problem is not None
    sql("UPDATE circuit_breaker_rules SET \"window\" = '6m' WHERE name = 'High Error Rate'")
    handlers.adopt_sql_changes(desk)
    rule = handlers.show_rule(desk, "High Error Rate")
    assert (rule.version, rule.window, rule.problem) == (2, "6m", None)


def test_a_name_with_spaces_around_it_is_reported(desk: Desk, sql: Sql) -> None:
    """It could not be told from the name without."""
    sql(INSERT.format(name=" Padded", condition="errorRate > 0.2"))
    handlers.adopt_sql_changes(desk)
    problem = handlers.show_rule(desk, " Padded").problem
    assert problem is not None
    assert "space" in problem
    assert handlers.adopt_sql_changes(desk) == Found()


def test_a_deleted_row_ends_its_rule(desk: Desk, sql: Sql) -> None:
    """The judges are told, and the versions stay."""
    sql("DELETE FROM circuit_breaker_rules WHERE name = 'High Rollback Rate'")
    assert handlers.adopt_sql_changes(desk).rules == 1
    assert told(desk)[-1].rule is None
    assert len(handlers.list_rule_versions(desk, "High Rollback Rate")) == 2
    assert handlers.adopt_sql_changes(desk) == Found()


LOOSENS = (
    "UPDATE circuit_breaker_rules SET condition = 'errorRate > 0.5' WHERE name = 'High Error Rate'",
    "UPDATE circuit_breaker_rules SET enabled = 0 WHERE name = 'High Error Rate'",
    "DELETE FROM circuit_breaker_rules WHERE name = 'High Error Rate'",
    "UPDATE circuit_breaker_rules SET name = 'Another Name' WHERE name = 'High Error Rate'",
)


def in_force(desk: Desk, name: str) -> Rule:
    """Return the rule that the judges have by that name."""
    rule = handlers.list_rule_versions(desk, name)[0].rule
    assert rule is not None
    return rule


@pytest.mark.parametrize("change", LOOSENS)
def test_sql_loosens_no_rule_where_that_takes_two_people(
    known: Desk, sql: Sql, change: str
) -> None:
    """The database knows nobody: what was in force stays so, and people are told why."""
    before = in_force(known, "High Error Rate")
    sql(change)
    assert handlers.adopt_sql_changes(known).rules > 0
    assert in_force(known, "High Error Rate") == before
    told_why = [one.data.summary for one in alerts(known) if one.type is AlertType.RULE_INVALID]
    assert "takes two people" in told_why[-1]
    assert handlers.show_rule(known, "High Error Rate").enabled or "enabled" in change
    assert handlers.verify_audit(known).intact
    assert handlers.adopt_sql_changes(known) == Found()


def test_sql_tightens_a_rule_and_takes_back_what_it_loosened(known: Desk, sql: Sql) -> None:
    """One is enough for what lowers; a row that reads as before is in order again."""
    row = "UPDATE circuit_breaker_rules SET condition = '{}' WHERE name = 'High Error Rate'"
    sql(row.format("errorRate > 0.5"))
    handlers.adopt_sql_changes(known)
    problem = handlers.show_rule(known, "High Error Rate").problem
    assert problem is not None
    assert "ask for it over HTTP" in problem
    sql(row.format("errorRate > 0.05"))
    handlers.adopt_sql_changes(known)
    assert handlers.show_rule(known, "High Error Rate").problem is None
    sql(row.format("errorRate > 0.02"))
    handlers.adopt_sql_changes(known)
    assert in_force(known, "High Error Rate").condition == "errorRate > 0.02"


def test_the_runbooks_rollback_is_put_in_force(desk: Desk, sql: Sql) -> None:
    """A phase lowered by SQL opens an epoch, is told, and is in the history and the audit log."""
    promote(desk, Phase.L4, "SET_POWER")
    sql(ROLL_BACK)
    assert handlers.show_state(desk).current_phase is Phase.L3
    later = at(desk, NOON + timedelta(minutes=5, seconds=9))
    assert handlers.adopt_sql_changes(later).state == 1
    state = handlers.show_state(desk)
    assert (state.current_phase, state.autonomy_epoch) == (Phase.L3, 2)
    assert state.phase_start_date == NOON + timedelta(minutes=5)
    assert states(desk, "epoch/2")
    assert Act.STATE_ADOPTED in acts_of(desk)[:2]
    assert handlers.show_phase_history(desk)[0]["actor"] == "sql"
    assert handlers.adopt_sql_changes(later) == Found()


@pytest.mark.parametrize(
    "change",
    [
        "current_phase = 'L5'",
        "current_phase = 'banana'",
        "command_whitelist = '[\"ABORT\"]'",
        "command_whitelist = 'oops'",
        "paused_command_types = '[]'",
        "phase_start_date = 'yesterday'",
        "phase_start_date = '2025-11-23T12:00:00.000Z'",
    ],
)
def test_sql_cannot_raise_autonomy(desk: Desk, sql: Sql, change: str) -> None:
    """What would allow more, or cannot be read, is put back and said aloud."""
    handlers.apply_action(desk, trip())
    before = handlers.show_state(desk)
    sql(f"UPDATE governance_state SET {change}")
    assert handlers.adopt_sql_changes(desk).state == 1
    assert handlers.show_state(desk) == before
    assert handlers.list_audit(desk, limit=1)[0].act == Act.STATE_RESTORED
    assert "put back" in alerts(desk)[-1].data.summary


RAISES = (
    "UPDATE governance_state SET current_phase = 'L5', command_whitelist = '[\"ABORT\"]'",
    "UPDATE governance_state SET paused_command_types = '[]'",
)
FORGETS = (
    "DELETE FROM governance_state",
    "UPDATE governance_state SET sealed = ''",
    "UPDATE governance_state SET sealed = 'oops', current_phase = 'oops'",
    "DELETE FROM governance_state; INSERT INTO governance_state (id, current_phase,"
    " phase_start_date) VALUES (1, 'L5', '2020-01-01 00:00:00')",
)


@pytest.mark.parametrize("change", [*RAISES, *FORGETS])
def test_what_sql_raises_or_takes_away_is_never_shown_as_the_state(
    desk: Desk, sql: Sql, change: str
) -> None:
    """Whoever asks before the change is put back is told the state as it was last written."""
    handlers.apply_action(desk, trip())
    before = handlers.show_state(desk)
    sql(change)
    assert handlers.show_state(desk) == before


@pytest.mark.parametrize("change", FORGETS)
def test_a_state_that_sql_took_away_is_put_back_as_the_audit_log_told_it(
    desk: Desk, sql: Sql, change: str
) -> None:
    """Without a row, or without its seal, the last act that changed autonomy tells the state."""
    handlers.apply_action(desk, trip())
    before = handlers.show_state(desk)
    sql(change)
    handlers.adopt_sql_changes(desk)
    assert handlers.show_state(desk) == before
    assert handlers.verify_audit(desk).intact
    assert handlers.adopt_sql_changes(desk) == Found()


@pytest.mark.parametrize("change", FORGETS)
def test_autonomy_is_lowered_whatever_sql_did_to_the_state(
    desk: Desk, sql: Sql, change: str
) -> None:
    """The kill switch, a rollback and a trip need no row that is in order."""
    promote(desk, Phase.L4, "SET_POWER")
    sql(change)
    handlers.pull_kill_switch(desk, reason="fire", by="anna")
    assert handlers.show_state(desk).current_phase is Phase.L3
    sql(change)
    handlers.roll_back(desk, Phase.L3, reason="fire", by="anna")
    sql(change)
    handlers.apply_action(desk, trip())
    assert "SET_POWER" in handlers.show_state(desk).paused_command_types


@pytest.mark.parametrize("change", FORGETS)
def test_a_start_without_the_states_row_keeps_what_people_made(
    desk: Desk, sql: Sql, change: str
) -> None:
    """It is no first start: rules, epoch and what is paused stay as they were."""
    handlers.apply_action(desk, trip())
    before, rules = handlers.show_state(desk), handlers.list_rules(desk)
    sql(change)
    assert not handlers.create(desk)
    assert (handlers.show_state(desk), handlers.list_rules(desk)) == (before, rules)


def test_a_trip_is_never_built_on_a_change_that_nobody_wrote_down(desk: Desk, sql: Sql) -> None:
    """A trip right after the SQL takes the change over first: two acts, two epochs."""
    promote(desk, Phase.L4, "SET_POWER")
    sql(ROLL_BACK)
    handlers.apply_action(desk, trip())
    meant = (Act.TYPE_PAUSED, Act.TRIP_APPLIED, Act.STATE_ADOPTED)
    acts = [act for act in acts_of(desk) if act in meant]
    assert acts[:3] == list(meant)
    assert handlers.show_state(desk).autonomy_epoch == 3


def test_the_audit_log_cannot_be_changed_by_sql(desk: Desk, sql: Sql) -> None:
    """The database itself refuses to change or delete what was written."""
    for statement in ("UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"):
        with pytest.raises((sqlite3.IntegrityError, psycopg.errors.RaiseException), match="append"):
            sql(statement)
    assert handlers.verify_audit(desk).intact


def test_the_runbooks_cleanup_works_as_written(tmp_path: Path) -> None:
    """The monthly clean-up takes old, resolved rows and nothing else."""
    file = tmp_path / "governance.db"
    desk = desk_at(f"sqlite:///{file}")
    old = at(desk, NOON - timedelta(days=4_000))
    for n in range(3):
        handlers.apply_action(old, trip(f"T{n}", decided_at=NOON - timedelta(days=4_000 - n)))
    handlers.resolve_event(old, handlers.list_events(desk)[0].id, by="anna")
    with sqlite3.connect(file) as direct:
        direct.executescript("""
            DELETE FROM metrics_snapshots
            WHERE timestamp < datetime('now', '-90 days');
            DELETE FROM readiness_assessments
            WHERE timestamp < datetime('now', '-90 days');
            DELETE FROM circuit_breaker_events
            WHERE timestamp < datetime('now', '-90 days') AND resolved = 1;
            VACUUM;
        """)
    direct.close()
    assert len(handlers.list_events(desk)) == 2
    desk.store.close()
