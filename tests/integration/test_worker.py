"""Workers as processes on a real Kafka: rules arrive, stops are clean, nothing is guessed."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import msgspec
import pytest

from embedded.kafka import KafkaCluster
from embedded.ports import choose
from schemas.tallies import STEP, Cut, Cuts, scope_of
from schemas.wire import to_ms
from streams.exits import EXIT_BROKEN
from streams.tally import home_of
from tests.integration.stage import LEAD, PATIENCE, Stage, now
from tests.integration.workers import Worker
from tests.unit.streams.facts import HOUR, command

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

STOPS_WITHIN: Final = 10
"""Seconds that a supervisor gives a worker before it kills it."""

HOMES: Final = {home_of(scope_of("commandType", kind), 2): kind for kind in ("FAN", "DRUM", "LID")}
"""For each judge a command type whose scope lives there."""


@pytest.fixture
def stage(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    """Return topics of our own."""
    with Stage(kafka, topic_prefix, tmp_path) as stage:
        yield stage


def test_a_changed_rule_is_live_on_every_worker_at_its_moment(stage: Stage) -> None:
    """Both judges trip at exactly that T, on events from before the change."""
    stage.change(condition="commandType.failures >= 100")
    with stage.worker("w0"), stage.worker("w1"):
        stage.wait(lambda: len({worker for _, worker in stage.judged.values()}) == 2)
        for partition, kind in HOMES.items():
            stage.fail(*(f"{kind}-{n}" for n in range(3)), kind=kind, partition=partition)
        stage.wait_judged()
        since = now() // STEP * STEP + LEAD
        stage.change(2, since=since, condition="commandType.failures >= 3")
        stage.wait(lambda: len(stage.actions) == 2)
    assert {action.scope for action in stage.actions.values()} == set(HOMES.values())
    for action in stage.actions.values():
        assert (to_ms(action.decided_at), action.rule_version) == (since, 2)
        assert action.evidence.command_ids == [f"c-{action.scope}-{n}" for n in range(3)]


def test_a_worker_outlives_one_that_comes_and_goes(stage: Stage) -> None:
    """Partitions move twice while events pour in: nobody leaves, and every event counts once."""
    ids = map(str, count())

    def are_judging(*names: str) -> bool:
        stage.fail(next(ids), partition=0)
        stage.fail(next(ids), partition=1)
        return {worker for _, worker in stage.judged.values()} == set(names)

    with stage.worker("w0") as stays, stage.worker("w1") as goes:
        stage.wait(lambda: are_judging(stays.name, goes.name))
        assert end(goes) == 0
        stage.wait(lambda: are_judging(stays.name))
        stage.wait_judged()
        assert stays.process is not None
        assert stays.process.poll() is None
    assert stage.counted() == {"FAILED": int(next(ids))}


def test_a_stop_is_clean_and_a_restart_goes_on(stage: Stage) -> None:
    """After SIGTERM nothing is counted twice or forgotten; SIGUSR2 and SIGHUP stop nothing."""
    stage.change()
    worker = stage.worker()
    with worker:
        stage.fail("a", "b", "c")
        stage.wait_judged()
        assert worker.process is not None
        assert ignored(worker.process.pid) >= {signal.SIGUSR2, signal.SIGHUP}
        worker.process.send_signal(signal.SIGUSR2)
        worker.process.send_signal(signal.SIGHUP)
        stage.wait_judged()
        assert end(worker) == 0
        worker.start()
        stage.fail("b", "d", "a", "e")
        stage.wait(lambda: bool(stage.actions))
    [action] = stage.actions.values()
    assert [reading.value for reading in action.evidence.readings] == [5]
    assert action.evidence.command_ids == ["c-a", "c-b", "c-c", "c-d", "c-e"]
    assert stage.counted() == {"FAILED": 5}


def test_a_worker_never_begins_over_what_was_lost(stage: Stage) -> None:
    """Whether its changelog or unread records are gone: it says which, and leaves."""
    with stage.worker() as worker:
        for partition in (0, 1):
            stage.fail(f"first-{partition}", partition=partition)
        stage.wait_judged()
        stage.wait_committed(f"{stage.prefix}workers")
        end(worker)
        for topic, complaint in (
            ("tallies", "the source of {}judge-changelog/0 begins at"),
            ("judge-changelog", "{}judge-changelog/0 holds nothing although its source"),
            ("command-events", "the source of {}tally-changelog/0 begins at"),
            ("tally-changelog", "{}tally-changelog/0 holds nothing although its source"),
        ):
            stage.cut_off(topic)
            worker.start()
            assert status(worker) == EXIT_BROKEN
            assert complaint.format(stage.prefix) in worker.said()


def test_what_others_write_into_our_topics_stops_nothing(stage: Stage) -> None:
    """Each such record is named and passed over, while a worker runs and when it starts."""
    stage.change()
    topics = ("tallies", "tally-changelog", "judge-changelog")
    with stage.worker() as worker:
        stage.fail("a", "b")
        stage.wait_judged()
        for topic in topics:
            stage.write(topic, b'{"what": "is this"}')
        stage.fail("c", "d")
        stage.wait_judged()
        worker.kill()
        worker.start()
        stage.fail("e")
        stage.wait(lambda: bool(stage.actions))
        for topic in topics:
            assert f"{stage.prefix}{topic}/0 at offset" in worker.said(all_of_it=True)
        assert worker.lives == 2
    [action] = stage.actions.values()
    assert action.evidence.command_ids == ["c-a", "c-b", "c-c", "c-d", "c-e"]


def test_a_cut_that_does_not_fit_ends_a_worker_by_name(stage: Stage) -> None:
    """It says where, that nothing is judged without what is missing, and where to read on."""
    with stage.worker() as worker:
        stage.wait_judged()
        far = (now() + HOUR) // STEP * STEP
        stage.write("tallies", msgspec.msgpack.encode(Cuts(0, [Cut(far, far + STEP, 0, [])])))
        assert status(worker) == EXIT_BROKEN
        assert f"leaving: {stage.prefix}tallies/0, offsets" in worker.said()
        assert "When records are lost" in worker.said()
        assert "Traceback" not in worker.said(all_of_it=True)


def test_a_worker_shows_what_it_has_counted(stage: Stage) -> None:
    """Its own port says how it is, and what became of every record."""
    [port] = choose([0])
    stage.change()
    with stage.worker(GOVERNANCE_WORKER_METRICS_PORT=str(port)):
        stage.fail("a", "a", "b")
        stage.send(b"poison", command("late", at=now() - HOUR), command("early", at=now() + HOUR))
        stage.wait_judged()
        stage.wait(lambda: "worker_events_total 3.0" in ask(port, "metrics"))
        shown, health = ask(port, "metrics"), json.loads(ask(port, "health"))
    for line in (
        "worker_duplicate_events_total 1.0",
        "worker_early_events_total 1.0",
        "worker_late_events_total 1.0",
        'worker_dead_letters_total{reason="late"} 1.0',
        'worker_dead_letters_total{reason="not_json"} 1.0',
    ):
        assert f"simcorp_governance_{line}" in shown.splitlines()
    assert (health["status"], health["partitions"]) == ("healthy", [0, 1])


def test_what_is_small_only_while_it_is_packed_stops_nothing(stage: Stage) -> None:
    """A batch that unpacks to many megabytes, of ids or in one record, is counted as any other."""
    ids = [f"{'x' * 240}{number}" for number in range(40_000)]
    stage.send_packed([command(one, at=now()) for one in ids])
    stage.send_packed([b"x" * 10_000_000, command("last", at=now())])
    with stage.worker() as worker:
        stage.wait_judged(worker)
        assert worker.lives == 1
    assert stage.counted() == {"SUCCEEDED": len(ids) + 1}


def test_a_broker_that_crashes_costs_nothing(topic_prefix: str, tmp_path: Path) -> None:
    """It comes back, the worker goes on or is started again, and every event counts once."""
    with (
        KafkaCluster(tmp_path / "kafka", port=0) as cluster,
        Stage(cluster.bootstrap_servers, topic_prefix, tmp_path) as stage,
        stage.worker(GOVERNANCE_WORKER_STALL_SECONDS="5") as worker,
    ):
        stage.change()
        stage.fail("a", "b", "c")
        stage.wait_judged(worker)
        cluster.nodes[0].kill()
        cluster.nodes[0].start()
        cluster.wait()
        stage.fail("a", "d", "e", "c")
        stage.wait(lambda: bool(stage.actions), worker)
        [action] = stage.actions.values()
        assert [reading.value for reading in action.evidence.readings] == [5]
        assert stage.counted() == {"FAILED": 5}


def ask(port: int, path: str) -> str:
    """Return what a worker's own port answers."""
    with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=PATIENCE) as answer:
        return str(answer.read().decode())


def end(worker: Worker) -> int:
    """Ask *worker* to stop as its supervisor would, and return how it ended."""
    assert worker.process is not None
    worker.process.terminate()
    return worker.process.wait(timeout=STOPS_WITHIN)


def status(worker: Worker) -> int:
    """Return how *worker* ends by itself."""
    assert worker.process is not None
    return worker.process.wait(timeout=PATIENCE)


def ignored(pid: int) -> set[int]:
    """Return the signals that a process ignores."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(status.split("SigIgn:")[1].split()[0], base=16)
    return {number for number in signal.valid_signals() if mask >> (number - 1) & 1}
