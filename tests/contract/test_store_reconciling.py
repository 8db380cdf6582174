"""Kafka and the database are put right with each other: nothing is forgotten, nothing raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from governance import handlers, phases
from governance.audit import Act
from governance.desk import Desk
from governance.handlers.changes import Cause, change_autonomy
from governance.handlers.reconciling import ANOTHER, Observed, Reconciled, reconcile
from governance.kafka import Published, read_published
from schemas.alerts import Alert, AlertType
from schemas.governance import Phase
from schemas.rules import Action, Rule, RulePatch
from schemas.topics import ALERTS, RULES, STATE
from tests.desks import NOON, at, desk_at, trip
from tests.unit.rules.facts import rule

HOUR = timedelta(hours=1)
FAILURES = "Repeated Command Failures"
ERRORS = "High Error Rate"


class Topics:
    """The control topics in memory, to which what a desk's outbox holds is published."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, bytes]] = {RULES.name: {}, STATE.name: {}}

    def take(self, desk: Desk) -> list[str]:
        """Publish what waits in the outbox of *desk*; return the keys, in order."""
        with desk.store.writing() as unit:
            rows = unit.outbox.unpublished(10_000)
            unit.outbox.mark_published([row.seq for row in rows], desk.clock())
        for row in rows:
            if row.topic in self.records:
                self.records[row.topic][row.key] = row.value.encode()
        return [row.key for row in rows if row.topic in self.records]

    @property
    def published(self) -> Published:
        """Return what they hold."""
        return read_published(self.records[RULES.name], self.records[STATE.name])

    def reconcile(self, desk: Desk, **observed: Any) -> Reconciled:
        """Let *desk*, an hour later, be put right with what these topics hold."""
        later = at(desk, NOON + HOUR)
        return reconcile(later, Observed(self.published, later.clock(), **observed))


@pytest.fixture
def topics() -> Topics:
    """Return empty topics."""
    return Topics()


@pytest.fixture
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return the desk of an installation in L4 whose database will be lost."""
    desk = desk_at(f"sqlite:///{tmp_path_factory.mktemp('lost') / 'lost.db'}")
    for target in (Phase.L3_PLUS, Phase.L4):
        rise(desk, target, {Phase.L3_PLUS: ["SET_FAN"], Phase.L4: ["SET_DRUM"]}[target])
    handlers.apply_action(desk, trip("SET_FAN"))
    handlers.apply_action(desk, trip("SET_DRUM"))
    yield desk
    desk.store.close()


def rise(desk: Desk, target: Phase, adds: list[str]) -> None:
    """Raise a phase as an approved proposal does."""
    with desk.store.writing() as unit:
        before = unit.autonomy.load()
        after = phases.promoted(before, target, adds=adds, now=NOON)
        cause = Cause(Act.PHASE_PROMOTED, "anna", "governance", "a test")
        change_autonomy(desk, unit, before=before, after=after, cause=cause, now=NOON)


def audit(desk: Desk) -> list[str]:
    """Return what was done, newest first."""
    return [row.act for row in handlers.list_audit(desk, limit=100)]


def test_a_new_installation_has_nothing_to_put_right(desk: Desk, topics: Topics) -> None:
    """What waits in the outbox is about to be told."""
    assert not topics.reconcile(desk)
    topics.take(desk)
    assert not topics.reconcile(desk)
    assert "topics.repaired" not in audit(desk)


def test_topics_that_are_empty_are_told_everything(desk: Desk, topics: Topics) -> None:
    """Every version of every rule, the newest first; the state, its epoch, and resolutions."""
    handlers.patch_rule(desk, ERRORS, RulePatch(window="10m"), by="anna")
    handlers.add_rule(desk, rule(name="Mine"), by="anna")
    handlers.delete_rule(desk, "Mine", by="anna")
    handlers.apply_action(desk, trip("SET_FAN"))
    handlers.resolve_event(desk, trip("SET_FAN").id, by="anna")
    topics.take(desk)
    before, emptied = topics.published, Topics()
    assert emptied.reconcile(desk) == Reconciled(7, state_told=True, resolutions_told=1)
    keys = emptied.take(desk)
    assert keys.index(f"{ERRORS}@2") < keys.index(f"{ERRORS}@1")
    assert keys.index("Mine@2") < keys.index("Mine@1")
    assert emptied.published.rules == before.rules
    assert emptied.published.resolutions == before.resolutions
    assert emptied.records[STATE.name].keys() == topics.records[STATE.name].keys() - {"epoch/1"}
    resolution = f"resolution/{trip('SET_FAN').id}"
    assert emptied.records[STATE.name][resolution] == topics.records[STATE.name][resolution]
    assert audit(desk)[0] == "topics.repaired"
    assert not emptied.reconcile(desk)


def test_an_older_record_of_ours_is_told_anew(desk: Desk, topics: Topics) -> None:
    """A topic that lost its end shows a state that we know to have left: nothing is lowered."""
    topics.take(desk)
    handlers.apply_action(desk, trip("SET_FAN"))
    Topics().take(desk)
    assert topics.reconcile(desk, is_first=False) == Reconciled(state_told=True)
    assert topics.take(desk) == ["governance", "epoch/2"]
    assert handlers.show_state(desk).autonomy_epoch == 2


def test_a_rule_that_judges_did_not_hear_of_is_told_once_more(desk: Desk, topics: Topics) -> None:
    """It lies on the topic, where a worker missed it: it lies there again, at the end."""
    topics.take(desk)
    found = topics.reconcile(desk, unheard=frozenset({ERRORS, "Nobody's"}))
    assert found == Reconciled(rules_told=1)
    assert topics.take(desk) == [f"{ERRORS}@1"]


def test_a_lost_database_comes_up_at_the_lower_of_both(
    desk: Desk, topics: Topics, lost: Desk
) -> None:
    """No type is free that was paused, no epoch repeats, and nothing stale is told."""
    topics.take(lost)
    found = topics.reconcile(desk)
    state = handlers.show_state(desk)
    assert (state.current_phase, state.command_whitelist) == (Phase.L3, [])
    assert state.paused_command_types == ["SET_DRUM", "SET_FAN"]
    assert state.autonomy_epoch == 4
    assert found.lowered == ("SET_DRUM, SET_FAN paused",)
    assert topics.take(desk)[-2:] == ["governance", "epoch/4"]
    assert topics.published.state is not None
    assert topics.published.state.autonomy_epoch == 4
    assert topics.published.epochs[1].updated_at == NOON
    assert audit(desk).count("database.reconciled") == 2
    assert not topics.reconcile(desk)
    with desk.store.reading() as unit:
        rows = unit.outbox.after(0, topics=[ALERTS.name], limit=100)
    told = [Alert.model_validate_json(row.value) for row in rows]
    assert any(
        alert.type is AlertType.PHASE_CHANGED and alert.id.endswith(":reconciled") for alert in told
    )


def test_nothing_that_a_lost_database_would_tell_is_told(
    desk: Desk, topics: Topics, lost: Desk
) -> None:
    """Its first state would free, for a moment, what executors must not do."""
    topics.take(lost)
    topics.reconcile(desk)
    with desk.store.reading() as unit:
        waiting = [row for row in unit.outbox.unpublished(100) if row.topic == STATE.name]
    assert [row.key for row in waiting] == ["governance", "epoch/4"]


def test_an_epoch_that_outran_the_topic_hides_nothing(
    desk: Desk, topics: Topics, lost: Desk
) -> None:
    """While Kafka was away, the new database lowered itself more often than the lost one had."""
    topics.take(lost)
    for number in range(6):
        handlers.apply_action(desk, trip("OTHER", decided_at=NOON + number * HOUR))
    found = topics.reconcile(desk)
    assert found.lowered == ("SET_DRUM, SET_FAN paused",)
    assert handlers.show_state(desk).autonomy_epoch == 8


@pytest.mark.parametrize(
    ("change", "version", "condition"),
    [
        (lambda desk: patch(desk, "errorRate > 0.5"), 3, "errorRate > 0.05"),
        (lambda desk: patch(desk, "errorRate > 0.01"), 2, "errorRate > 0.01"),
        (lambda desk: handlers.delete_rule(desk, ERRORS, by="anna"), 3, "errorRate > 0.05"),
    ],
)
def test_of_two_rules_the_tighter_stays(
    desk: Desk,
    topics: Topics,
    lost: Desk,
    change: Callable[[Desk], object],
    version: int,
    condition: str,
) -> None:
    """A tighter one that workers know is taken over; ours follows on a looser one."""
    change(lost)
    topics.take(lost)
    assert topics.reconcile(desk).rules_changed == (ERRORS,)
    shown = handlers.show_rule(desk, ERRORS)
    assert (shown.version, shown.condition) == (version, condition)
    topics.take(desk)
    assert topics.published.newest_rules[ERRORS].version == version
    assert not topics.reconcile(desk)


def patch(desk: Desk, condition: str) -> None:
    """Change a rule's condition."""
    handlers.patch_rule(desk, ERRORS, RulePatch(condition=condition), by="anna")


def test_a_rule_that_only_workers_know_is_kept(desk: Desk, topics: Topics, lost: Desk) -> None:
    """It was people's, and to forget it would loosen what is watched."""
    mine: Rule = rule(name="Mine", action=Action.ALERT_ONLY)
    handlers.add_rule(lost, mine, by="anna")
    handlers.patch_rule(lost, "Mine", RulePatch(window="10m"), by="anna")
    topics.take(lost)
    assert topics.reconcile(desk).rules_changed == ("Mine",)
    assert [one.version for one in handlers.list_rule_versions(desk, "Mine")] == [2, 1]
    assert handlers.show_rule(desk, "Mine").window == "10m"
    with pytest.raises(Exception, match="exists"):
        handlers.add_rule(desk, mine, by="anna")


def test_no_number_stands_for_two_rules(desk: Desk, topics: Topics, lost: Desk) -> None:
    """Both databases made a version 2: judges keep theirs, and the tighter becomes version 3."""
    patch(lost, "errorRate > 0.02")
    topics.take(lost)
    patch(desk, "errorRate > 0.2")
    assert topics.reconcile(desk).rules_changed == (ERRORS,)
    topics.take(desk)
    versions = topics.published.rules[ERRORS]
    assert {number: one.rule and one.rule.condition for number, one in versions.items()} == {
        1: "errorRate > 0.05",
        2: "errorRate > 0.02",
        3: "errorRate > 0.02",
    }
    assert not topics.reconcile(desk)


def test_numbers_that_only_judges_remember_are_not_used_again(desk: Desk, topics: Topics) -> None:
    """Database and topics were lost: judges still go by versions 5, of a rule that nobody has."""
    topics.take(desk)
    found = topics.reconcile(desk, reported={ERRORS: 5, "Gone": 5, FAILURES: 1})
    assert found.rules_changed == ("Gone", ERRORS)
    assert handlers.show_rule(desk, ERRORS).version == 6
    topics.take(desk)
    assert topics.published.newest_rules["Gone"].rule is None
    assert not topics.reconcile(desk, reported={ERRORS: 6, "Gone": 6, FAILURES: 1})


def test_another_service_that_writes_is_named_and_not_fought(
    desk: Desk, topics: Topics, lost: Desk
) -> None:
    """Two databases on one prefix lower each other once, and then somebody has to choose."""
    topics.take(desk)
    topics.reconcile(lost)
    topics.take(lost)
    assert topics.reconcile(desk, is_first=False).lowered == ("SET_DRUM, SET_FAN paused",)
    topics.take(desk)
    found = topics.reconcile(lost, is_first=False)
    assert found.lowered is None or topics.take(lost)
    for _ in range(3):
        epochs = [handlers.show_state(one).autonomy_epoch for one in (desk, lost)]
        found = topics.reconcile(lost, is_first=False)
        other = topics.reconcile(desk, is_first=False)
        topics.take(lost)
        topics.take(desk)
    assert [handlers.show_state(one).autonomy_epoch for one in (desk, lost)] == epochs
    assert ANOTHER in (found.conflict, other.conflict)


def test_what_nobody_can_read_is_left_alone(desk: Desk, topics: Topics) -> None:
    """A newer program's rule is neither ended nor overwritten; of ours, no number is used twice."""
    topics.take(desk)
    for name, number in (("Newer", 1), (ERRORS, 2)):
        record = f'{{"name": "{name}", "version": {number}, "rule": {{"action": "telepathy"}}}}'
        topics.records[RULES.name][f"{name}@{number}"] = record.encode()
    topics.records[STATE.name]["epoch/9"] = b"{"
    assert topics.reconcile(desk).rules_changed == (ERRORS,)
    assert handlers.show_rule(desk, ERRORS).version == 3
    topics.take(desk)
    assert not topics.reconcile(desk)


def test_protected_types_that_were_lost_are_told_again(desk: Desk, topics: Topics) -> None:
    """Each version as it was, so that a replay counts as the workers did."""
    handlers.protect_types(desk)
    topics.take(desk)
    version = topics.published.protections
    assert len(version) == 1
    assert not topics.reconcile(desk)
    emptied = Topics()
    assert emptied.reconcile(desk).protections_told == 1
    emptied.take(desk)
    assert emptied.published.protections == version
    assert not emptied.reconcile(desk)


def test_a_pause_of_everything_is_the_lower_of_both(desk: Desk, topics: Topics, lost: Desk) -> None:
    """It was told by a database that is lost: nothing runs, and its own records are known."""
    handlers.pull_kill_switch(lost, reason="smoke", by="anna")
    topics.take(lost)
    topics.reconcile(desk)
    state = handlers.show_state(desk)
    assert state.all_paused
    topics.take(desk)
    assert not topics.reconcile(desk)
