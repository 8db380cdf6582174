"""Kafka remembers what a lost or forged database does not: heads of the log, state and rules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from embedded import topics
from embedded.exits import Exit
from governance import handlers
from governance.audit import Checkpoint
from governance.desk import Desk
from governance.handlers import Restored
from governance.told import audit_heads
from schemas.governance import Phase
from schemas.rules import RulePatch
from tests.contract.test_store_backups import climb
from tests.desks import desk_at
from tests.state_service_process import StateServiceProcess

pytestmark = pytest.mark.integration

COMMAND = Path(sys.executable).with_name("governance")
RULE = "High Error Rate"
PATIENCE = 120.0
"""Seconds to wait for what takes a few on an idle machine."""


@dataclass(frozen=True)
class Story:
    """A database that was backed up at L3+, lived on, was lost, and came back."""

    desk: Desk
    environment: dict[str, str]
    head: Checkpoint
    verified: subprocess.CompletedProcess[str]
    restored: Restored


def wait(done: Callable[[], bool]) -> None:
    """Look again and again."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "the service makes no progress"
        time.sleep(0.02)


def nothing_waits(desk: Desk) -> bool:
    """Whether everything reached Kafka."""
    with desk.store.reading() as unit:
        return unit.outbox.waiting()[0] == 0


def verify(environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Compare the log with what Kafka was told, as an operator does."""
    return subprocess.run(
        [COMMAND, "audit", "verify", "--checkpoint", "kafka", "--json"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.fixture(scope="module")
def story(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Play it once."""
    folder = tmp_path_factory.mktemp("told")
    prefix, file = f"told-{time.time_ns()}.", folder / "governance.db"
    topics.ensure(kafka, prefix=prefix)
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "GOVERNANCE_TOPIC_PREFIX": prefix,
        "GOVERNANCE_DB_PATH": str(file),
    }
    desk = desk_at(f"sqlite:///{file}", topic_prefix=prefix, db_path=file, data_dir=folder)
    climb(desk)
    backup = folder / "backups" / handlers.back_up(desk).file
    with StateServiceProcess(**environment) as service:
        service.start()
        handlers.roll_back(desk, Phase.L3, reason="exercise", by="anna")
        handlers.patch_rule(desk, RULE, RulePatch(condition="errorRate > 0.5"), by="anna")
        head = handlers.publish_audit_head(desk)
        wait(lambda: nothing_waits(desk))
        assert service.stop() == 0
    verified = verify(environment, folder)
    desk.store.close()
    for stray in folder.glob("governance.db*"):
        stray.unlink()
    restored = handlers.restore(desk, backup, by="anna", kafka=kafka)
    yield Story(desk, environment, head, verified, restored)
    desk.store.close()


def test_a_head_of_the_log_is_kept_by_kafka(story: Story, kafka: str) -> None:
    """What the service told is a checkpoint, and the log that told it verifies against it."""
    assert story.head in audit_heads(story.desk.settings, kafka)
    assert story.verified.returncode == Exit.DONE, story.verified.stderr
    assert json.loads(story.verified.stdout)["headSeq"] >= story.head.seq


def test_a_lost_database_comes_up_no_higher_than_kafka_was_told(story: Story) -> None:
    """The rollback after the backup stands, although nothing but Kafka knows of it."""
    state = handlers.show_state(story.desk)
    assert (state.current_phase, state.command_whitelist) == (Phase.L3, [])
    assert story.restored.known_from[0].startswith("Kafka, told at ")
    assert "phase L3 instead of L3+" in story.restored.lowered


def test_rules_are_put_back_beyond_what_workers_know(story: Story) -> None:
    """They judge by the newest version that they heard of: the backup's is newer still."""
    assert story.restored.rules_put_back == [RULE]
    assert handlers.show_rule(story.desk, RULE).version == 3
    assert handlers.show_rule(story.desk, RULE).condition == "errorRate > 0.05"


def test_rows_that_a_restore_lost_show_against_kafka(story: Story) -> None:
    """Nobody is told that the log is whole: what came after the backup is not in it."""
    ended = verify(story.environment, story.desk.settings.data_dir)
    assert ended.returncode == Exit.NOT_DONE
    assert json.loads(ended.stdout)["intact"] is False


def test_without_kafka_a_restore_says_what_it_went_by(story: Story, tmp_path: Path) -> None:
    """A Kafka that does not answer is named, and does not stop the restore."""
    backup = tmp_path / "b.db.gz"
    handlers.back_up(story.desk, backup)
    story.desk.store.close()
    found = handlers.restore(story.desk, backup, by="anna", kafka="127.0.0.1:1")
    assert found.known_from[0] == "the replaced governance.db"
    assert found.known_from[1].startswith("nothing: kafka")
