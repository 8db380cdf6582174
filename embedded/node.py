"""One Kafka process: broker and controller in one, on the loopback interface.

<folder>/data/      the log, kept between starts
<folder>/logs/      server.log, bounded by log4j2.properties; console.log, of the last start
<folder>/server.properties   written anew at each start, since ports may differ
<folder>/log4j2.properties   the same, so that no file of ours has to be named to Java

Folders have names that Java and Kafka cannot be told: a comma parts two folders in ``log.dirs``, a
backslash escapes what follows it, and letters beyond ASCII are read by the locale. So the process
runs in its folder, and every name that it is told is relative to that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from embedded.ports import LOOPBACK
from schemas.errors import Unavailable

TETHER: Final = Path(__file__).with_name("tether.py")
LOGGING: Final = Path(__file__).with_name("log4j2.properties")
SETTINGS: Final = "server.properties"
HEAP: Final = "512m"

HERE: Final = "/proc/self/cwd" if sys.platform == "linux" else "."
"""The folder in which a process runs, as it can name it to itself.

On Linux an absolute path: what Java makes of a relative one begins with the real name of the
folder, as far as Java can read it.
"""

LOCALE: Final = {"LC_ALL": "C.UTF-8"}
"""For the paths of Java itself, of the jars, and of what it says in its log."""

PATIENCE: Final = timedelta(seconds=20)
"""How long a broker may take to leave when asked, before it is killed."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What runs a broker: a Java, the class path, and a file whose lock lives as long as it."""

    java: Path
    classpath: str
    lock: int


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node is: its number in the cluster, and its two ports."""

    number: int
    port: int
    controller_port: int


class KafkaNode:
    """One process of a cluster. It keeps its ports for as long as the cluster runs."""

    def __init__(
        self, folder: Path, address: Address, *, machine: Machine, starter: Executor
    ) -> None:
        self.folder = folder
        self.address = address
        self._machine = machine
        # The kernel ties a child to the *thread* that made it: this one lives as long as we do.
        self._starter = starter
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Return the port that clients use."""
        return self.address.port

    @property
    def pid(self) -> int | None:
        """Return the id of the broker's process, or None when none was started."""
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        """Tell whether the process lives; it may not answer yet."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_formatted(self) -> bool:
        """Tell whether the log folder belongs to a cluster already."""
        return (self.folder / "data" / "meta.properties").exists()

    def configure(self, voters: list[Address]) -> None:
        """Write the settings for a cluster of *voters*."""
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        rows = settings(self.address, voters)
        text = "".join(f"{name}={value}\n" for name, value in rows.items())
        (self.folder / SETTINGS).write_text(text, encoding="ascii")
        (self.folder / LOGGING.name).write_bytes(LOGGING.read_bytes())

    def format(self, cluster_id: str) -> None:
        """Make the log folder part of the cluster; once in its life.

        Raises:
            Unavailable: Kafka refused, for the reason given.
        """
        command = [*self._java("128m"), "kafka.tools.StorageTool", "format"]
        command += ["--cluster-id", cluster_id, "--config", f"{HERE}/{SETTINGS}"]
        said = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=self.folder,
            env={**os.environ, **LOCALE},
        )
        if said.returncode != 0:
            raise Unavailable("Kafka", f"formatting failed: {said.stderr or said.stdout}")

    def start(self) -> None:
        """Start the process, and return before it answers."""
        command = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid())]
        command += [*self._java(HEAP), "kafka.Kafka", f"{HERE}/{SETTINGS}"]
        self._process = self._starter.submit(self._spawn, command).result()

    def ask_to_stop(self) -> None:
        """Send SIGTERM, if there is anyone to send it to."""
        if self._process and self.is_running:
            self._process.terminate()

    def stop(self) -> None:
        """Ask the process to leave, wait, and kill it if it does not."""
        self.ask_to_stop()
        if self._process:
            try:
                self._process.wait(PATIENCE.total_seconds())
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kill the process as a crash would, and wait until it is gone."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """Return the end of what the process logged, for the error that says it died."""
        texts = [self.folder / "logs" / name for name in ("server.log", "console.log")]
        lines = [line for text in texts if text.exists() for line in _lines(text)]
        return "\n".join(lines[-15:])

    def _java(self, heap: str) -> list[str]:
        return [
            str(self._machine.java.absolute()),
            f"-Xmx{heap}",
            # Pauses of a few milliseconds matter to people's alerts, throughput does not.
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={HERE}/{LOGGING.name}",
            f"-Dkafka.logs.dir={HERE}/logs",
            "-cp",
            self._machine.classpath,
        ]

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "logs" / "console.log").open("wb") as console:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd=self.folder,
                env={**os.environ, **LOCALE},
                # Ctrl-C at the terminal must reach us first: the broker goes last.
                start_new_session=True,
                # Whoever starts next waits until the last broker has let go of the data.
                pass_fds=[self._machine.lock],
            )


def settings(node: Address, voters: list[Address]) -> dict[str, object]:
    """Return the broker's settings: loopback only, small, and nothing happens by itself."""
    copies = min(3, len(voters))
    return {
        "node.id": node.number,
        "process.roles": "broker,controller",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{node.port},"
        f"CONTROLLER://{LOOPBACK}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{node.port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        # A fixed list, not the quorum in the log: that one remembers ports, ours may change.
        "controller.quorum.voters": ",".join(
            f"{voter.number}@{LOOPBACK}:{voter.controller_port}" for voter in voters
        ),
        "log.dirs": f"{HERE}/data",
        # A topic that someone's typing error made would have the wrong settings for ever.
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": max(1, copies - 1),
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": max(1, copies - 1),
        "transaction.state.log.num.partitions": 8,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": max(1, copies - 1),
        "share.coordinator.state.topic.num.partitions": 1,
        # Waiting for more members helps a fleet that starts together; here it is 3 s of nothing.
        "group.initial.rebalance.delay.ms": 0,
        # A quarter of the heap by default, for a broker with two small compacted topics.
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        "log.cleaner.threads": 1,
        "num.io.threads": 4,
        "num.network.threads": 2,
        # A broker that was killed may come back under its number after this long.
        "broker.session.timeout.ms": 6_000,
        "broker.heartbeat.interval.ms": 1_000,
    }


def _lines(text: Path) -> list[str]:
    return text.read_text(encoding="utf-8", errors="replace").splitlines()
