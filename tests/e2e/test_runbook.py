"""The whole runbook, word for word: an operator types each of its blocks, in two quarters.

In the first, readiness is earned and the phase rises, until stakeholders ask to go back. In the
second, executors fail: breakers take autonomy away, people resolve, adjust and maintain.

Each test types one block, exactly once. Only the reader's words are put in, and ports where
those of the runbook are taken. Stand-ins: `systemctl` (`machine.py`), and the command service's
database (`installation.py`).
"""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from governance.audit import Act, verify_chain
from governance.store import Store
from schemas.alerts import AlertType
from schemas.topics import ALERTS
from tests.e2e.installation import COMMAND_DATABASE, Installation
from tests.e2e.machine import APP_UID, Machine, install_tools
from tests.e2e.prometheus import Prometheus
from tests.e2e.runbook import Block, blocks
from tests.integration.topics import read_topic
from tests.ports import free_port

pytestmark = pytest.mark.integration

RISE, FALL = "the rise", "the fall"
"""The two quarters, each with an installation of its own; one follows the other."""

SUMMARY: Final = {"name", "enabled", "condition", "window", "action", "alertSeverity"}
NOTICED: Final = 10.0
"""Seconds within which a change by SQL is in force."""

MONITORED: Final = "Real-time monitoring operational"
"""What the checklist calls it that Prometheus comes by."""

TYPED: Final[list[int]] = []
"""The lines of the blocks that tests type; `typing` adds to it."""

Type = Callable[..., str]
Test = Callable[..., None]


def typing(line: int, quarter: str) -> Callable[[Test], Test]:
    """Give a test the block of a line, and the installation of a quarter, which others share."""
    TYPED.append(line)
    block = pytest.mark.parametrize("block", [blocks()[line]], ids=[f"line {line}"])
    site = pytest.mark.parametrize("site", [quarter], indirect=True, scope="module")
    return lambda test: site(block(test))


@pytest.fixture(scope="module")
def ports() -> dict[int, int]:
    """Return the runbook's ports, and the worker's, each with the one to use instead if taken."""
    return {wanted: _free(wanted) for wanted in (4007, 4008, 9090)}


@pytest.fixture(scope="module")
def scraper(
    prometheus: Path, ports: dict[int, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Run a Prometheus all the time, as a company does."""
    places = {f"localhost:{port}": f"localhost:{ports[port]}" for port in (4007, 4008)}
    folder = tmp_path_factory.mktemp("scraper")
    with Prometheus(prometheus, folder, port=ports[9090], places=places) as running:
        yield running


@pytest.fixture(scope="module")
def machine(scraper: Prometheus, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Return the machine that commands see."""
    install_tools()
    return Machine(tmp_path_factory.mktemp("machine"), prometheus=scraper.configuration)


@pytest.fixture(scope="module")
def site(
    request: pytest.FixtureRequest,
    kafka: str,
    machine: Machine,
    ports: dict[int, int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    """Run an installation that is ready for a rise, on a Kafka that others use too."""
    quarter = request.param.replace(" ", "-")
    place = Installation(
        tmp_path_factory.mktemp(quarter),
        machine,
        kafka=kafka,
        prefix=f"{quarter}-{os.getpid()}.",
        ports=ports,
    )
    with place:
        place.wait_until_ready()
        yield place


@pytest.fixture
def type_in(site: Installation, block: Block) -> Iterator[Type]:
    """Return what types the block, with the reader's words; it must be used once."""
    typed: list[str] = []

    def type_it(**words: str) -> str:
        typed.append(site.run(block, words))
        return typed[-1]

    yield type_it
    assert len(typed) == 1, "the block was not typed exactly once"


def test_every_block_is_typed() -> None:
    """The runbook has 31 blocks, and each is typed by one test: none is left out."""
    assert len(blocks()) == 31
    assert sorted(TYPED) == sorted(blocks())


# ------------------------------------------------------------------------------- the rise


@typing(22, RISE)
def test_the_service_is_healthy(type_in: Type) -> None:
    """The morning's first check prints what the runbook prints."""
    assert type_in().startswith('{"status":"healthy","service":"governance",')


@typing(34, RISE)
def test_all_is_clear(type_in: Type) -> None:
    """Nothing unresolved is an empty list."""
    assert type_in() == "[]"


@typing(41, RISE)
def test_the_score_is_ready_for_expansion(type_in: Type) -> None:
    """Half a year of good work, with evidence for the rest, is 0.95 or more."""
    answer = json.loads(type_in())

    assert answer["score"] >= 0.95
    assert answer.items() >= {"ready": True, "threshold": 0.95, "blockers": []}.items()


@typing(66, RISE)
def test_the_weekly_cycle_proposes_the_next_phase(site: Installation, type_in: Type) -> None:
    """The report that lands in the file recommends the rise and carries its proposal."""
    assert type_in() == ""
    report = json.loads((site.site / "report.json").read_text())

    assert report["reportId"] == report["id"]
    assert report["recommendation"] == "expand_scope"
    assert report["proposal"]["expansion"].items() >= {
        ("currentPhase", "L3"),
        ("targetPhase", "L3+"),
        ("validationPeriod", 14),
    }


@typing(71, RISE)
def test_the_latest_report_has_the_sections_to_review(site: Installation, type_in: Type) -> None:
    """It is the one that the cycle just wrote, with every section that the runbook lists."""
    report, written = json.loads(type_in()), json.loads((site.site / "report.json").read_text())

    assert report["id"] == written["id"]
    assert report["metrics"]["rates"]["successRate"] > 0.995
    assert report["readiness"]["overall"]["score"] >= 0.95
    assert {"technical", "process", "organizational"} <= report["readiness"].keys()
    assert report["circuitBreakerEvents"] == []
    assert report["proposal"] == written["proposal"]


@typing(84, RISE)
def test_the_pending_proposal_says_what_to_review(type_in: Type) -> None:
    """Achievements, risk, approvals and validation period are all there."""
    (proposal,) = json.loads(type_in())

    assert proposal["rationale"]["keyAchievements"]
    assert proposal["riskAssessment"]["level"] in {"low", "medium", "high"}
    assert proposal["requiredApprovals"] == ["tech-lead"]
    assert proposal["expansion"]["validationPeriod"] == 14


@typing(112, RISE)
def test_the_monthly_review_lists_the_rules(type_in: Type) -> None:
    """The four default rules, each with what a review may change."""
    rules = json.loads(type_in())

    assert {rule["name"] for rule in rules} == {
        "High Error Rate",
        "Repeated Command Failures",
        "Critical Incident Detected",
        "High Rollback Rate",
    }
    assert all(rule.keys() >= SUMMARY for rule in rules)


@typing(125, RISE)
def test_the_database_has_a_size(type_in: Type) -> None:
    """The file is where the runbook looks, and far from the gigabyte at which to archive."""
    assert re.search(r" [1-9][\d.]*[KM] .* services/governance/var/governance\.db$", type_in())


@typing(145, RISE)
def test_the_first_proposal_is_the_one_to_approve(type_in: Type) -> None:
    """Phase, commands, risk, validation and approvers can be verified in it."""
    proposal = json.loads(type_in())

    assert proposal["proposalId"] == proposal["id"]
    assert proposal["expansion"]["targetPhase"] == "L3+"
    assert proposal["expansion"]["commandsToWhitelist"] == ["SET_POWER", "SET_FAN"]
    assert proposal["riskAssessment"]["rollbackPlan"]


@typing(163, RISE)
def test_the_last_approval_raises_the_phase(site: Installation, type_in: Type) -> None:
    """The tech lead's yes is all that L3+ takes; it is written down."""
    (proposal,) = site.read("/api/governance/proposals")
    answer = json.loads(type_in(**{"<proposal-id-from-step-1>": proposal["id"]}))

    told = {"success": True, "id": proposal["id"], "approvedBy": "tech-lead", "phaseChanged": True}
    assert answer.items() >= told.items()
    assert {Act.PROPOSAL_APPROVED, Act.PHASE_PROMOTED} <= set(site.acts())
    assert site.read("/api/governance/proposals") == []


@typing(173, RISE)
def test_the_state_shows_the_new_phase(type_in: Type) -> None:
    """``"L3+"`` instead of ``"L3"``, as the runbook puts it."""
    assert type_in() == '"L3+"\n'


@typing(198, RISE)
def test_a_rollback_by_sql_is_in_force_within_ten_seconds(
    site: Installation, type_in: Type
) -> None:
    """It is noticed, written down, and told to executors under a new epoch."""
    before = site.read("/api/governance/state")
    type_in()
    since = time.monotonic()
    site.wait(lambda: Act.STATE_ADOPTED in site.acts(), "the rollback by SQL was not noticed")

    assert time.monotonic() - since < NOTICED
    after = site.read("/api/governance/state")
    assert (before["currentPhase"], after["currentPhase"]) == ("L3+", "L3")
    assert after["commandWhitelist"] == []
    assert after["daysSincePhaseStart"] == 0
    assert after["autonomyEpoch"] == before["autonomyEpoch"] + 1
    site.wait(lambda: _told(site).count(AlertType.PHASE_CHANGED) == 2, "nobody was told")


# ------------------------------------------------------------------------------- the fall


@typing(597, FALL)
def test_the_quick_reference_works_from_top_to_bottom(site: Installation, type_in: Type) -> None:
    """Health, phase, score, events, cycle, proposals and approval, one after the other."""
    proposal = site.post("/api/governance/run-cycle")["proposal"]["id"]
    health, phase, score, waiting, report, proposals, approved = _values(
        type_in(**{"{id}": proposal})
    )

    assert health["status"] == "healthy"
    assert (phase, waiting) == ("L3", 0)
    assert score >= 0.95
    assert report["recommendation"] == "expand_scope"
    assert [one["id"] for one in proposals] == [proposal]
    assert approved.items() >= {"success": True, "id": proposal, "approvedBy": "tech-lead"}.items()
    assert approved["state"]["currentPhase"] == "L3+"


@typing(233, FALL)
def test_failures_trip_breakers_that_people_see(site: Installation, type_in: Type) -> None:
    """Three failures of a type: a high event has paused it, a critical one reverted all to L3."""
    assert len(site.read("/api/governance/state")["commandWhitelist"]) == 2
    site.fail("SET_FAN", times=3)
    site.wait(lambda: _of(site, "critical") and _of(site, "high"), "no breaker tripped")
    events = {event["rule"]["alertSeverity"]: event for event in json.loads(type_in())}

    assert events["critical"]["action"] == "revert_to_l3"
    assert events["high"]["action"] == "pause_command_type"
    assert events["high"]["commandType"] == "SET_FAN"
    assert site.read("/api/governance/state")["pausedCommandTypes"] == ["SET_FAN"]


@typing(246, FALL)
def test_the_phase_is_reverted_and_the_whitelist_cleared(type_in: Type) -> None:
    """``"L3"`` and ``[]``, as the runbook says, where L3+ allowed two types a moment ago."""
    assert type_in() == '"L3"\n[]\n'


@typing(269, FALL)
def test_the_critical_event_is_resolved(site: Installation, type_in: Type) -> None:
    """Without a body and without a type; it waits for nobody any more."""
    (event,) = _of(site, "critical")
    answer = json.loads(type_in(**{"<event-id>": event}))

    assert answer.items() >= {"success": True, "id": event}.items()
    assert _of(site, "critical") == []


@typing(292, FALL)
def test_the_high_event_is_resolved(site: Installation, type_in: Type) -> None:
    """Resolved it is, and its type stays paused: to resume it is an act of its own."""
    (event,) = _of(site, "high")
    answer = json.loads(type_in(**{"<event-id>": event}))

    assert answer.items() >= {"success": True, "id": event}.items()
    assert site.read("/api/circuit-breaker/events/unresolved") == []
    assert site.read("/api/governance/state")["pausedCommandTypes"] == ["SET_FAN"]


@typing(346, FALL)
def test_the_rules_can_be_reviewed_before_they_are_adjusted(type_in: Type) -> None:
    """The rule to adjust is listed as it is in force."""
    rules = {rule["name"]: rule for rule in json.loads(type_in())}

    as_delivered = {"condition": "errorRate > 0.05", "window": "5m", "alertSeverity": "critical"}
    assert rules["High Error Rate"].items() >= as_delivered.items()


@typing(356, FALL)
def test_a_rule_is_adjusted(site: Installation, type_in: Type) -> None:
    """The three fields are as the runbook wrote them, and the action is untouched."""
    assert json.loads(type_in()).items() >= {"success": True, "name": "High Error Rate"}.items()

    assert _rule(site, "High Error Rate").items() >= {
        ("condition", "errorRate > 0.08"),
        ("window", "10m"),
        ("alertSeverity", "high"),
        ("action", "revert_to_l3"),
    }


@typing(390, FALL)
def test_a_rule_by_sql_that_says_nothing_is_reported(site: Installation, type_in: Type) -> None:
    """The sample's ``metric > threshold`` is named on the rule, in health and by alert."""
    type_in()
    since = time.monotonic()
    site.wait(lambda: site.read("/health")["status"] == "degraded", "health says nothing")
    assert time.monotonic() - since < NOTICED

    site.wait(lambda: AlertType.RULE_INVALID in _told(site), "there is no alert")
    assert "'metric' is not a metric" in _rule(site, "New Rule Name")["problem"]
    (reason,) = site.read("/health")["reasons"]
    assert "New Rule Name" in reason
    assert Act.RULE_INVALID in site.acts()


@typing(396, FALL)
def test_the_rule_can_be_verified(site: Installation, type_in: Type) -> None:
    """The new rule is listed with what is wrong with it, among those that are in force.

    Once it is deleted, all is well again.
    """
    rules = {rule["name"]: rule for rule in json.loads(type_in())}

    assert rules.keys() >= {"New Rule Name", "High Error Rate", "High Rollback Rate"}
    assert [rule["name"] for rule in rules.values() if rule.get("problem")] == ["New Rule Name"]
    site.change("DELETE FROM circuit_breaker_rules WHERE name = 'New Rule Name';")
    site.wait(lambda: site.read("/health")["status"] == "healthy", "health does not recover")


@typing(406, FALL)
def test_a_rule_is_disabled(site: Installation, type_in: Type) -> None:
    """It is no longer among the enabled ones, and stays known."""
    answer = json.loads(type_in())

    assert answer.items() >= {"success": True, "name": "High Rollback Rate"}.items()
    enabled = [rule["name"] for rule in site.read("/api/circuit-breaker/rules/enabled")]
    assert "High Rollback Rate" not in enabled
    assert _rule(site, "High Rollback Rate")["enabled"] is False


@typing(420, FALL)
def test_the_backup_is_a_database_that_verifies(
    site: Installation, type_in: Type, tmp_path: Path
) -> None:
    """Compressed, whole, its audit chain unbroken; of older ones the last 30 days are kept."""
    for days in (29, 31):
        _leave_backup(site.machine.backups / "governance", days)
    acts = site.acts()
    possible = [_today()]
    printed = type_in()
    possible.append(_today())  # another one if it was midnight meanwhile

    name = printed.removeprefix("Backup completed: ").removesuffix("\n")
    assert name in {f"governance-{day}.db.gz" for day in possible}
    assert printed == f"Backup completed: {name}\n"
    backups = {path.name for path in (site.machine.backups / "governance").iterdir()}
    assert backups == {"governance-29.db.gz", name}
    restored = tmp_path / "governance.db"
    packed = site.machine.backups / "governance" / name
    restored.write_bytes(gzip.decompress(packed.read_bytes()))
    store = Store(f"sqlite:///{restored}")
    with closing(store), store.reading() as unit:
        chain = verify_chain(unit.audit.rows())
        names = unit.rules.names()
    assert chain.intact
    assert chain.rows >= len(acts)
    assert sorted(names) == sorted(rule["name"] for rule in site.read("/api/circuit-breaker/rules"))


@typing(446, FALL)
def test_the_cleanup_removes_what_is_old_and_resolved(site: Installation, type_in: Type) -> None:
    """After 90 days snapshots, assessments and resolved events go; unresolved ones never do."""
    site.change(OLD_ROWS)
    before = {table: _keys(site, table) for table in TIMES}
    limits = [_ninety_days_ago()]
    type_in()
    limits.append(_ninety_days_ago())  # another day if it was midnight meanwhile
    after = {table: _keys(site, table) for table in TIMES}

    limit = limits[0]
    for table, rows in before.items():
        young = {key for key, moment in rows.items() if moment >= limits[1]}
        assert young < rows.keys()
        assert young <= after[table].keys()
    assert {key for key, at in after["circuit_breaker_events"].items() if at < limit} == {"waits"}
    for table in ("metrics_snapshots", "readiness_assessments"):
        assert min(after[table].values()) >= limit
    site.change("UPDATE circuit_breaker_events SET resolved = 1 WHERE id = 'waits';")


@typing(466, FALL)
def test_the_log_is_rotated_and_goes_on(site: Installation, type_in: Type) -> None:
    """What was logged is compressed, what comes is in a new file, and the process is the same."""
    pid, before = site.pid, (site.home / "governance.log").read_text()
    type_in()
    (packed,) = site.home.glob("governance.log.*.gz")
    site.wait(lambda: (site.home / "governance.log").stat().st_size, "nothing is logged")

    assert gzip.decompress(packed.read_bytes()).decode().startswith(before)
    assert site.read("/health")["status"] == "healthy"
    assert site.pid == pid


@typing(482, FALL)
def test_the_log_can_be_followed(site: Installation, block: Block) -> None:
    """``tail -f`` shows the file that was just rotated into place."""
    line = (site.home / "governance.log").read_text().splitlines()[-1]  # of ten that it shows

    assert json.loads(site.follow(block, until=line).splitlines()[0])["timestamp"]


@typing(493, FALL)
def test_why_it_does_not_start_can_be_found(site: Installation, type_in: Type) -> None:
    """The port has our process, the database gets its owner and mode, the other one is listed."""
    printed = type_in()

    assert re.search(rf"^\S+ +{site.pid} .*\(LISTEN\)$", printed, re.MULTILINE)
    assert printed.endswith(f"{COMMAND_DATABASE}\n")
    found = site.database.stat()
    assert (found.st_mode & 0o777, found.st_uid) == (0o644, APP_UID)
    assert site.post("/api/governance/run-cycle")["id"], "the database is no longer writable"


@typing(510, FALL)
def test_metrics_are_exported_and_scraped(
    site: Installation, scraper: Prometheus, type_in: Type
) -> None:
    """Our metrics are there under their prefix, and Prometheus' target ``governance`` is up."""
    site.wait(lambda: scraper.health("governance") == "up", "it is not scraped")
    metrics, _, target = type_in().partition("\n{")

    assert 'simcorp_governance_current_phase_info{phase="L3"} 1.0' in metrics.splitlines()
    assert all("simcorp_governance_" in line for line in metrics.splitlines())
    assert json.loads("{" + target)["health"] == "up"


@typing(519, FALL)
def test_a_restart_starts_the_metrics(site: Installation, type_in: Type) -> None:
    """Another process says that it updates metrics, and the scrape configuration names us."""
    pid = site.pid
    printed = type_in()
    site.wait(lambda: site.is_up() and site.pid != pid, "it did not come back")

    assert "job_name: governance" in printed
    log = (site.home / "logs" / "governance.log").read_text()
    assert "Starting periodic governance metrics updates" in log


@typing(535, FALL)
def test_a_low_score_is_explained(site: Installation, type_in: Type) -> None:
    """The report, its blockers and the latest metrics say what the fall cost.

    Between the two answers Prometheus must not come for the first time after the restart: it
    would take a blocker away.
    """
    site.wait(lambda: MONITORED not in _blockers(site), "it is not scraped")
    report, blockers, metrics = _values(type_in())

    assert report["overall"]["ready"] is False
    assert blockers == report["overall"]["blockers"]
    assert "6+ months running at L3" in blockers
    assert metrics["commands"]["failed"] >= 3


@typing(557, FALL)
def test_false_positives_can_be_looked_into(type_in: Type) -> None:
    """The events, newest first, and the rule that tripped."""
    events, rule = _values(type_in(**{"<triggering-rule-name>": "Repeated Command Failures"}))

    assert {"revert_to_l3", "pause_command_type"} <= {event["action"] for event in events}
    assert rule["name"] == "Repeated Command Failures"


# ------------------------------------------------------------------------------- the means

TIMES: Final = {
    "metrics_snapshots": "timestamp || scope",
    "readiness_assessments": "id",
    "circuit_breaker_events": "id",
}
"""The tables that are cleaned up, and what names a row of each."""

OLD_ROWS: Final = """
CREATE TEMP TABLE old AS SELECT * FROM circuit_breaker_events LIMIT 1;
UPDATE old SET seq = NULL, timestamp = '2024-02-29T12:00:00.000Z', id = 'gone', resolved = 1;
INSERT INTO circuit_breaker_events SELECT * FROM old;
UPDATE old SET id = 'waits', resolved = 0;
INSERT INTO circuit_breaker_events SELECT * FROM old;
INSERT INTO readiness_assessments (timestamp) VALUES ('2024-02-29T12:00:00.000Z');
INSERT INTO metrics_snapshots (timestamp, scope) VALUES ('2024-02-29T12:00:00.000Z', '*');
"""


def _free(wanted: int) -> int:
    """Return a port, or another one while somebody has it."""
    try:
        with socket.create_server(("127.0.0.1", wanted)) as listener:
            return int(listener.getsockname()[1])
    except OSError:
        return free_port()


def _values(printed: str) -> list[Any]:
    """Return the JSON values that were printed one after the other."""
    values, decoder = [], json.JSONDecoder()
    while printed := printed.lstrip():
        value, end = decoder.raw_decode(printed)
        values.append(value)
        printed = printed[end:]
    return values


def _blockers(site: Installation) -> list[str]:
    """Return what keeps readiness from being enough."""
    found: list[str] = site.read("/api/readiness/current")["overall"]["blockers"]
    return found


def _of(site: Installation, severity: str) -> list[str]:
    """Return the ids of the unresolved events of a severity."""
    events = site.read("/api/circuit-breaker/events/unresolved")
    return [event["id"] for event in events if event["rule"]["alertSeverity"] == severity]


def _rule(site: Installation, name: str) -> dict[str, Any]:
    """Return a rule as the list shows it."""
    rules = site.read("/api/circuit-breaker/rules")
    return next(rule for rule in rules if rule["name"] == name)


def _told(site: Installation) -> list[str]:
    """Return the types of the alerts that subscribers can read so far."""
    partitions = read_topic(site.kafka, f"{site.prefix}{ALERTS.name}").values()
    return [json.loads(record.value)["type"] for records in partitions for record in records]


def _keys(site: Installation, table: str) -> dict[Any, str]:
    """Return the moment of each row of a table."""
    return dict(site.select(f"SELECT {TIMES[table]}, timestamp FROM {table}"))


def _today() -> str:
    """Return this day as ``date`` says it."""
    return f"{datetime.now():%Y%m%d}"  # noqa: DTZ005 - as above


def _ninety_days_ago() -> str:
    """Return the first day that is kept.

    SQLite's ``datetime()`` has a blank where ours has a T, which sorts behind it: whole days go.
    """
    return f"{datetime.now(UTC) - timedelta(days=90):%Y-%m-%d}"


def _leave_backup(folder: Path, days: int) -> None:
    """Leave a backup that is so many days old."""
    folder.mkdir(exist_ok=True)
    backup = folder / f"governance-{days}.db.gz"
    backup.touch()
    then = time.time() - timedelta(days=days, hours=1).total_seconds()
    os.utime(backup, (then, then))
