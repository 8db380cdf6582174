"""What operators do all day, from the command line, on the real API."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from governance.callers import Role
from governance.service import StateService
from schemas.errors import GovernanceError
from schemas.events import Severity
from schemas.governance import Phase
from schemas.rules import Action
from tests.ladders import Executors, make_ready, proposed
from tests.unit.api.conftest import Trip
from tests.unit.cli.conftest import Governance, Person

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def done(governance: Governance, *arguments: str, given: str | None = None) -> str:
    """Run a command that must succeed, and return what it said."""
    ended = governance(*arguments, given=given)
    assert ended.exit_code == 0, (ended.output, ended.exception)
    return ended.output


def refused(governance: Governance, *arguments: str) -> str:
    """Run a command that must be refused, and return why."""
    ended = governance(*arguments)
    assert isinstance(ended.exception, GovernanceError), ended.output
    return str(ended.exception)


def test_an_event_is_answered_from_the_first_look_to_the_resumed_type(
    governance: Governance, trip: Trip
) -> None:
    """List, explain, acknowledge, resolve, reopen, resolve again, and let the type run."""
    event = trip()
    assert event in done(governance, "events")
    assert "Repeated Command Failures" in done(governance, "events", "show", event)
    done(governance, "events", "ack", event)
    found = json.loads(done(governance, "events", "show", event, "--json"))
    assert found["acknowledgedBy"]
    verdict = ("--verdict", "true_positive", "--cause", "a worn belt", "--notes", "replaced")
    done(governance, "events", "resolve", event, *verdict)
    assert done(governance, "events") == "All clear.\n"
    shown = done(governance, "events", "show", event)
    assert "a worn belt" in shown
    assert "true_positive" in shown
    done(governance, "events", "reopen", event, "--reason", "it squeaks")
    assert event in done(governance, "events")
    done(governance, "events", "resolve", event)

    state = json.loads(done(governance, "state", "--json"))
    assert state["pausedCommandTypes"] == ["SET_POWER"]
    done(governance, "resume", "SET_POWER", "--epoch", str(state["autonomyEpoch"]))
    assert "paused     none" in done(governance, "state")


def test_resuming_takes_somebody_who_looks(governance: Governance, trip: Trip) -> None:
    """Without a terminal the epoch has to be given: nobody confirms what nobody saw."""
    trip()
    assert "give its --epoch" in refused(governance, "resume", "SET_POWER")


def test_autonomy_is_lowered_by_one_command(governance: Governance) -> None:
    """The kill switch says whether it changed anything; a roll-back says first what it would."""
    assert "all paused" in done(governance, "kill", "--reason", "smoke")
    assert "nothing changed" in done(governance, "kill", "--reason", "smoke")
    shown = done(governance, "rollback", "--reason", "drill", "--dry-run")
    assert "phase" in shown
    assert "L3" in done(governance, "rollback", "--reason", "drill")
    assert "above" in refused(governance, "rollback", "--reason", "no", "--to", "L5")


def test_a_rule_is_added_changed_and_deleted(governance: Governance, tmp_path: object) -> None:
    """By options, by JSON from standard input, or both; options win."""
    body = {"condition": "failures > 9", "window": "5m", "action": "alert_only"}
    said = done(
        governance,
        "rules", "add", "Many Failures", "--severity", "low", "-f", "-", "--window", "10m",
        given=json.dumps({**body, "name": "another"}),
    )  # fmt: skip
    assert said == "Many Failures is added\n"
    shown = json.loads(done(governance, "rules", "show", "Many Failures", "--json"))["rule"]
    assert (shown["window"], shown["condition"]) == ("10m", "failures > 9")
    done(governance, "rules", "set", "Many Failures", "--condition", "failures > 5")
    done(governance, "rules", "disable", "Many Failures")
    assert "failures > 5" in done(governance, "rules")
    done(governance, "rules", "enable", "Many Failures")
    done(governance, "rules", "delete", "Many Failures")
    assert "Many Failures" not in done(governance, "rules")


def test_a_mistake_is_told_as_the_api_tells_it(governance: Governance) -> None:
    """The place and what was meant, in the API's own words."""
    wrong = refused(governance, "rules", "set", "High Error Rate", "--condition", "errorrate > 1%")
    assert "did you mean errorRate" in wrong
    assert "High Error Rate" in refused(governance, "rules", "show", "High Eror Rate")


@pytest.mark.parametrize(
    ("text", "problem"),
    [("[1]", "no JSON object"), ("{", "is no JSON"), ("{}" + " " * 70_000, "longer than")],
)
def test_a_body_that_is_none_is_refused(governance: Governance, text: str, problem: str) -> None:
    """Before anything is asked."""
    ended = governance("rules", "add", "x", "-f", "-", given=text)
    assert problem in str(ended.exception)


def test_a_rise_is_decided_on_by_role(governance: Governance, service: StateService) -> None:
    """Look, ask the tree, approve in two roles: the second raises the phase."""
    service.desk = replace(service.desk, measure=Executors())
    make_ready(service.desk, Phase.L3_PLUS)
    proposal = proposed(service.desk).id

    assert proposal in done(governance, "proposals")
    assert "SET_DRUM, SET_AIRFLOW" in done(governance, "proposals", "show", proposal)
    assert "readiness score" in done(governance, "decide", "approve", proposal)
    said = done(governance, "proposals", "approve", proposal, "--as", "tech-lead")
    assert "missing: ops-lead" in said
    said = done(governance, "proposals", "approve", proposal, "--as", "ops-lead")
    assert said == "approved: autonomy is at L4\n"
    assert done(governance, "proposals") == "No proposal waits.\n"


def test_a_rise_is_rejected(governance: Governance, service: StateService) -> None:
    """With a reason that everybody reads."""
    service.desk = replace(service.desk, measure=Executors())
    make_ready(service.desk)
    proposal = proposed(service.desk).id
    done(governance, "proposals", "reject", proposal, "--reason", "not before the fair")
    assert "not before the fair" in done(governance, "proposals", "show", proposal, "--json")


def test_the_week_is_reviewed(governance: Governance) -> None:
    """The cycle's report, the newest one, and the runbook's trees."""
    assert "#" in done(governance, "cycle", "run")
    assert done(governance, "report", "latest") == done(governance, "report", "latest")
    listed = json.loads(done(governance, "report", "list", "--json"))
    assert listed[0]["id"] in done(governance, "report", "list")
    assert "<html" in done(governance, "report", "show", listed[0]["id"], "--html")
    assert "→ consider rollback" in done(governance, "decide", "rollback")
    assert "→" in done(governance, "decide", "adjust", "High Error Rate")


def test_readiness_is_explained_and_attested(governance: Governance) -> None:
    """What is missing, what a person says, and what that moved."""
    assert "Kill switch tested" in done(governance, "readiness")
    assert "takes evidence" in refused(governance, "readiness", "attest", "Kill switch tested")
    evidence = ("--evidence", "https://wiki/drill", "--note", "drill of Monday")
    done(governance, "readiness", "attest", "Kill switch tested", *evidence)
    found = json.loads(done(governance, "readiness", "--json"))
    items = {item["name"]: item for item in found["technical"]["items"]}
    assert items["Kill switch tested"]["status"]
    assert "%" in done(governance, "readiness", "explain", "--days", "2")


def test_the_morning_ends_with_what_it_asks_for(governance: Governance, trip: Trip) -> None:
    """2 while a high event waits, and the sentence names it first."""
    trip(severity=Severity.HIGH)
    ended = governance("morning")
    assert ended.exit_code == 2
    assert "HIGH Repeated Command Failures on SET_POWER" in ended.output
    asked = json.loads(governance("morning", "--json").output)
    assert asked["level"] == "act"


def test_what_only_alerts_is_for_later(governance: Governance, trip: Trip) -> None:
    """A low event whose time is not over does not call for anybody at once."""
    trip(severity=Severity.LOW, action=Action.ALERT_ONLY)
    told = json.loads(governance("morning", "--json").output)
    low = [matter for matter in told["matters"] if matter["text"].startswith("LOW")]
    assert [matter["level"] for matter in low] == ["act" if "overdue" in low[0]["text"] else "look"]


def test_two_people_sign_one_after_the_other(person: Person, trip: Trip) -> None:
    """The first is told what the second types; who asked may take it back."""
    anna, ben = person("anna", Role.TECH_LEAD), person("ben", Role.OPS_LEAD)
    event = trip(severity=Severity.HIGH)
    asked = anna("events", "resolve", event, "--verdict", "true_positive")
    assert "waits for a second person" in asked.output
    act = asked.output.split()[-1]
    assert f"governance acts sign {act}" in asked.output
    assert act in done(ben, "acts")
    assert "anna" in done(ben, "acts", "show", act)
    assert "anna" in refused(anna, "acts", "sign", act)
    assert "done: " in done(ben, "acts", "sign", act)
    assert done(anna, "events") == "All clear.\n"

    done(anna, "rules", "disable", "High Error Rate")
    (waiting,) = json.loads(done(anna, "acts", "--json"))
    done(anna, "acts", "withdraw", waiting["id"], "--reason", "not today")
    assert done(ben, "acts") == "Nothing waits for a second person.\n"


def test_without_a_token_the_way_to_one_is_named(person: Person) -> None:
    """The API's own words, and what to set."""
    person("anna", Role.VIEWER)
    viewer = person("vera", Role.VIEWER)
    assert "operator" in refused(viewer, "kill", "--reason", "x")
