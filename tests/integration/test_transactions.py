"""Producers with transactions: what they commit counts once, what they abort never happened.

The log then has offsets that are no records, often the last one; a worker reads to its end all
the same, and needs no second look. While a transaction is open, what follows it waits, and the
wait is told with its place and its age.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from cli.letterbox import Letterbox
from embedded.ports import choose
from governance import told
from governance.kafka.transactions import open_transactions
from governance.kafka_reader import KafkaReader
from governance.kafka_tail import last_records
from governance.service import StateService
from schemas.settings import Settings
from schemas.topics import BREAKER_ACTIONS, COMMAND_EVENTS, DEAD_LETTERS, RULES
from schemas.wire import to_ms
from tests.integration.outcomes import published
from tests.integration.stage import PATIENCE, Stage, now
from tests.integration.transactional import LIBRARIES, Transactional, in_transactions
from tests.oracle.conditions import Term, written
from tests.unit.rules.facts import rule
from tests.unit.streams.facts import command

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SIZES: Final = (1, 1, 1, 0, 7, 1, 30, 500, 1, 0, 1)
"""Records in each transaction of a script; every third is aborted, and the last commits one."""

MANY: Final = Term("commandType.failures", ">=", "12")
"""The condition of a rule, without which a worker sees nothing; it never trips here."""

STALL: Final = 5
"""Seconds without progress after which a worker of these tests ends itself."""


@pytest.fixture
def stage(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    """Return topics of our own."""
    with Stage(kafka, topic_prefix, tmp_path) as stage:
        yield stage


@pytest.fixture(params=sorted(LIBRARIES))
def client(request: pytest.FixtureRequest, kafka: str) -> Iterator[Transactional]:
    """Return a producer with transactions, of each library."""
    client: Transactional = LIBRARIES[request.param](kafka)
    yield client
    client.close()


@pytest.fixture
def librdkafka(kafka: str) -> Iterator[Transactional]:
    """Return a producer with transactions."""
    client: Transactional = LIBRARIES["librdkafka"](kafka)
    yield client
    client.close()


def script(name: str) -> list[tuple[bool, list[bytes]]]:
    """Return transactions as they are made in practice; what is aborted holds rubbish as well."""
    ids = count()
    found = []
    for number, size in enumerate(SIZES):
        is_committed = number % 3 != 2
        values = [command(f"{name}-{next(ids)}", at=now()) for _ in range(size)]
        found.append((is_committed, values if is_committed else [*values, b"rubbish"]))
    return found


COMMITTED: Final = sum(size for number, size in enumerate(SIZES) if number % 3 != 2)


def ask(port: int, path: str) -> str:
    """Return what a worker answers, also when it is not well."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/{path}") as answer:
            return str(answer.read(), "utf-8")
    except HTTPError as refused:
        return str(refused.read(), "utf-8")


def seeks(port: int) -> float:
    """Return how often a worker had to read again."""
    lines = ask(port, "metrics").splitlines()
    return sum(float(one.split()[-1]) for one in lines if "worker_gaps_healed_total{" in one)


def test_what_is_committed_counts_once_and_what_is_aborted_never(
    stage: Stage, client: Transactional
) -> None:
    """The log ends with Kafka's own mark: the worker is healthy, and has read nothing twice."""
    [port] = choose([0])
    settings = {
        "GOVERNANCE_WORKER_METRICS_PORT": str(port),
        "GOVERNANCE_WORKER_STALL_SECONDS": str(STALL),
    }
    stage.change(condition=written(MANY))
    with stage.worker(**settings) as worker:
        stage.wait_judged(worker)
        before = seeks(port)
        for partition in (0, 1):
            in_transactions(
                client,
                f"{stage.prefix}command-events",
                script(f"p{partition}"),
                partition=partition,
            )
        stage.wait(lambda: f"worker_events_total {2 * COMMITTED}.0" in ask(port, "metrics"), worker)
        # For longer than a standing partition would be borne.
        until = now() + 1_500 * STALL
        stage.wait(lambda: now() > until, worker)
        stage.wait_judged(worker)
        assert (worker.lives, seeks(port) - before) == (1, 0)
        assert json.loads(ask(port, "health"))["status"] == "healthy"
    outcome = published(stage.kafka, stage.prefix, {written(MANY): MANY})
    assert stage.counted() == {"SUCCEEDED": 2 * COMMITTED}
    assert outcome.count_differences() == []
    assert outcome.dead == []


def test_transactions_that_follow_each_other_cost_no_second_look(
    stage: Stage, librdkafka: Transactional
) -> None:
    """One record each, as fast as they can be made: every second offset is no record."""
    [port] = choose([0])
    topic, sent = f"{stage.prefix}command-events", 0
    with stage.worker(GOVERNANCE_WORKER_METRICS_PORT=str(port)) as worker:
        stage.wait_judged(worker)
        before = seeks(port)
        until = now() + 5_000
        while now() < until:
            in_transactions(librdkafka, topic, [(True, [command(f"s{sent}", at=now())])])
            sent += 1
        stage.wait(lambda: f"worker_events_total {sent}.0" in ask(port, "metrics"), worker)
        assert (worker.lives, seeks(port) - before) == (1, 0)
    assert sent > 20


def test_an_open_transaction_is_told_and_ends_nobody(
    stage: Stage, librdkafka: Transactional
) -> None:
    """What follows it waits, however long; then all of it counts, in the order of the log."""
    [port] = choose([0])
    settings = {
        "GOVERNANCE_WORKER_METRICS_PORT": str(port),
        "GOVERNANCE_WORKER_STALL_SECONDS": str(STALL),
    }
    topic = f"{stage.prefix}command-events"
    with stage.worker(**settings) as worker:
        stage.wait_judged(worker)
        for partition in (0, 1):
            librdkafka.begin() if partition == 0 else None
            librdkafka.send(topic, [command(f"in-{partition}", at=now())], partition)
        stage.fail("after", partition=0)
        until = now() + 2_000 * STALL
        stage.wait(lambda: now() > until, worker)
        health = json.loads(ask(port, "health"))
        assert (health["status"], worker.lives) == ("degraded", 1)
        assert health["openTransactions"].keys() == {f"{topic}/0", f"{topic}/1"}
        assert min(health["openTransactions"].values()) > STALL
        assert f'worker_open_transaction_seconds{{partition="0",topic="{topic}"}}' in ask(
            port, "metrics"
        )
        librdkafka.commit()
        stage.wait_judged(worker)
        stage.wait(lambda: not json.loads(ask(port, "health"))["openTransactions"], worker)
        assert (worker.lives, seeks(port)) == (1, 0)
    assert stage.counted() == {"SUCCEEDED": 2, "FAILED": 1}


def test_rules_and_states_are_read_past_what_operators_aborted(
    stage: Stage, librdkafka: Transactional
) -> None:
    """An aborted rule is in force nowhere, a changelog with marks in it is read to its end."""
    stage.change()
    looser = {"condition": "failures >= 1", "window": "10m"}
    stage_rule = rule(**looser).model_dump_json().encode()
    for topic in ("rules", "state", "tallies", "tally-changelog", "judge-changelog"):
        in_transactions(librdkafka, f"{stage.prefix}{topic}", [(False, [stage_rule])])
    with stage.worker() as worker:
        stage.wait_judged(worker)
        stage.fail(*(f"f{n}" for n in range(4)))
        stage.wait_judged(worker)
        assert stage.actions == {}
    for topic in ("tally-changelog", "judge-changelog", "rules"):
        in_transactions(librdkafka, f"{stage.prefix}{topic}", [(False, [stage_rule])])
    with stage.worker() as worker:
        stage.fail("f4")
        stage.wait(lambda: len(stage.actions) == 1, worker)
        stage.wait_judged(worker)
        assert worker.lives == 1
    assert stage.counted() == {"FAILED": 5}


def settings_of(stage: Stage) -> Settings:
    """Return the settings of *stage*."""
    return Settings(_env_file=None, topic_prefix=stage.prefix, kafka_bootstrap_servers=stage.kafka)


def test_a_topic_is_read_to_its_end_where_no_record_stands(
    stage: Stage, client: Transactional
) -> None:
    """The state service finds no lag there, and no letter or rule that was taken back."""
    rules, letters = (f"{stage.prefix}{one.name}" for one in (RULES, DEAD_LETTERS))
    stage.change()
    version = last_records(stage.kafka, [rules]).popitem()[1].value
    for topic in (rules, letters, f"{stage.prefix}{BREAKER_ACTIONS.name}"):
        in_transactions(client, topic, [(True, [version]), (False, [b"{}"] * 30)])
    [(_, last)] = last_records(stage.kafka, [rules]).items()
    assert (last.value, last.key) == (version, b"k")
    assert len(told.newest_rules(settings_of(stage), stage.kafka)) == 1
    assert [one.value for one in Letterbox(settings_of(stage), stage.kafka).letters()] == [version]
    assert read_to_the_end(stage.kafka, f"{stage.prefix}{BREAKER_ACTIONS.name}") == [version]


def read_to_the_end(kafka: str, topic: str) -> list[bytes]:
    """Return what the state service reads of *topic* until nothing is left, and no lag is seen."""
    reader = KafkaReader(kafka, topic, client_id="t", next_offset=lambda _: None)
    found: list[bytes] = []
    deadline = now() + 1_000 * PATIENCE
    while not found or reader.pulse is None or reader.pulse.lag:
        found += [one.value for one in reader.poll(100).get(0, [])]
        reader.pulse = None if reader.pulse and reader.pulse.lag else reader.pulse
        assert now() < deadline
    reader.close()
    return found


def test_kafka_says_whose_transaction_is_open_and_since_when(
    stage: Stage, client: Transactional
) -> None:
    """By the place at which it holds its partition; what was ended is not among them."""
    topic = f"{stage.prefix}{COMMAND_EVENTS.name}"
    in_transactions(client, topic, [(True, [b""]), (False, [b""])], partition=1)
    began = now()
    client.begin()
    client.send(topic, [b"", b""], 1)
    admin: Any = KafkaAdminClient(bootstrap_servers=stage.kafka)
    [found] = open_transactions(admin, [topic])
    assert (found.topic, found.partition, found.offset) == (topic, 1, 4)
    assert found.name is not None
    assert found.name.startswith(("aiokafka-", "kafka-python-", "librdkafka-"))
    assert found.since is not None
    assert abs(to_ms(found.since) - began) < 10_000
    client.abort()
    stage.wait(lambda: open_transactions(admin, [topic]) == [])
    admin.close()


def test_the_state_service_names_what_the_judges_wait_for(
    stage: Stage, librdkafka: Transactional, tmp_path: Path
) -> None:
    """Whoever asks for health learns whose transaction it is and where; afterwards it is gone."""
    settings = settings_of(stage).model_copy(update={"db_path": tmp_path / "governance.db"})
    service = StateService(settings)
    service.start()
    try:
        librdkafka.begin()
        librdkafka.send(f"{stage.prefix}{COMMAND_EVENTS.name}", [b""], 1)
        stage.wait(lambda: "('librdkafka-" in str(service.health()["stream"].message))
        said = str(service.health()["stream"].message)
        assert f" s on {stage.prefix}command-events/1; what comes after it waits" in said
        librdkafka.commit()
        stage.wait(lambda: "transaction" not in str(service.health()["stream"].message))
    finally:
        service.stop()


def test_a_plain_producer_beside_them_loses_nothing(
    stage: Stage, librdkafka: Transactional
) -> None:
    """What others append while a transaction is open waits with it, and counts though it aborts."""
    topic = f"{stage.prefix}command-events"
    producer = KafkaProducer(bootstrap_servers=stage.kafka)
    with stage.worker() as worker:
        stage.wait_judged(worker)
        for number in range(5):
            librdkafka.begin()
            librdkafka.send(topic, [command(f"t{number}", at=now())], 0)
            producer.send(topic, command(f"p{number}", at=now()), partition=0).get(timeout=60)
            (librdkafka.commit if number % 2 else librdkafka.abort)()
        stage.wait_judged(worker)
        assert worker.lives == 1
    producer.close()
    assert stage.counted() == {"SUCCEEDED": 7}
