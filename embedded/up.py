"""``governance up``: the whole system on one machine, started, watched, and stopped in order.

    Kafka ─► topics ─► api ┬─► demo traffic        what ends by itself is started again,
                    worker ┘                        later each time
    stop:  demo ─► worker ─► api ─► Kafka           each asked first, killed if it does not go

Each part is a process of its own that cannot outlive this one. Everything that matters is in
Kafka and the database, so the next ``up`` goes on where this one ended.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Final

from embedded.child import Child
from embedded.exits import HOPELESS
from embedded.kafka import KafkaCluster
from embedded.narrator import Narrator, sentence
from embedded.probe import answer, api_address, asked_address, complaints, is_served_by, standing
from embedded.provision import provision
from embedded.runfile import RunFile, Running
from embedded.scenarios import Scenario
from embedded.screen import Screen
from embedded.signals import handled_by, interrupted
from embedded.vacancy import check_ports
from schemas.errors import BadSetting, Unavailable
from schemas.places import place_of
from schemas.settings import Settings, unknown_here

log = logging.getLogger(__name__)

LOOK: Final = 0.2
"""Seconds between two looks at the children."""

START: Final = timedelta(seconds=90)
"""How long the API and the worker may take: 5 s on an idle machine."""

PATIENCE: Final = {"demo": timedelta(seconds=2), "worker": timedelta(seconds=4)}
"""How long a child may take to leave; the state service needs up to ten seconds."""
API_PATIENCE: Final = timedelta(seconds=11)


class Up:
    """One run of everything.

    Args:
        settings: Those of the environment; with a Kafka named, that one is used.
        scenario: The demo traffic.
        screen: Where people are told.
        seed: Of the demo traffic; a new one each time if None.
    """

    def __init__(
        self, settings: Settings, scenario: Scenario, *, screen: Screen, seed: int | None = None
    ) -> None:
        self._settings = settings
        self._scenario = scenario
        self._screen = screen
        self._seed = secrets.randbelow(1_000_000) if seed is None else seed
        self._file = RunFile(settings)
        self._kafka: KafkaCluster | None = None
        self._children: list[Child] = []
        self._narrator: Narrator | None = None
        self._pointed = ""
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="parent")

    @property
    def address(self) -> str:
        """Return where the API is, as people type it."""
        return api_address(self._settings)

    def run(self) -> None:
        """Start everything, watch it, and stop it when told to by SIGINT, SIGTERM or SIGHUP.

        Raises:
            BadSetting: A port is taken, or another setting cannot be used; nothing is left.
            Unavailable: A part does not start; nothing is left.
        """
        with self._file.claimed():
            try:
                with interrupted():
                    self._start()
                    self._watch()
            except KeyboardInterrupt:
                self._screen.say()
            finally:
                self._stop()

    # ------------------------------------------------------------------------------ starting

    def _start(self) -> None:
        """Bring everything up, part by part."""
        for variable in unknown_here():
            self._screen.warn(str(variable))
        check_ports(self._settings)
        check_logs(self._settings)
        check_files(self._settings)
        servers = self._start_kafka()
        with self._screen.step("Topics", "looking") as step:
            created = provision(self._settings, servers)
            step.outcome = f"{len(created)} created" if created else "all there"
        self._file.write(self._running(servers))
        api = self._add("api", ["api", "--assume-topics"], servers)
        worker = self._add("worker", ["worker", "--assume-topics"], servers)
        with self._screen.step("API", "opening the database") as step:
            health = self._wait(
                api, "/health", lambda found: self._is_ours(api, found), step.progress
            )
            step.outcome = f"{self.address} ({standing(health)})"
        with self._screen.step("Worker", "taking up its partitions") as step:
            self._wait(worker, "/ready", _is_judging, step.progress)
            step.outcome = f"judging (member {self._settings.worker_id})"
        self._announce()
        if self._scenario is not Scenario.NONE:
            demo = ["demo", "--scenario", self._scenario.value, "--seed", str(self._seed)]
            self._add("demo", demo, servers)
            self._screen.done("Traffic", f"scenario {self._scenario.value}, seed {self._seed}")

    def _start_kafka(self) -> str:
        """Return the brokers' addresses, after starting one of ours if nobody named any."""
        named = self._settings.kafka_bootstrap_servers
        if named:
            self._screen.done("Kafka", f"{named} (yours)")
            return named
        with self._screen.step("Kafka", "starting") as step:
            folder = self._settings.data_dir / "kafka"
            self._kafka = KafkaCluster(folder, progress=step.progress)
            self._kafka.start()
            step.outcome = f"{self._kafka.bootstrap_servers} (ours, data in {folder})"
        return self._kafka.bootstrap_servers

    def _add(self, name: str, command: list[str], servers: str) -> Child:
        """Start a child."""
        child = Child(
            name,
            ["-m", "cli", *command],
            log=self._settings.log_folder / f"{name}.log",
            starter=self._starter,
            environment={
                "GOVERNANCE_KAFKA_BOOTSTRAP_SERVERS": servers,
                "GOVERNANCE_PORT": str(self._settings.port),
                "PYTHONUNBUFFERED": "1",
                # Into a file of ours, which is UTF-8 whatever the terminal is.
                "PYTHONIOENCODING": "utf-8:backslashreplace",
            },
        )
        self._children.append(child)
        child.start()
        return child

    def _wait(
        self,
        child: Child,
        path: str,
        is_good: Callable[[dict[str, object] | None], bool],
        progress: Callable[[str], None],
    ) -> dict[str, object] | None:
        """Return the API's answer at *path* once it is good; look after the children meanwhile.

        Raises:
            Unavailable: It is not in time.
        """
        deadline = time.monotonic() + START.total_seconds()
        found: dict[str, object] | None = None
        while not is_good(found):
            if time.monotonic() > deadline:
                raise Unavailable(child.name, self._not_ready(child, complaints(found)))
            time.sleep(LOOK)
            self._look(progress)
            found = answer(f"{asked_address(self._settings)}{path}")
        return found

    def _not_ready(self, child: Child, said: Sequence[str]) -> str:
        """Return in words that *child* is not ready, and where to look.

        What the API says is wrong may be its own trouble: then its log tells more.
        """
        logs = dict.fromkeys(str(one.log) for one in (child, *(self._children if said else ())))
        reasons = "".join(f"; {one}" for one in said)
        return f"does not get ready{reasons}; see {' and '.join(logs)}"

    def _is_ours(self, api: Child, found: dict[str, object] | None) -> bool:
        """Tell whether it was our API that answered, not one that took the port meanwhile."""
        return found is not None and is_served_by(api.pid, self._settings.pid_file)

    def _running(self, servers: str) -> Running:
        """Return what the other commands are told."""
        return Running(
            pid=os.getpid(),
            started_at=datetime.now(UTC),
            scenario=self._scenario.value,
            kafka=servers,
            api=self.address,
            worker_id=self._settings.worker_id,
        )

    def _announce(self) -> None:
        """Say where everything is, what is left from before, and follow what comes."""
        self._screen.say()
        self._screen.say("Everything is up. Ctrl-C stops it; what it knows stays.", style="bold")
        for name, path in PLACES:
            self._screen.say(f"  {name:<12} {self.address}{path}")
        self._screen.say()
        narrator = Narrator(self._settings, self._tell)
        try:
            self._remind(narrator)
        except OSError as problem:
            self._screen.warn(
                f"what happens cannot be told here: {problem}; set GOVERNANCE_TOKEN to a token "
                "that may read (`governance token create` makes one)"
            )
        else:
            self._narrator = narrator
            narrator.start()

    def _remind(self, narrator: Narrator) -> None:
        """Say what is left from before.

        Raises:
            OSError: The API does not tell us.
        """
        before = narrator.unresolved()
        if before:
            self._screen.warn(f"{len(before)} breaker events from before are unresolved:")
            for event in before[:5]:
                self._screen.say(f"    {sentence(event)}")
            self._screen.say(f"    curl {self.address}/api/circuit-breaker/events/unresolved")

    def _tell(self, text: str, command: str) -> None:
        """Say what happened, and how to see more of it, if that was not said just before."""
        self._screen.say(f"{datetime.now().astimezone():%H:%M:%S}  {text}", style="bold")
        if command != self._pointed:
            self._screen.say(f"          {command}")
            self._pointed = command

    # ------------------------------------------------------------------------------ watching

    def _watch(self) -> None:
        """Look after the children until told to stop."""
        while True:
            time.sleep(LOOK)
            self._look(self._screen.warn)

    def _look(self, tell: Callable[[str], None]) -> None:
        """Start again what ended.

        Raises:
            BadSetting: A child says that it cannot run with these settings.
        """
        self._look_at_kafka(tell)
        for child in self._children:
            status = child.check()
            if status in HOPELESS:
                raise BadSetting(child.name, f"cannot start:\n{child.last_words()}")
            if status is not None:
                log.warning("%s ended with %s:\n%s", child.name, status, child.last_words())
                tell(
                    f"{child.name} ended ({_why(status)}), starts again in "
                    f"{child.pause:.1f} s; see {child.log}"
                )

    def _look_at_kafka(self, tell: Callable[[str], None]) -> None:
        """Start a broker of ours again that ended; the others wait for it."""
        if self._kafka is None:
            return
        for node in self._kafka.nodes:
            if not node.is_running:
                tell(f"Kafka ended, starts again; see {self._kafka.directory}/*/logs/server.log")
                node.start()
                self._kafka.wait()

    # ------------------------------------------------------------------------------ stopping

    def _stop(self) -> None:
        """Stop every part, the one that others need last; a second signal kills them."""
        with handled_by(self._hurry):
            if self._narrator is not None:
                self._narrator.stop()
            for child in sorted(self._children, key=lambda child: _LAST.index(child.name)):
                self._stop_child(child)
            if self._kafka is not None:
                self._screen.say("stopping Kafka")
                self._kafka.stop()
            self._starter.shutdown()

    def _stop_child(self, child: Child) -> None:
        """Stop one child, and say if it had to be killed."""
        self._screen.say(f"stopping {child.name}")
        if not child.stop(PATIENCE.get(child.name, API_PATIENCE)):
            self._screen.warn(f"{child.name} did not leave in time and was killed; nothing is lost")

    def _hurry(self, _number: int, _frame: FrameType | None) -> None:
        """Kill what is left: whoever asks twice does not want to wait."""
        nodes = self._kafka.nodes if self._kafka else ()
        pids = [part.pid for part in self._children if part.is_running]
        pids += [node.pid for node in nodes if node.is_running]
        for pid in pids:
            if pid is not None:
                os.kill(pid, signal.SIGKILL)


_LAST: Final = ("demo", "worker", "api")
"""The order in which children are stopped."""

PLACES: Final = (
    ("Documents", "/docs"),
    ("State", "/api/governance/state"),
    ("Events", "/api/circuit-breaker/events/unresolved"),
    ("Metrics", "/metrics"),
)
"""What to look at first."""


def check_logs(settings: Settings) -> None:
    """See that the children's logs can be written.

    Raises:
        BadSetting: they cannot; Kafka need not be started to find that out.
    """
    path = settings.log_folder / "api.log"
    with place_of("GOVERNANCE_LOG_FILE", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()


def check_files(settings: Settings) -> None:
    """See that the API's files can be files where they are set to be.

    Raises:
        BadSetting: one cannot; Kafka need not be started to find that out.
    """
    for variable, path in (
        ("GOVERNANCE_PID_FILE", settings.pid_file),
        ("GOVERNANCE_LOG_FILE", settings.log_file),
    ):
        with place_of(variable, path), suppress(FileNotFoundError):
            path.stat()  # fails if its folder is none
    if settings.database_url is None:
        with place_of("GOVERNANCE_DB_PATH", settings.db_path, kept=True):
            settings.db_path.parent.mkdir(parents=True, exist_ok=True)


def _is_judging(ready: dict[str, object] | None) -> bool:
    """Tell whether ``/ready`` says that the stream is seen."""
    checks = (ready or {}).get("checks")
    stream = checks.get("stream") if isinstance(checks, dict) else None
    return isinstance(stream, dict) and stream.get("status") == "healthy"


def _why(status: int) -> str:
    """Return an exit status in words."""
    return f"killed by signal {-status}" if status < 0 else f"exit code {status}"
