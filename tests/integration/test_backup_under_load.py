"""Backups made while the service writes: each is one moment, and Kafka brings the rest, once.

One campaign, asserted on by several tests. Trips arrive one by one, so that nearly each is a
transaction; people change a rule meanwhile; and twenty backups are made, ten by the runbook's
own script and ten by the command. Then each is restored where no database is, and a service
started on it. The audit log of the database that nobody restored tells what each moment was.
"""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from embedded import topics
from governance import handlers
from governance.audit import AuditRow, Checkpoint
from governance.backups import Contents
from governance.desk import Desk
from governance.handlers import Restored
from governance.handlers.backups import sound_contents
from governance.store import Store
from governance.store.copies import opened
from rules.escalation_reference import decide
from schemas.actions import BreakerAction
from schemas.events import Severity
from schemas.rules import Action, RulePatch
from schemas.topics import BREAKER_ACTIONS
from tests.desks import NOON, settings_for, trip
from tests.e2e.runbook import block_with
from tests.state_service_process import StateServiceProcess

pytestmark = pytest.mark.integration

BACKUPS = 20
LEAST = 8
"""Trips that are applied between two backups, so that no two are of one moment."""
RULE = "High Error Rate"
PATIENCE = 120.0
"""Seconds to wait for what takes a few on an idle machine."""


@dataclass
class Made:
    """One backup: what it holds, what its restore said, and what a service then made of it."""

    file: Path
    contents: Contents
    restored: Restored
    events: list[str] = field(default_factory=list)
    paused: list[str] = field(default_factory=list)
    epoch: int = 0
    intact: bool = False


@dataclass
class Campaign:
    """The trips that were sent, what the service made of them, and the backups."""

    sent: list[str]
    audit: list[AuditRow]
    events: list[str]
    paused: list[str]
    epoch: int
    made: list[Made]


class Load:
    """Sends one trip after the other, and changes a rule now and then, until it is told to stop."""

    def __init__(self, kafka: str, topic: str, desk: Desk) -> None:
        self.sent: list[BreakerAction] = []
        self._producer: Any = KafkaProducer(bootstrap_servers=kafka, linger_ms=0)
        self._topic = topic
        self._desk = desk
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._producer.close()

    def _run(self) -> None:
        """Send about a hundred a second; ids repeat now and then, as after a worker's crash."""
        chance = random.Random(23)
        kinds = [
            (Action.ALERT_ONLY, Severity.LOW),
            (Action.PAUSE_COMMAND_TYPE, Severity.HIGH),
            (Action.REVERT_TO_L3, Severity.CRITICAL),
        ]
        while not self._stop.wait(0.008):
            number = len(self.sent)
            action, severity = chance.choices(kinds, weights=(6, 3, 1))[0]
            moment = NOON + timedelta(minutes=number)
            made = trip(f"TYPE_{chance.randrange(40)}", action, severity, decided_at=moment)
            for _ in range(chance.choice((1, 1, 2))):
                self._producer.send(self._topic, made.to_bytes()).get(timeout=PATIENCE)
            self.sent.append(made)
            if number % 40 == 0:
                patch = RulePatch(condition=f"errorRate > 0.{number + 10:04d}")
                handlers.patch_rule(self._desk, RULE, patch, by="anna")


def wait(done: Callable[[], bool]) -> None:
    """Look again and again."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "the service makes no progress"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def campaign(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    """Run the campaign once."""
    folder = tmp_path_factory.mktemp("t23")
    prefix, file = f"t23-{time.time_ns()}.", folder / "governance.db"
    topics.ensure(kafka, prefix=prefix)
    topic = prefix + BREAKER_ACTIONS.name
    settings = settings_for(topic_prefix=prefix, db_path=file, data_dir=folder / "var")
    desk = Desk(Store(f"sqlite:///{file}"), settings, decide)
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "GOVERNANCE_TOPIC_PREFIX": prefix,
        "GOVERNANCE_DB_PATH": str(file),
    }
    with StateServiceProcess(**environment) as service:
        service.start()
        wait(lambda: file.exists() and is_created(desk))
        with Load(kafka, topic, desk) as load:
            files = [back_up(desk, folder, number) for number in range(BACKUPS)]
        last = end_of(kafka, topic)
        wait(lambda: applied(desk, topic) == last)
        assert service.stop() == 0
        found = Campaign([one.id for one in load.sent], *told(desk), made=[])
        for backup in files:
            found.made.append(replayed(service, desk, backup, folder, topic, last))
    desk.store.close()
    yield found


def is_created(desk: Desk) -> bool:
    """Whether the service has made its tables and its first state."""
    with desk.store.reading() as unit:
        return unit.whole.revision() is not None and unit.autonomy.is_there()


def back_up(desk: Desk, folder: Path, number: int) -> Path:
    """Make a backup, by the runbook's script or by the command's handler, amid the writing."""
    goal = events(desk) + LEAST
    wait(lambda: events(desk) >= goal)
    place = folder / f"backup-{number}"
    if number % 2:
        made = handlers.back_up(desk, place / "governance.db.gz")
        return place / made.file
    script = block_with("# Backup governance database")
    script = script.replace("services/governance/var/governance.db", str(folder / "governance.db"))
    script = script.replace("/backups/governance", str(place))
    subprocess.run(["bash", "-euc", script], check=True, capture_output=True, timeout=PATIENCE)
    return next(place.iterdir())


def replayed(
    service: StateServiceProcess, desk: Desk, backup: Path, folder: Path, topic: str, last: int
) -> Made:
    """Restore *backup* where no database is, let a service read on to *last*, and look."""
    place = folder / "governance.db"
    desk.store.close()
    for stray in folder.glob("governance.db*"):
        stray.unlink()
    restored = handlers.restore(desk, backup, by="anna")
    with opened(f"sqlite:///{place}") as store, store.reading() as unit:
        contents = contents_at(unit.audit.rows(), restored, sound_contents(unit))
    service.start()
    wait(lambda: applied(desk, topic) == last)
    assert service.stop() == 0
    rows, ids, paused, epoch = told(desk)
    intact = handlers.verify_audit(
        desk, Checkpoint(restored.contents.audit.seq, restored.contents.audit.hash)
    ).intact
    return Made(backup, contents, restored, ids, paused, epoch, intact and bool(rows))


def contents_at(rows: Any, restored: Restored, now: Contents) -> Contents:
    """Return what the restored database holds, with the state as the log tells it at the backup."""
    state = state_at([AuditRow(*row) for row in rows], restored.contents.audit.seq)
    return now.model_copy(update={"state": state, "audit": restored.contents.audit})


def state_at(audit: list[AuditRow], seq: int) -> dict[str, Any]:
    """Return the state as the log tells it at row *seq*."""
    wanted = restored_keys()
    for row in reversed(audit[:seq]):
        after = json.loads(row.after) if row.after else {}
        if wanted <= after.keys():
            return {name: after[name] for name in wanted}
    raise AssertionError("the log tells no state")


def restored_keys() -> set[str]:
    """Return what a state is made of."""
    return {"phase", "phaseStartDate", "commandWhitelist", "pausedCommandTypes", "autonomyEpoch"}


def rules_at(audit: list[AuditRow], seq: int) -> list[str]:
    """Return the rules, as name@version, as the log tells them at row *seq*."""
    found = {
        row.subject: json.loads(row.after)["version"]
        for row in audit[:seq]
        if row.act in ("rule.added", "rule.changed") and row.after
    }
    return sorted(f"{name}@{version}" for name, version in found.items())


def told(desk: Desk) -> tuple[list[AuditRow], list[str], list[str], int]:
    """Return the log, the events, the paused types and the epoch."""
    with desk.store.reading() as unit:
        rows = [AuditRow(*row) for row in unit.audit.rows()]
        state = unit.autonomy.load()
    ids = sorted(event.id for event in handlers.list_events(desk, limit=100_000))
    return rows, ids, list(state.paused_command_types), state.epoch


def events(desk: Desk) -> int:
    """Return how many events there are."""
    with desk.store.reading() as unit:
        return unit.events.count()


def applied(desk: Desk, topic: str) -> int:
    """Return how far the topic was applied."""
    with desk.store.reading() as unit:
        return unit.offsets.next_offset(topic, 0) or 0


def end_of(kafka: str, topic: str) -> int:
    """Return where the topic ends."""
    from kafka import KafkaConsumer, TopicPartition

    consumer: Any = KafkaConsumer(bootstrap_servers=kafka)
    place = TopicPartition(topic, 0)
    end = int(consumer.end_offsets([place])[place])
    consumer.close()
    return end


def test_twenty_backups_were_made_amid_writing(campaign: Campaign) -> None:
    """Each is of another moment, with transactions before, between and after."""
    heads = [made.restored.contents.audit.seq for made in campaign.made]
    assert len(heads) == BACKUPS
    assert heads == sorted(set(heads))
    assert campaign.audit[-1].seq > heads[-1]


def test_a_backup_is_the_moment_that_the_log_tells(campaign: Campaign) -> None:
    """State, head and rules are those of the live log at the row where the backup's log ends."""
    for made in campaign.made:
        held = made.restored.contents
        row = campaign.audit[held.audit.seq - 1]
        assert (row.seq, row.hash) == (held.audit.seq, held.audit.hash)
        assert held.state == state_at(campaign.audit, row.seq)
        assert held.rules == rules_at(campaign.audit, row.seq)


def test_a_restored_database_is_its_backup(campaign: Campaign) -> None:
    """Before the service starts, only the epoch and the rows that say so have been added."""
    for made in campaign.made:
        held = made.restored.contents
        assert made.contents == held.model_copy(update={"unpublished": made.contents.unpublished})
        assert made.restored.autonomy_epoch == held.state["autonomyEpoch"] + 1
        assert made.restored.lowered == []


def test_kafka_brings_the_rest_once(campaign: Campaign) -> None:
    """No trip is lost and none counts twice: the same events and pauses as without it.

    The epochs go on after the last that Kafka was ever told, so that none is used again.
    """
    trips = set(campaign.sent)
    assert trips <= set(campaign.events)
    for made in campaign.made:
        assert made.events == campaign.events
        assert made.paused == campaign.paused
        assert made.epoch > campaign.epoch
        assert made.intact
