"""The broker that we bring along: its data stays, its processes do not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from embedded.kafka import KafkaCluster
from embedded.ports import LOOPBACK, choose
from embedded.topics import ensure
from schemas.errors import BadSetting
from schemas.topics import Topic

pytestmark = pytest.mark.integration

NOTES = Topic("notes", 1, "none", "raw bytes")

LAUNCHER = """
import sys, time
from pathlib import Path
from embedded.kafka import KafkaCluster
with KafkaCluster(Path(sys.argv[1]), port=0) as kafka:
    print(*(node.pid for node in kafka.nodes), flush=True)
    time.sleep(600)
"""


def test_data_and_identity_survive_a_restart_on_another_port(tmp_path: Path) -> None:
    """What was acknowledged before a stop is there after it, though the port was taken since."""
    with KafkaCluster(tmp_path, port=0) as first:
        ensure(first.bootstrap_servers, prefix="", topics=[NOTES])
        write(first.bootstrap_servers, b"before")
        identity, port = first.cluster_id, first.nodes[0].port

    with listener(port), KafkaCluster(tmp_path, port=port) as second:
        assert second.nodes[0].port != port
        assert second.cluster_id == identity
        assert read(second.bootstrap_servers, 1) == [b"before"]


def test_a_broker_that_took_our_port_first_is_never_taken_for_ours(
    kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another Kafka may grab the port after we looked: ours starts elsewhere, as itself."""
    taken = int(kafka.rpartition(":")[2])
    ports = iter([[taken, *choose([0])], choose([0, 0])])
    monkeypatch.setattr("embedded.kafka.choose", lambda _: next(ports))
    with KafkaCluster(tmp_path) as ours:
        assert ours.nodes[0].port != taken
        with KafkaAdminClient(bootstrap_servers=ours.bootstrap_servers) as admin:
            assert admin.describe_cluster()["cluster_id"] == ours.cluster_id


def test_a_stopped_cluster_leaves_no_process_and_can_start_again(tmp_path: Path) -> None:
    """Stop ends the broker, twice is harmless, and the same object starts again."""
    cluster = KafkaCluster(tmp_path, port=0)
    cluster.start()
    pid = cluster.nodes[0].pid
    cluster.stop()
    cluster.stop()
    assert not is_alive(pid)

    cluster.start()
    assert cluster.nodes[0].is_running
    cluster.stop()


def test_three_nodes_lose_one_and_lose_nothing(tmp_path: Path) -> None:
    """With three nodes a killed one costs no acknowledged record, and it can come back."""
    with KafkaCluster(tmp_path, nodes=3, port=0) as cluster:
        ensure(cluster.bootstrap_servers, prefix="", topics=[NOTES])
        write(cluster.bootstrap_servers, b"three alive")
        cluster.nodes[0].kill()
        write(cluster.bootstrap_servers, b"two alive")
        assert read(cluster.bootstrap_servers, 2) == [b"three alive", b"two alive"]

        cluster.nodes[0].start()
        cluster.wait()
        assert all(node.is_running for node in cluster.nodes)


def test_a_folder_keeps_its_number_of_nodes(tmp_path: Path) -> None:
    """A folder of three nodes is refused for one, by name, instead of waiting for votes."""
    for number in (1, 2, 3):
        (tmp_path / f"node-{number}").mkdir()

    with pytest.raises(BadSetting, match="cluster of 3 nodes, not 1"):
        KafkaCluster(tmp_path, port=0).start()


def test_the_folder_may_be_called_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commas, letters beyond ASCII, backslashes: data are there, also for the next start."""
    monkeypatch.setenv("LC_ALL", "C")
    folder = tmp_path / "Rösterei, Halle\\2 #100%" / os.fsdecode(b"\xe9\n$HOME")
    with KafkaCluster(folder, port=0) as first:
        ensure(first.bootstrap_servers, prefix="", topics=[NOTES])
        write(first.bootstrap_servers, b"before")
    assert (folder / "node-1" / "data" / "notes-0").is_dir()

    with KafkaCluster(folder, port=0) as second:
        assert read(second.bootstrap_servers, 1) == [b"before"]
    assert len(list(tmp_path.rglob("meta.properties"))) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["Rösterei, Halle\\2 #100%"]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_brokers_do_not_outlive_their_launcher(tmp_path: Path, end: signal.Signals) -> None:
    """However the launcher ends, seconds later no broker of its is left."""
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert launcher.stdout is not None
    with launcher.stdout as said:
        pids = [int(pid) for pid in said.readline().split()]
    assert pids and all(map(is_alive, pids))

    launcher.send_signal(end)
    launcher.wait()

    assert wait_until(lambda: not any(map(is_alive, pids)), seconds=10)


def test_a_broker_that_dies_at_its_start_says_why(tmp_path: Path) -> None:
    """A start that cannot succeed ends at once with the broker's own last words."""
    with KafkaCluster(tmp_path, port=0):
        pass
    (tmp_path / "node-1" / "data" / "meta.properties").write_text("cluster.id=someone-else\n")

    with pytest.raises(Exception, match="the broker ended"):
        KafkaCluster(tmp_path, port=0).start()


def write(servers: str, value: bytes) -> None:
    """Append one record and wait for its acknowledgement by all replicas."""
    producer = KafkaProducer(bootstrap_servers=servers.split(","), acks="all")
    try:
        producer.send("notes", value).get(timeout=60)
    finally:
        producer.close()


def read(servers: str, count: int) -> list[bytes]:
    """Return the first *count* records."""
    found: list[bytes] = []
    consumer = KafkaConsumer(
        "notes",
        bootstrap_servers=servers.split(","),
        auto_offset_reset="earliest",
        consumer_timeout_ms=60_000,
    )
    try:
        for record in consumer:
            found.append(record.value)
            if len(found) == count:
                break
    finally:
        consumer.close()
    return found


def listener(port: int) -> socket.socket:
    """Return a socket that holds *port*."""
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind((LOOPBACK, port))
    taken.listen()
    return taken


def is_alive(pid: int | None) -> bool:
    """Tell whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Return whether *holds* becomes true in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
