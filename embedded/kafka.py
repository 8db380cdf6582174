"""A real Apache Kafka on this machine, for as long as we run.

    with KafkaCluster(Path("var/kafka")) as kafka:
        connect(kafka.bootstrap_servers)

One node for a laptop, three to see that losing one loses nothing. The data stays in the folder:
the next start goes on with it, also on another port. Brokers listen on the loopback interface
only, are stopped in order, and cannot outlive us however we end.
"""

from __future__ import annotations

import base64
import fcntl
import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from embedded import jars
from embedded.java import java
from embedded.node import Address, KafkaNode, Machine
from embedded.ports import LOOPBACK, choose, is_open
from schemas.errors import BadSetting, Unavailable

PORT: Final = 9092
START: Final = timedelta(seconds=90)
"""How long a cluster may take to answer: 3 s on an idle machine, 30 s on a very busy one."""
HANDOVER: Final = timedelta(seconds=15)
"""How long to wait for the last owner of the folder, who may just be leaving."""
PAUSE: Final = 0.05
ATTEMPTS: Final = 3
"""Starts, when someone else takes a port between our looking and the broker's."""


class KafkaCluster:
    """One or more brokers that share a folder; starts and stops them as one thing.

    Args:
        directory: Where the data is kept. One process at a time uses it.
        nodes: How many brokers; a folder keeps the number that it began with.
        port: The first broker's port. When it is taken another is chosen; 0 always does.
        progress: Is told in a few words what is going on, for a status line.
    """

    def __init__(
        self,
        directory: Path,
        *,
        nodes: int = 1,
        port: int = PORT,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.directory = directory.absolute()
        self.nodes: tuple[KafkaNode, ...] = ()
        self._size = nodes
        self._wanted = port
        self._progress = progress
        self._lock: int | None = None
        self._starter: ThreadPoolExecutor | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Return what clients connect to: ``host:port,…`` of every node."""
        return ",".join(f"{LOOPBACK}:{node.port}" for node in self.nodes)

    @property
    def cluster_id(self) -> str:
        """Return the id that the folder was formatted with, making one for a new folder."""
        file = self.directory / "cluster-id"
        if not file.exists():
            raw = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            # Kafka's own ids never begin with "-", which its commands would read as an option.
            file.write_text(f"A{raw[1:]}")
        return file.read_text().strip()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start every node, and return when all of them answer.

        Raises:
            Unavailable: No Java, no jars, someone else uses the folder, or a broker died.
            BadSetting: KAFKA_HOME is not Kafka's, a jar is not the pinned one, or the folder
                belongs to a cluster of another size.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = lock = self._take_folder()
        try:
            for attempt in range(ATTEMPTS):
                if self._launch(lock, is_last=attempt == ATTEMPTS - 1):
                    return
        except BaseException:
            self.stop()
            raise

    def _launch(self, lock: int, *, is_last: bool) -> bool:
        """Start the nodes on ports that are free now; False if someone else was faster.

        Raises:
            Unavailable: it was the last attempt, or a broker died of something else.
        """
        self.nodes = self._prepare(lock)
        self._format()
        self._progress("starting Kafka")
        for node in self.nodes:
            node.start()
        try:
            self.wait()
        except Unavailable:
            lost = [node for node in self.nodes if not node.is_running and is_open(node.port)]
            if is_last or not lost:
                raise
            for node in self.nodes:
                node.stop()
            return False
        return True

    def stop(self) -> None:
        """Stop every node, all at once, and let go of the folder. Stopping twice is harmless."""
        for node in self.nodes:
            node.ask_to_stop()
        for node in self.nodes:
            node.stop()
        if self._starter:
            self._starter.shutdown()
        if self._lock is not None:
            os.close(self._lock)
        self._starter = self._lock = None

    def wait(self) -> None:
        """Return when every running node has joined; what was killed on purpose is not missed.

        Raises:
            Unavailable: A node died on its way, or time ran out.
        """
        deadline = time.monotonic() + START.total_seconds()
        expected = [node for node in self.nodes if node.is_running]
        while not self._have_joined(expected):
            for node in expected:
                if not node.is_running:
                    raise Unavailable("Kafka", f"the broker ended:\n{node.last_words()}")
            if time.monotonic() > deadline:
                raise Unavailable("Kafka", f"no answer; see {self.directory}/*/logs/server.log")
            time.sleep(PAUSE)

    def _have_joined(self, expected: list[KafkaNode]) -> bool:
        """Ask the brokers themselves; first by a knock, since their client is slow to give up."""
        if not expected or not all(is_open(node.port) for node in expected):
            return False
        servers = [f"{LOOPBACK}:{node.port}" for node in expected]
        try:
            with KafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=5_000) as admin:
                found = admin.describe_cluster()
        except KafkaError:
            return False
        brokers = found["brokers"]
        if found["cluster_id"] != self.cluster_id:
            return False  # someone else's Kafka took the port first; ours is about to end
        return {node.port for node in expected} <= {broker["port"] for broker in brokers}

    def _take_folder(self) -> int:
        """Lock the folder; the brokers inherit the lock, so it is free when the last is gone."""
        lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + HANDOVER.total_seconds()
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(lock)
                    raise Unavailable(
                        "Kafka", f"{self.directory} is in use by another process of ours"
                    ) from None
                time.sleep(PAUSE)
            else:
                return lock

    def _prepare(self, lock: int) -> tuple[KafkaNode, ...]:
        """Return the nodes, configured for ports that are free now."""
        self._check_size()
        machine = Machine(java(), classpath(self._progress), lock)
        self._starter = self._starter or ThreadPoolExecutor(1, thread_name_prefix="kafka-parent")
        addresses = self._addresses()
        nodes = tuple(
            KafkaNode(self._folder(a.number), a, machine=machine, starter=self._starter)
            for a in addresses
        )
        for node in nodes:
            node.configure(addresses)
        return nodes

    def _addresses(self) -> list[Address]:
        size = self._size
        wanted = [self._wanted + n if self._wanted else 0 for n in range(size)]
        ports = choose([*wanted, *[0] * size])
        rows = zip(ports[:size], ports[size:], strict=True)
        return [Address(number, *both) for number, both in enumerate(rows, start=1)]

    def _format(self) -> None:
        """Format what is new, at the same time: most of it is Java's start."""
        new = [node for node in self.nodes if not node.is_formatted]
        if new:
            self._progress("formatting Kafka's storage")
            cluster_id = self.cluster_id
            with ThreadPoolExecutor(len(new)) as pool:
                list(pool.map(lambda node: node.format(cluster_id), new))

    def _check_size(self) -> None:
        """Refuse a folder of another size: its nodes would wait for votes that cannot come."""
        found = len(list(self.directory.glob("node-*")))
        if found not in (0, self._size):
            raise BadSetting(
                str(self.directory), f"holds a cluster of {found} nodes, not {self._size}"
            )

    def _folder(self, number: int) -> Path:
        return self.directory / f"node-{number}"


def classpath(progress: Callable[[str], None] = lambda _: None) -> str:
    """Return Java's class path for Kafka: that of KAFKA_HOME if it is set, else the pinned jars.

    Raises:
        BadSetting: KAFKA_HOME has no Kafka in it, or a jar is not the pinned one.
        Unavailable: Jars are missing and cannot be downloaded; says what else one can do.
    """
    home = os.environ.get("KAFKA_HOME")
    if home:
        if not list(Path(home).glob("libs/kafka-server-*.jar")):
            raise BadSetting("KAFKA_HOME", f"there is no Kafka in {home}/libs")
        return _on_path("KAFKA_HOME", [Path(home) / "libs" / "*"])
    try:
        return _on_path("XDG_CACHE_HOME", jars.fetch(progress))
    except Unavailable as problem:
        raise Unavailable(
            "Kafka",
            f"{problem.detail}. Connect this machine once, set KAFKA_HOME to an unpacked Kafka "
            "4, or name a running Kafka in KAFKA_BOOTSTRAP_SERVERS",
        ) from problem


def _on_path(setting: str, entries: list[Path]) -> str:
    """Return *entries* as Java's class path.

    Raises:
        BadSetting: Java would take one for two.
    """
    paths = [str(entry.absolute()) for entry in entries]
    if any(os.pathsep in path for path in paths):
        folder = entries[0].parent
        raise BadSetting(
            setting, f"{os.pathsep!r} in {folder} parts two folders to Java; name one without it"
        )
    return os.pathsep.join(paths)
