"""Rules and state that are not on Kafka are told again: what people decided is what is judged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from embedded.kafka import KafkaCluster
from embedded.provision import provision
from governance import handlers
from governance.health import Health
from governance.service import StateService
from schemas.actions import Frontier
from schemas.errors import Replaced
from schemas.settings import Settings
from schemas.topics import BREAKER_ACTIONS, RULES, STATE
from tests.desks import NOON, settings_for, trip
from tests.integration.stage import Stage
from tests.integration.workers import Worker
from tests.ports import free_port

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

PATIENCE = 120.0
"""Seconds to wait for what takes a few on an idle machine."""

HOUR = timedelta(hours=1)

RULE = "Repeated Command Failures"


def eventually(done: Callable[[], object]) -> None:
    """Wait until *done*."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.1)


@dataclass(frozen=True)
class Installation:
    """One database, on topics that may be lost or changed for others."""

    stage: Stage
    database: Path

    @property
    def settings(self) -> Settings:
        """Return the settings of its state service."""
        return settings_for(
            kafka_bootstrap_servers=self.stage.kafka,
            topic_prefix=self.stage.prefix,
            db_path=self.database,
            database_url=None,
            event_partitions=2,
            tally_partitions=2,
        )

    @contextmanager
    def service(self) -> Iterator[StateService]:
        """Run its state service."""
        service = StateService(self.settings)
        service.start()
        try:
            yield service
        finally:
            service.stop()

    def make_anew(self, *names: str) -> None:
        """Delete topics and create them again, empty."""
        admin: Any = KafkaAdminClient(bootstrap_servers=self.stage.kafka)
        topics = [f"{self.stage.prefix}{name}" for name in names]
        admin.delete_topics(topics)
        eventually(lambda: not set(topics) & set(admin.list_topics()))
        admin.close()
        provision(self.settings, self.stage.kafka)

    def check_three_failures_pause(self, service: StateService, kind: str, worker: Worker) -> None:
        """Send three failures of *kind* and wait until it is paused."""
        self.stage.fail(*(f"{kind}-{number}-{time.time_ns()}" for number in range(3)), kind=kind)

        def is_paused() -> bool:
            worker.supervise()
            return kind in handlers.show_state(service.desk).paused_command_types

        eventually(is_paused)

    def wait_healthy(self, service: StateService, worker: Worker) -> None:
        """Wait until all is well, and no rule has a problem."""

        def is_well() -> bool:
            worker.supervise()
            checks = service.health().values()
            return {check.status for check in checks} == {Health.HEALTHY}

        eventually(is_well)
        assert not [rule.problem for rule in handlers.list_rules(service.desk) if rule.problem]


@pytest.fixture
def place(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    """Return an installation whose rules were changed and published once."""
    with Stage(kafka, topic_prefix, tmp_path) as stage:
        yield lived(Installation(stage, tmp_path / "governance.db"))


def lived(place: Installation) -> Installation:
    """Let it live for a moment, so that its database and its topics know of each other."""
    with place.service() as service:
        eventually(lambda: waiting(service) == 0)
    return place


def waiting(service: StateService) -> int:
    """Return how many records wait in the outbox."""
    with service.store.reading() as unit:
        return unit.outbox.waiting()[0]


def acts(service: StateService) -> list[str]:
    """Return what the audit log holds, newest first."""
    return [row.act for row in handlers.list_audit(service.desk, limit=50)]


def test_another_prefix_has_the_same_rules(place: Installation, kafka: str, tmp_path: Path) -> None:
    """The database is the truth: on topics that never held a rule, all of them are judged."""
    with Stage(kafka, f"other-{place.stage.prefix}", tmp_path) as stage:
        other = Installation(stage, place.database)
        with other.service() as service, stage.worker() as worker:
            other.wait_healthy(service, worker)
            other.check_three_failures_pause(service, "SET_FAN", worker)
            assert "topics.repaired" in acts(service)


def test_a_new_cluster_has_the_same_rules(place: Installation, tmp_path: Path) -> None:
    """So it is where the whole Kafka was lost."""
    with (
        KafkaCluster(tmp_path / "kafka", port=0) as cluster,
        Stage(cluster.bootstrap_servers, place.stage.prefix, tmp_path) as stage,
    ):
        other = Installation(stage, place.database)
        with other.service() as service, stage.worker() as worker:
            other.wait_healthy(service, worker)
            other.check_three_failures_pause(service, "SET_FAN", worker)


def test_topics_that_are_made_anew_are_filled_again(place: Installation) -> None:
    """While everything runs: the worker goes on by the rules that it had, or gets them again."""
    with place.service() as service, place.stage.worker() as worker:
        place.wait_healthy(service, worker)
        place.check_three_failures_pause(service, "SET_FAN", worker)
        place.make_anew(RULES.name, STATE.name)
        eventually(lambda: "topics.repaired" in acts(service) and waiting(service) == 0)
        worker.kill()
        worker.start()
        place.wait_healthy(service, worker)
        place.check_three_failures_pause(service, "SET_DRUM", worker)
    check_nothing_tripped_twice(place, "SET_FAN", "SET_DRUM")


def test_a_worker_waits_for_the_rules_that_it_had(place: Installation) -> None:
    """Started on emptied topics it forgets no breaker, says what it waits for, and goes on."""
    port = free_port()
    with place.stage.worker(GOVERNANCE_WORKER_METRICS_PORT=str(port)) as worker:
        with place.service() as service:
            place.wait_healthy(service, worker)
            place.check_three_failures_pause(service, "SET_FAN", worker)
            worker.stop()
        place.make_anew(RULES.name, STATE.name)
        worker.start()
        eventually(lambda: f"{RULE}@1" in str(health(port).get("reason")))
        assert health(port)["status"] == "degraded"
        with place.service() as service:
            place.wait_healthy(service, worker)
            place.check_three_failures_pause(service, "SET_DRUM", worker)
            assert health(port)["status"] == "healthy"
            assert health(port)["rules"] == 4
    check_nothing_tripped_twice(place, "SET_FAN", "SET_DRUM")


def check_nothing_tripped_twice(place: Installation, *kinds: str) -> None:
    """Wait for the trips of *kinds*: no breaker that is open was forgotten and opened again."""

    def tripped() -> list[tuple[str, str]]:
        return [(one.rule.name, one.scope) for one in place.stage.actions.values()]

    place.stage.wait(lambda: {(RULE, kind) for kind in kinds} <= set(tripped()))
    assert len(tripped()) == len(set(tripped()))


def health(port: int) -> dict[str, Any]:
    """Return what a worker says of itself; nothing while it does not listen."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return dict(json.loads(answer.read()))
    except HTTPError as error:
        return dict(json.loads(error.read()))
    except OSError:
        return {}


def test_a_rule_that_no_judge_has_is_a_problem_until_one_has(place: Installation) -> None:
    """It shows on the rule and in health within ten seconds, and it passes by itself."""
    with place.service() as service, KafkaProducer(bootstrap_servers=place.stage.kafka) as producer:
        used = {rule.name: rule.version for rule in handlers.list_rules(service.desk)}
        del used[RULE]

        def report() -> None:
            for partition in range(2):
                said = Frontier(
                    partition=partition,
                    partitions=2,
                    judged_until=datetime.now(UTC),
                    worker="too-old",
                    rule_versions=used,
                )
                topic = place.settings.topic(BREAKER_ACTIONS.name)
                producer.send(topic, said.to_bytes(), key=b"frontier").get(timeout=PATIENCE)

        report()
        began = time.monotonic()
        eventually(lambda: service.health()["rules"].status is Health.UNHEALTHY)
        assert time.monotonic() - began < 10
        assert "too-old does not judge by it" in str(handlers.show_rule(service.desk, RULE).problem)
        used = {}
        report()
        eventually(lambda: "without any rule by too-old" in str(service.health()["stream"].message))
        with place.stage.worker() as worker:
            place.wait_healthy(service, worker)
            place.check_three_failures_pause(service, "SET_FAN", worker)


def test_a_kill_switch_into_a_lost_file_holds_after_the_next_start(place: Installation) -> None:
    """It is not reported as done; Kafka is told, and the database made anew takes it from there."""
    with place.service() as service:
        eventually(lambda: service.topics.may_publish)
        place.database.unlink()
        with pytest.raises(Replaced, match="was removed or moved away"):
            handlers.pull_kill_switch(service.desk, reason="fire", by="anna")
        database = service.health()["database"]
        assert database.status is Health.UNHEALTHY
        assert str(place.database) in str(database.message)
        eventually(lambda: waiting(service) == 0)
        killed = handlers.show_state(service.desk)
    with place.service() as service:
        eventually(lambda: "database.reconciled" in acts(service))
        state = handlers.show_state(service.desk)
        assert state.paused_command_types == killed.paused_command_types != []
        assert state.autonomy_epoch == killed.autonomy_epoch + 1
        assert service.health()["database"].status is Health.HEALTHY


def test_a_new_database_waits_for_kafka_before_it_tells_anything(tmp_path: Path) -> None:
    """Started without Kafka it serves and lowers; what Kafka was told before counts as well."""
    with KafkaCluster(tmp_path / "kafka", port=0) as cluster:
        with Stage(cluster.bootstrap_servers, "", tmp_path) as stage:
            place = lived(Installation(stage, tmp_path / "first.db"))
            with place.service() as service:
                handlers.apply_action(service.desk, trip("SET_FAN"))
                eventually(lambda: service.topics.may_publish and waiting(service) == 0)
        other = Installation(stage, tmp_path / "second.db")
        cluster.nodes[0].kill()
        with other.service() as service:
            for number in range(4):
                handlers.apply_action(service.desk, trip("OTHER", decided_at=NOON + number * HOUR))
            assert handlers.show_state(service.desk).paused_command_types == ["OTHER"]
            cluster.nodes[0].start()
            cluster.wait()
            eventually(lambda: "database.reconciled" in acts(service) and waiting(service) == 0)
            state = handlers.show_state(service.desk)
            assert state.paused_command_types == ["OTHER", "SET_FAN"]
    assert state.autonomy_epoch == 6
