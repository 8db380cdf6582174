"""Rules: every change a version with its own moment, and never one that cannot go live."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from governance import handlers
from governance.desk import Desk
from schemas.errors import Conflict, NotFound, RuleError
from schemas.events import Severity
from schemas.rules import Action, Rule, RulePatch, RuleVersion
from schemas.wire import to_ms
from tests.contract.test_store_trips import outbox
from tests.desks import NOON, at

NAME = "High Error Rate"


def told(desk: Desk) -> list[RuleVersion]:
    """Return the versions that the judges are told of."""
    return [
        RuleVersion.model_validate_json(row.value) for row in outbox(desk) if row.topic == "rules"
    ]


def new_rule(name: str = "Slow Approvals", condition: str = "approvalRate < 0.5") -> Rule:
    """Return a rule that is not there yet."""
    return Rule(
        name=name,
        condition=condition,
        window="1h",
        action=Action.ALERT_ONLY,
        alert_severity=Severity.LOW,
    )


def test_a_new_installation_has_the_default_rules(desk: Desk) -> None:
    """Four rules at version 1, in force from the beginning of the log, told to the judges."""
    rules = handlers.list_rules(desk)
    assert [(rule.name, rule.version, rule.effective_from) for rule in rules] == [
        ("Critical Incident Detected", 1, 0),
        ("High Error Rate", 1, 0),
        ("High Rollback Rate", 1, 0),
        ("Repeated Command Failures", 1, 0),
    ]
    assert {version.key for version in told(desk)} == {f"{rule.name}@1" for rule in rules}


def test_a_patch_makes_a_version_in_force_a_lead_ahead(desk: Desk) -> None:
    """The runbook's own change: condition, window and severity, the rest as it was."""
    patch = RulePatch(condition="errorRate > 0.08", window="10m", alert_severity=Severity.HIGH)
    rule = handlers.patch_rule(desk, NAME, patch, by="anna")
    assert (rule.version, rule.effective_from) == (2, to_ms(NOON) + 1_500)
    assert (rule.condition, rule.window, rule.action) == ("errorRate > 0.08", "10m", "revert_to_l3")
    version = told(desk)[-1]
    assert (version.key, version.changed_by) == (f"{NAME}@2", "anna")
    assert version.rule is not None
    assert version.rule.window == "10m"


def test_a_patch_that_cannot_go_live_changes_nothing(desk: Desk) -> None:
    """The last good version stays, with its number, and nobody is told anything."""
    before = (handlers.show_rule(desk, NAME), len(outbox(desk)), handlers.show_audit_head(desk))
    with pytest.raises(RuleError, match="errorRate"):
        handlers.patch_rule(desk, NAME, RulePatch(condition="errorRat > 0.08"), by="anna")
    after = (handlers.show_rule(desk, NAME), len(outbox(desk)), handlers.show_audit_head(desk))
    assert after == before


def test_a_patch_that_changes_nothing_makes_no_version(desk: Desk) -> None:
    """A double click is one change."""
    patch = RulePatch(enabled=False)
    first = handlers.patch_rule(desk, NAME, patch, by="anna")
    assert handlers.patch_rule(desk, NAME, patch, by="anna") == first
    assert NAME not in [rule.name for rule in handlers.list_rules(desk, enabled_only=True)]


def test_a_field_can_be_cleared(desk: Desk) -> None:
    """Null takes an optional field away and is refused for the others."""
    handlers.patch_rule(desk, NAME, RulePatch(recover_when="errorRate < 0.01"), by="anna")
    rule = handlers.patch_rule(desk, NAME, RulePatch(recover_when=None), by="anna")
    assert rule.recover_when is None
    with pytest.raises(RuleError, match="window"):
        handlers.patch_rule(desk, NAME, RulePatch(window=None), by="anna")


def test_an_unknown_rule_names_its_neighbours(desk: Desk) -> None:
    """A misspelt name is answered with the one that was meant."""
    with pytest.raises(NotFound, match="near matches: High Error Rate"):
        handlers.patch_rule(desk, "High Eror Rate", RulePatch(enabled=False), by="anna")


def test_a_rule_is_added_once(desk: Desk) -> None:
    """A second rule of that name is a conflict."""
    assert handlers.add_rule(desk, new_rule(), by="anna").version == 1
    with pytest.raises(Conflict):
        handlers.add_rule(desk, new_rule(), by="anna")
    with pytest.raises(RuleError):
        handlers.add_rule(desk, new_rule("Other", "metric > threshold"), by="anna")


def test_a_deleted_rule_leaves_its_versions(desk: Desk) -> None:
    """The deletion is a version too, and a rule of that name that comes back goes on counting."""
    handlers.delete_rule(desk, NAME, by="anna")
    assert NAME not in [rule.name for rule in handlers.list_rules(desk)]
    assert told(desk)[-1].rule is None
    again = handlers.add_rule(at(desk, NOON + timedelta(hours=1)), new_rule(NAME), by="anna")
    assert again.version == 3
    assert [version.version for version in handlers.list_rule_versions(desk, NAME)] == [3, 2, 1]


def test_a_clock_that_goes_back_does_not_reorder_versions(desk: Desk) -> None:
    """A later version is never in force before an earlier one."""
    handlers.patch_rule(desk, NAME, RulePatch(window="10m"), by="anna")
    early = at(desk, NOON - timedelta(hours=1))
    rule = handlers.patch_rule(early, NAME, RulePatch(window="20m"), by="anna")
    assert (rule.version, rule.effective_from) == (3, to_ms(NOON) + 1_500)


def test_of_fifty_who_patch_one_version_one_does(desk: Desk) -> None:
    """Who says which version they saw is refused when it is no longer that one."""

    def patch(n: int) -> bool:
        try:
            handlers.patch_rule(
                desk, NAME, RulePatch(window=f"{n + 6}m"), by=f"p{n}", expected_version=1
            )
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(50) as people:
        assert sum(people.map(patch, range(50))) == 1
    assert handlers.show_rule(desk, NAME).version == 2
