"""A quarter at a coffee roastery: autonomy is earned, lost in ten seconds, and earned back.

    2026                                                            2027
    Mar ········ Sep 1    Sep 10      Oct 10      Nov 30 ········ Mar 15         Sep 21
    L3             L3+      L3                                       L3+            L4
    half a year  Ben asks,  eleven    cooldown    78 of 180       half a year    Anna and
                 Anna       failures  is over     days at L3      is over        Ben agree
                 agrees

A quarter is not enough: each phase is held for half a year before the next, and one that was lost
begins anew; so the story goes on until both have passed. Anna leads the engineers, Ben the
operation, Olga keeps an eye on the roasters. The chapters are walked once, in order, by the product
itself (`tests.e2e.plant`); the tests of a chapter say what it promises.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import jsonschema
import pytest

from governance import handlers
from governance.schedule import week_name
from tests.e2e.plant import Plant
from tests.e2e.roasters import A_DAY, busy_minutes, failures
from tests.e2e.roastery import (
    DAY,
    FIRST_DAY,
    ZURICH,
    attest,
    attested,
    live,
    missing,
    on,
    renew,
    roastery,
)

pytestmark = pytest.mark.timeout(900)  # the walk is the first test's, on whatever machine

Told = dict[str, Any]
"""What people read and were answered, by name."""

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = DOCS / "a-quarter.md"

READINESS: Final = "/api/readiness"
STATE: Final = "/api/governance/state"
CYCLE: Final = "/api/governance/run-cycle"
PROPOSALS: Final = "/api/governance/proposals"
VALIDATION: Final = "/api/governance/validation"
COOLDOWN: Final = "/api/governance/cooldown"
EVENTS: Final = "/api/circuit-breaker/events"
REPORTS: Final = "/api/governance/reports"
HELD: Final = "6+ months running at L3"
PLAN: Final = "Customer communication plan ready"
PLAYBOOK: Final = "Incident response playbook complete"


STORM: Final = on(2026, 9, 10, 14)
FALL: Final = "2026-09-10T14:03:10"
"""The second in which the eleventh command failed."""

CLOSED: Final = (on(2026, 12, 24), on(2027, 1, 4))
"""Over the year's end the roastery is closed, and the service is off."""


# ------------------------------------------------------------------------- half a year at L3


def half_a_year(plant: Plant) -> Told:
    """Roast coffee for six months, people approving each command; then look at the checklist."""
    live(plant, on(2026, 8, 31))
    told = {
        "trips": plant.get("olga", EVENTS),
        "bare": plant.get("olga", f"{READINESS}/current"),
    }
    for number, item in enumerate(attested(plant)):
        if item["name"] != PLAN:
            attest(plant, ("anna", "ben")[number % 2], item["name"])
    told["ready"] = plant.get("olga", f"{READINESS}/current")
    told["moved"] = plant.get("olga", f"{READINESS}/diff", since="2026-08-31T09:00:00Z")
    told["months"] = plant.get("olga", "/api/metrics/compare", days="30")
    return told


def test_half_a_year_of_quiet_trips_nothing(told: Told) -> None:
    """The judges saw 26,000 steps of commands by the default rules, and had nothing to say."""
    assert told["trips"] == []
    assert told["months"]["current"]["commands"]["total"] == 1440
    assert told["months"]["current"]["rates"]["successRate"] > 0.998


def test_numbers_alone_do_not_make_ready(told: Told) -> None:
    """What the stream measures is worth 28 of 80 points; for the rest people answer."""
    bare = told["bare"]["overall"]

    assert (bare["points"], bare["band"], bare["ready"]) == (28, "investigate", False)


def test_people_and_their_evidence_make_ready(told: Told) -> None:
    """77 of 80 points; the plan that is missing is not required."""
    overall = told["ready"]["overall"]

    assert (overall["score"], overall["points"], overall["maxPoints"]) == (0.9625, 77, 80)
    assert (overall["ready"], overall["blockers"]) == (True, [])
    assert missing(told["ready"]) == [PLAN]


def test_the_diff_says_who_moved_the_score(told: Told) -> None:
    """Each point since this morning has a name behind it."""
    moved = told["moved"]

    assert (moved["before"]["points"], moved["after"]["points"]) == (28, 77)
    assert sum(change["points"] for change in moved["changes"]) == 49
    assert {change["by"] for change in moved["changes"]} == {"anna", "ben"}


# ------------------------------------------------------------- a proposal, and whose yes counts


def a_proposal(plant: Plant) -> Told:
    """On Tuesday Ben runs the cycle; Anna reads what it proposes, and agrees."""
    live(plant, on(2026, 9, 1))
    report = plant.post("ben", CYCLE)
    proposal = report["proposal"]
    path = f"{PROPOSALS}/{proposal['id']}"
    told = {
        "cycle": report,
        "waiting": plant.get("anna", f"{path}/decision"),
        "no": [
            plant.refused(who, f"{path}/approve", approvedBy=role)
            for who, role in (
                ("ben", "ops-lead"),
                ("cleo", "ops-lead"),
                ("cleo", "exec-sponsor"),
                ("olga", "tech-lead"),
                ("pipeline", "tech-lead"),
            )
        ],
    }
    seen = {"digest": proposal["digest"], "version": 1, "autonomyEpoch": 1}
    told["yes"] = plant.post("anna", f"{path}/approve", approvedBy="tech-lead", **seen)
    return told


def test_the_cycle_proposes_the_next_phase(told: Told) -> None:
    """What would be allowed, on what evidence, at what risk, and how to go back."""
    proposal = told["cycle"]["proposal"]

    assert told["cycle"]["recommendation"] == "expand_scope"
    assert proposal["expansion"]["targetPhase"] == "L3+"
    assert proposal["expansion"]["commandsToWhitelist"] == ["SET_POWER", "SET_FAN"]
    assert proposal["rationale"]["keyAchievements"][0] == "Readiness 96.25%: 77 of 80 points"
    assert proposal["riskAssessment"]["level"] == "low"
    assert "targetPhase L3" in proposal["riskAssessment"]["rollbackPlan"]


def test_the_decision_tree_waits_for_one_answer(told: Told) -> None:
    """Of the runbook's five questions only the second is open: nobody approved yet."""
    tree = told["waiting"]

    assert tree["outcome"] == "wait"
    assert [one["answer"] for one in tree["questions"]] == ["yes", "no", "no", "yes", "yes"]


def test_it_takes_two_people_of_the_right_kind(told: Told) -> None:
    """Who asked, who holds another role, who claims one, who holds none, and a program."""
    assert told["no"] == [
        "own_proposal",
        "role_not_required",
        "role_not_held",
        "not_permitted",
        "service_may_not_approve",
    ]


def test_the_second_person_raises_the_phase(told: Told) -> None:
    """Ben asked, Anna agreed: two command types run by themselves, and no epoch went by."""
    yes = told["yes"]

    assert (yes["phaseChanged"], yes["missingApprovals"]) == (True, [])
    assert yes["state"]["currentPhase"] == "L3+"
    assert yes["state"]["commandWhitelist"] == ["SET_FAN", "SET_POWER"]
    assert yes["state"]["autonomyEpoch"] == 1


# ----------------------------------------------------------------------------------- on trial


def on_trial(plant: Plant) -> Told:
    """A week of the two weeks for which the new phase is on trial."""
    live(plant, on(2026, 9, 8))
    return {
        "trial": plant.get("olga", VALIDATION),
        "first_friday": plant.get("olga", f"{REPORTS}/week-2026-W36"),
    }


def test_a_new_phase_is_on_trial(told: Told) -> None:
    """Half of its time is over, and every number of what runs by itself is good."""
    trial = told["trial"]

    assert (trial["status"], trial["progress"]["elapsed"]) == ("running", 0.5)
    assert trial["progress"]["samples"] == 7 * A_DAY // 2
    assert trial["progress"]["forecast"] > trial["criteria"]["samples"]
    assert trial["progress"]["successRate"] > 0.995


def test_nothing_is_proposed_during_a_trial(told: Told) -> None:
    """Friday's report says why not."""
    report = told["first_friday"]

    assert report["proposal"] is None
    assert "L3+ is still being validated" in report["obstacles"]


# ---------------------------------------------------------------------------------- the storm


def the_storm(plant: Plant) -> Told:
    """On the tenth day a sensor fails, and fans and drums with it; people answer."""
    live(plant, STORM)
    plant.topics.news("alerts")
    plant.work(busy_minutes(STORM, "busy"))
    for record in failures(STORM + timedelta(minutes=3), "storm", ("SET_FAN", "SET_DRUM"), 8):
        plant.work([record])
    told = {
        "fallen": plant.get("olga", STATE),
        "events": plant.get("olga", f"{EVENTS}/unresolved"),
        "cooldown": plant.get("olga", COOLDOWN)["cooldown"],
        "lost": plant.get("olga", VALIDATION),
        "alerts": [json.loads(one) for one in plant.topics.news("alerts")],
    }
    events = {one["commandType"]: one["id"] for one in told["events"]}
    told["why"] = plant.get("olga", f"{EVENTS}/{events[None]}")
    plant.look(STORM + timedelta(minutes=8))
    for event in events.values():
        plant.post("olga", f"{EVENTS}/{event}/acknowledge")
    told |= too_soon(plant)
    plant.look(STORM + timedelta(hours=2))
    for who, event in (("olga", events["SET_FAN"]), ("olga", events["SET_DRUM"])):
        found = {"verdict": "true_positive", "cause": "a drum sensor that froze"}
        plant.together(who, "anna", f"{EVENTS}/{event}/resolve", **found)
    found = {"verdict": "true_positive", "incidentId": "INC-7", "notes": "see the retrospective"}
    told["resolved"] = plant.together("ben", "anna", f"{EVENTS}/{events[None]}/resolve", **found)
    return told | the_morning_after(plant)


def too_soon(plant: Plant) -> Told:
    """Try what is no longer so, or not yet."""
    (proposal,) = plant.get("cleo", f"{PROPOSALS}/history")
    late = {"approvedBy": "tech-lead", "autonomyEpoch": 1}
    resume = "/api/circuit-breaker/command-types/SET_FAN/resume"
    return {
        "too_late": plant.refused("cleo", f"{PROPOSALS}/{proposal['id']}/approve", **late),
        "unresolved": plant.refused("anna", resume, autonomyEpoch=4),
        "that_day": plant.post("ben", CYCLE),
    }


def the_morning_after(plant: Plant) -> Told:
    """The sensor is replaced: two people let both types run again, with people's approval."""
    live(plant, on(2026, 9, 11, 9))
    types = "/api/circuit-breaker/command-types"
    stale = plant.refused("anna", f"{types}/SET_FAN/resume", autonomyEpoch=1)
    for kind in ("SET_FAN", "SET_DRUM"):
        plant.together("olga", "ben", f"{types}/{kind}/resume", autonomyEpoch=4)
    return {"stale": stale, "running": plant.get("olga", STATE)}


def test_the_breakers_take_all_of_it_within_ten_seconds(told: Told) -> None:
    """Two types are paused at their third failures; above 5 % of all, autonomy is back at L3."""
    state = told["fallen"]

    assert (state["currentPhase"], state["commandWhitelist"]) == ("L3", [])
    assert state["pausedCommandTypes"] == ["SET_DRUM", "SET_FAN"]
    assert state["autonomyEpoch"] == 4
    assert {(one["rule"]["name"], one["severity"]) for one in told["events"]} == {
        ("Repeated Command Failures", "high"),
        ("High Error Rate", "critical"),
    }


def test_the_evidence_can_be_recomputed_by_hand(told: Told) -> None:
    """The window holds 211 attempts, of which eleven failed: 5.2 %, by their names."""
    why = told["why"]

    assert why["timestamp"][:19] == FALL
    assert why["evidence"]["readings"][0]["numerator"] == 11
    assert why["evidence"]["readings"][0]["denominator"] == 211
    assert len(why["evidence"]["commandIds"]) == 11


def test_what_stood_on_the_phase_falls_with_it(told: Told) -> None:
    """The trial has failed, and a cooldown of thirty days begins."""
    assert (told["lost"]["status"], told["lost"]["endedAt"][:19]) == ("failed", FALL)
    assert "High Error Rate" in told["lost"]["reason"]
    assert told["cooldown"]["severity"] == "critical"
    assert told["cooldown"]["until"].startswith("2026-10-10T14:03")


def test_subscribers_hear_of_all_of_it(told: Told) -> None:
    """Trips, pauses, the phase and the trial, in the order in which they happened."""
    kinds = [alert["type"] for alert in told["alerts"]]

    assert kinds == [
        "governance.breaker.tripped",
        "governance.command_type.paused",
        "governance.breaker.tripped",
        "governance.command_type.paused",
        "governance.breaker.tripped",
        "governance.phase.changed",
        "governance.validation.ended",
    ]


def test_what_was_decided_before_is_over(told: Told) -> None:
    """A yes to the old proposal, a resume before anybody resolved, one on an old epoch."""
    assert told["too_late"] == "proposal_closed"
    assert told["unresolved"] == "refused"
    assert told["stale"] == "stale_epoch"


def test_nothing_is_proposed_while_events_wait(told: Told) -> None:
    """The cycle that Ben runs on that day asks for an investigation."""
    report = told["that_day"]

    assert (report["proposal"], report["recommendation"]) == (None, "investigate")
    assert "3 breaker event(s) are unresolved" in report["obstacles"]


def test_grave_events_are_resolved_by_two(told: Told) -> None:
    """Ben said what it was, Anna agreed."""
    assert told["resolved"]["event"]["resolvedBy"] == "ben, anna"
    assert told["resolved"]["event"]["finding"] == "true_positive"


def test_two_people_let_the_types_run_again(told: Told) -> None:
    """What runs is approved by people again: the phase stays where it is."""
    assert told["running"]["pausedCommandTypes"] == []
    assert told["running"]["currentPhase"] == "L3"


# ------------------------------------------------------------------- cooldown, and new evidence


def evidence_again(plant: Plant) -> Told:
    """A retrospective says that the playbook missed such a storm; it is written anew."""
    live(plant, on(2026, 9, 14))
    attest(plant, "anna", PLAYBOOK, met=False, note="INC-7: nobody knew whom to call for sensors")
    told = {"retrospective": plant.get("olga", f"{READINESS}/current")}
    live(plant, on(2026, 9, 16))
    attest(plant, "ben", PLAYBOOK)
    role = {"approvedBy": "ops-lead"}
    told["lift"] = [plant.refused(who, f"{COOLDOWN}/lift", **role) for who in ("ben", "olga")]
    live(plant, on(2026, 9, 30))
    told["compared"] = plant.get("olga", "/api/metrics/compare", days="30")
    live(plant, on(2026, 10, 12))
    told |= {
        "recovered": plant.get("olga", f"{READINESS}/current"),
        "moves": plant.get("olga", f"{READINESS}/diff", since="2026-09-15T12:00:00Z"),
        "cold": [plant.get("olga", f"{REPORTS}/week-2026-W{week}") for week in range(37, 42)],
        "rule": plant.get("olga", "/api/circuit-breaker/rules/High%20Error%20Rate/stats"),
    }
    return told


def test_a_retrospective_takes_points_away(told: Told) -> None:
    """Anna takes the playbook's five points back, and the month's failures cost five more."""
    assert missing(told["retrospective"]) == [
        HELD,
        "Command success rate >99.5%",
        PLAYBOOK,
        PLAN,
    ]


def test_nobody_lifts_the_cooldown_in_another_role(told: Told) -> None:
    """It takes whom the next phase takes: neither an ops lead nor an operator."""
    assert told["lift"] == ["role_not_required", "not_permitted"]


def test_each_friday_says_that_it_is_too_soon(told: Told) -> None:
    """Five reports fall into the cooldown; none proposes anything."""
    assert [report["proposal"] for report in told["cold"]] == [None] * 5
    assert all("a cooldown is running" in report["obstacles"] for report in told["cold"])


def test_the_months_show_the_storm(told: Told) -> None:
    """Beside August, September stands out."""
    change = told["compared"]["change"]

    assert told["compared"]["current"]["commands"]["failed"] == 18
    assert change["failed"] == 16
    assert change["successRate"] < 0


def test_the_diff_says_what_came_back(told: Told) -> None:
    """The playbook by Ben's word, the success rate because the storm left the month."""
    assert missing(told["recovered"]) == [HELD, PLAN]
    assert [(one["name"], one["by"]) for one in told["moves"]["changes"]] == [
        (PLAYBOOK, "ben"),
        ("Command success rate >99.5%", None),
    ]


def test_the_rule_was_right(told: Told) -> None:
    """One trip in ninety days, a true one: nothing to adjust."""
    rule = told["rule"]

    assert (rule["triggers"], rule["truePositives"], rule["falsePositives"]) == (1, 1, 0)
    assert (rule["precision"], rule["falsePositiveRate"]) == (1.0, 0.0)


# ----------------------------------------------------------------------------- a quarter's end


def the_end_of_the_quarter(plant: Plant) -> Told:
    """November is over, all is well, and it is still too soon."""
    live(plant, on(2026, 11, 30))
    return {"november": plant.get("anna", f"{REPORTS}/latest")}


def test_a_quarter_is_not_enough(told: Told) -> None:
    """Everything is met but time: a phase that was lost is held for half a year anew."""
    report = told["november"]

    assert (report["isoWeek"], report["proposal"]) == ("2026-W48", None)
    assert missing(report["readiness"]) == [HELD, PLAN]
    assert report["obstacles"] == [f"not ready: 90.00%, missing: {HELD}", "78 of 180 days at L3"]


# ---------------------------------------------------------------------------------- L3+ again


def half_a_year_anew(plant: Plant) -> Told:
    """The roastery closes over the year's end; in spring Friday's cycle proposes by itself."""
    live(plant, CLOSED[0])
    plant.be_off_until(CLOSED[1])
    live(plant, on(2027, 2, 22))
    told = {"due": plant.get("anna", f"{READINESS}/current")["nextActions"]}
    renew(plant)
    live(plant, on(2027, 3, 15))
    (proposal,) = plant.get("anna", PROPOSALS)
    path = f"{PROPOSALS}/{proposal['id']}/approve"
    told |= {
        "spring": plant.get("anna", f"{REPORTS}/week-2027-W10"),
        "again": proposal,
        "not_ben": plant.refused("ben", path, approvedBy="ops-lead"),
        "risen": plant.post("anna", path, approvedBy="tech-lead")["state"],
    }
    live(plant, on(2027, 3, 29, 11))
    return told | {"kept": plant.get("olga", VALIDATION)}


def test_word_is_given_anew_before_it_runs_out(told: Told) -> None:
    """Drills of August are too old in spring; who attested them is asked by name."""
    renewals = [one for one in told["due"] if one["description"].startswith("Renew")]

    assert len(renewals) == 4
    assert {one["owner"] for one in renewals} == {"anna", "ben"}


def test_half_a_year_after_the_fall_the_cycle_proposes_by_itself(told: Told) -> None:
    """On the first Friday after 180 days at L3; nobody had to ask."""
    spring, again = told["spring"], told["again"]

    assert spring["weekEnd"] == "2027-03-12T15:00:00.000Z"
    assert spring["proposal"]["id"] == again["id"]
    assert (again["requestedBy"], again["expansion"]["targetPhase"]) == (None, "L3+")
    assert again["basis"]["autonomyEpoch"] == 4


def test_the_tech_lead_raises_it_again(told: Told) -> None:
    """The runbook asks for nobody else at this phase, and for nobody instead."""
    assert told["not_ben"] == "role_not_required"
    assert told["risen"]["currentPhase"] == "L3+"
    assert told["risen"]["commandWhitelist"] == ["SET_FAN", "SET_POWER"]


def test_this_time_the_trial_is_passed(told: Told) -> None:
    """Fourteen days on more attempts than it needs."""
    kept = told["kept"]

    assert (kept["status"], kept["extended"]) == ("successful", False)
    assert kept["endedAt"].startswith("2027-03-29")


# ------------------------------------------------------------------------ L4, which takes two


def two_people(plant: Plant) -> Told:
    """Another half year; the rise to L4 takes Anna and Ben, on the same facts."""
    live(plant, on(2027, 8, 16))
    renew(plant)
    live(plant, on(2027, 9, 20))
    (proposal,) = plant.get("anna", PROPOSALS)
    path = f"{PROPOSALS}/{proposal['id']}"
    told = {
        "first_yes": plant.post("anna", f"{path}/approve", approvedBy="tech-lead"),
        "taken": plant.refused("cleo", f"{path}/approve", approvedBy="tech-lead"),
    }
    told |= a_pause_between(plant, path)
    plant.post("anna", f"{path}/approve", approvedBy="tech-lead")
    return told | {"last_yes": plant.post("ben", f"{path}/approve", approvedBy="ops-lead")}


def a_pause_between(plant: Plant, path: str) -> Told:
    """Before Ben agrees, one type fails three times."""
    begin = on(2027, 9, 21)
    live(plant, begin)
    plant.work(busy_minutes(begin, "busy"))
    plant.work(failures(begin + timedelta(minutes=3), "airflow", ["SET_AIRFLOW"], 3))
    plant.work(busy_minutes(begin + timedelta(minutes=3, seconds=3), "busy again"))
    late = {"approvedBy": "ops-lead", "autonomyEpoch": 4}
    told = {
        "old_epoch": plant.refused("ben", f"{path}/approve", **late),
        "event_waits": plant.refused("ben", f"{path}/approve", approvedBy="ops-lead"),
        "voided": plant.get("anna", path),
    }
    plant.look(begin + timedelta(minutes=10))
    (event,) = plant.get("anna", f"{EVENTS}/unresolved")
    plant.together("olga", "ben", f"{EVENTS}/{event['id']}/resolve", verdict="true_positive")
    resume = "/api/circuit-breaker/command-types/SET_AIRFLOW/resume"
    plant.together("anna", "ben", resume, autonomyEpoch=5)
    return told


def test_one_yes_of_two_raises_nothing(told: Told) -> None:
    """It says who is missing; nobody takes a role that is given."""
    assert told["first_yes"]["phaseChanged"] is False
    assert told["first_yes"]["missingApprovals"] == ["ops-lead"]
    assert told["taken"] == "role_taken"


def test_a_pause_voids_the_first_yes(told: Told) -> None:
    """Ben's yes to what was is refused, and Anna's no longer counts."""
    assert (told["old_epoch"], told["event_waits"]) == ("stale_epoch", "unresolved_events")
    (voided,) = told["voided"]["approvals"]
    assert voided["voidedAt"] is not None
    assert "epoch 4 → 5" in voided["voidReason"]
    assert told["voided"]["missingApprovals"] == ["tech-lead", "ops-lead"]


def test_two_people_on_the_same_facts_raise_it(told: Told) -> None:
    """Once the event is resolved and the type runs, both agree to what is so now."""
    state = told["last_yes"]["state"]

    assert (told["last_yes"]["phaseChanged"], state["currentPhase"]) == (True, "L4")
    assert set(state["commandWhitelist"]) == {"SET_POWER", "SET_FAN", "SET_DRUM", "SET_AIRFLOW"}


# ------------------------------------------------------------------------- what is left behind

CHRONICLE: Final = (
    ("state.created", "system"),
    ("cycle.run", "system"),
    ("readiness.attested", "anna"),
    ("readiness.attested", "ben"),
    ("proposal.opened", "autonomy-governance-agent"),
    ("cycle.run", "ben"),
    ("proposal.approved", "anna"),
    ("phase.promoted", "anna"),
    ("proposal.carried", "anna"),
    ("validation.started", "system"),
    ("trip.applied", "judge"),
    ("command_type.paused", "judge"),
    ("trip.applied", "judge"),
    ("command_type.paused", "judge"),
    ("trip.applied", "judge"),
    ("validation.ended", "system"),
    ("cooldown.started", "system"),
    ("phase.reverted", "judge"),
    ("event.acknowledged", "olga"),
    ("cycle.run", "ben"),
    ("joint_act.asked", "olga"),
    ("event.resolved", "olga, anna"),
    ("joint_act.asked", "ben"),
    ("event.resolved", "ben, anna"),
    ("command_type.resumed", "olga, ben"),
    ("readiness.attested", "anna"),
    ("readiness.attested", "ben"),
    ("proposal.opened", "autonomy-governance-agent"),
    ("phase.promoted", "anna"),
    ("validation.ended", "system"),
    ("proposal.approved", "anna"),
    ("command_type.paused", "judge"),
    ("proposal.approvals_voided", "system"),
    ("event.resolved", "olga, ben"),
    ("command_type.resumed", "anna, ben"),
    ("proposal.approved", "anna"),
    ("proposal.approved", "ben"),
    ("phase.promoted", "anna, ben"),
)
"""The story as the audit log tells it: what was done, and by whom."""


def audit(plant: Plant) -> list[Any]:
    """Return the audit log, first act first."""
    return handlers.list_audit(plant.service.desk, limit=100_000)[::-1]


def test_the_audit_log_tells_the_story(told: Told, plant: Plant) -> None:
    """In its order, and nothing of it can have been changed since."""
    assert handlers.verify_audit(plant.service.desk).intact
    rows = iter([(row.act, row.actor) for row in audit(plant)])

    untold = [act for act in CHRONICLE if act not in rows]
    assert untold == []


def test_the_log_says_why_autonomy_moved(told: Told, plant: Plant) -> None:
    """Each rise names the proposal and who agreed, each fall the rule that tripped."""
    moved = [row for row in audit(plant) if row.act.startswith(("phase.", "command_type.paused"))]

    assert [row.after["because"].split(" approved by ")[-1] for row in moved] == [
        "anna",
        "Repeated Command Failures for SET_FAN",
        "Repeated Command Failures for SET_DRUM",
        "High Error Rate for *",
        "anna",
        "Repeated Command Failures for SET_AIRFLOW",
        "anna, ben",
    ]


def test_the_phases_agree_with_it(told: Told, plant: Plant) -> None:
    """Five phases were held; each ended when the next began."""
    held = plant.get("olga", "/api/governance/phases/history")[::-1]

    assert [one["phase"] for one in held] == ["L3", "L3+", "L3", "L3+", "L4"]
    assert [one["endedAt"] for one in held] == [*(one["startedAt"] for one in held[1:]), None]
    assert [one["actor"] for one in held] == ["system", "anna", "judge", "anna", "anna, ben"]


def test_each_week_has_one_report(told: Told, plant: Plant) -> None:
    """Through summer time, a week 53, two weeks without power and a new process."""
    reports = plant.get("olga", REPORTS, limit="100")[::-1]
    weeks = [one["isoWeek"] for one in reports if one["isoWeek"]]
    fridays = [FIRST_DAY + number * 7 * DAY for number in range(len(weeks))]

    assert weeks == [week_name(day.date()) for day in fridays]
    assert (weeks[0], weeks[-1]) == ("2026-W10", "2027-W37")
    assert "2026-W53" in weeks
    for one, day in zip((one for one in reports if one["isoWeek"]), fridays, strict=True):
        assert datetime.fromisoformat(one["weekEnd"]) == ZURICH.moment(day.date())
    assert len(reports) == len(weeks) + 2


def test_what_grew_old_is_in_the_archive(told: Told, plant: Plant) -> None:
    """The storm's events outlived their ninety days; every word of them is kept."""
    rows = [
        json.loads(line)
        for file in (plant.settings.data_dir / "archive").iterdir()
        for line in gzip.decompress(file.read_bytes()).splitlines()
    ]
    events = {row["id"]: row for row in rows if row["table"] == "circuit_breaker_events"}

    assert {one["id"] for one in told["events"]} == set(events)
    assert events[told["why"]["id"]]["resolved_by"] == "ben, anna"


def test_every_alert_is_of_the_published_schema(told: Told, plant: Plant) -> None:
    """Subscribers can rely on it, and on ids: what is told twice says the same."""
    schema = json.loads((DOCS / "schemas" / "alert.json").read_text("utf-8"))
    alerts = [json.loads(one) for one in plant.topics.all("alerts")]
    said = {(one["id"], json.dumps(one["data"])) for one in alerts}

    assert len(alerts) > 100
    assert list(map(jsonschema.Draft202012Validator(schema).is_valid, alerts)) == [True] * len(
        alerts
    )
    assert len({name for name, _ in said}) == len(said)


def test_the_page_tells_the_same_story(told: Told, plant: Plant) -> None:
    """Each command of `docs/a-quarter.md` was given here, by the same person, in that order."""
    page = PAGE.read_text("utf-8")
    given = iter([(who, method, named(path)) for who, method, path in plant.asked])
    typed = list(commands_of(page))

    assert len(typed) > 15
    assert json.dumps(told["november"]["obstacles"]) in page
    assert [command for command in typed if command not in given] == []


def commands_of(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield who gives which request in the code blocks of *page*: ``# Ben`` says who."""
    who = ""
    for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if person := re.match(r"# (Anna|Ben|Olga)\b", line):
                who = person[1].lower()
            if asked := re.search(r"http://localhost:4007(/[^\s\"']*)", line):
                yield who, "POST" if "-X POST" in line else "GET", unquote(asked[1].split("?")[0])


def named(path: str) -> str:
    """Return *path* with the names under which the page has the ids."""
    for folder, name in (
        ("proposals/", "$PROPOSAL_ID"),
        ("events/", "$EVENT_ID"),
        ("joint-acts/", "$ACT_ID"),
    ):
        path = re.sub(rf"(?<={folder})(?!unresolved|history)[^/]+", name, path)
    return unquote(path)


# ------------------------------------------------------------------------------- the one walk


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.chaos])],
)
def plant(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plant]:
    """Return the roastery's installation, on the day on which it was made.

    Where its database is makes no difference; on PostgreSQL it is walked with `make chaos`.
    """
    is_postgres = request.param == "postgresql"
    url = request.getfixturevalue("shared_postgres_url") if is_postgres else None
    with roastery(tmp_path_factory.mktemp("roastery"), database_url=url) as plant:
        yield plant


@pytest.fixture(scope="module")
def told(plant: Plant) -> Told:
    """Walk the chapters, and return what was read and answered on the way."""
    chapters = (
        half_a_year,
        a_proposal,
        on_trial,
        the_storm,
        evidence_again,
        the_end_of_the_quarter,
        half_a_year_anew,
        two_people,
    )
    return {name: said for chapter in chapters for name, said in chapter(plant).items()}
