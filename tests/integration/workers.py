"""Worker processes that tests start, kill, stop and wake up again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Final, Self

from kafka import KafkaConsumer, TopicPartition

from schemas.actions import DECISION, Frontier
from schemas.wire import to_ms

ROOT: Final = Path(__file__).parents[2]
SESSION_SECONDS: Final = 6
"""The shortest session that brokers allow, so that tests need not wait longer."""


@dataclass(slots=True)
class Worker:
    """One worker under one static member id; `start` again after `kill` is its supervisor."""

    kafka: str
    prefix: str
    name: str
    folder: Path
    ticks: bool = True
    more: dict[str, str] = field(default_factory=dict)
    lives: int = 0
    process: subprocess.Popen[bytes] | None = None
    is_paused: bool = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start a new life of this worker."""
        home = self.folder / self.name
        home.mkdir(parents=True, exist_ok=True)
        self.lives += 1
        with (home / "output.log").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli", "worker"],
                cwd=ROOT,
                env=self._environment(home),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _environment(self, home: Path) -> dict[str, str]:
        """Return the settings of this worker."""
        return {
            **os.environ,
            "GOVERNANCE_KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "GOVERNANCE_TOPIC_PREFIX": self.prefix,
            "GOVERNANCE_WORKER_GROUP": f"{self.prefix}workers",
            "GOVERNANCE_WORKER_ID": self.name,
            "GOVERNANCE_WORKER_METRICS_PORT": "0",
            "GOVERNANCE_WORKER_SESSION_SECONDS": str(SESSION_SECONDS),
            "GOVERNANCE_TICKS": str(self.ticks).lower(),
            "GOVERNANCE_DATA_DIR": str(home),
            "GOVERNANCE_LOG_FILE": str(home / "governance.log"),
            **self.more,
        }

    def kill(self) -> None:
        """End this life at once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process, self.is_paused = None, False

    def stop(self) -> int:
        """Ask it to end, and return how it did."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(timeout=60)
        self.process = None
        return code

    def pause(self) -> None:
        """Let it stand still in the middle of whatever it does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        self.is_paused = True

    def wake(self) -> None:
        """Let it go on as if nothing had happened."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self.is_paused = False

    def supervise(self) -> bool:
        """Start it again if it has ended by itself; return whether it had."""
        if self.process is None or self.process.poll() is None:
            return False
        self.start()
        return True

    def said(self, *, all_of_it: bool = False) -> str:
        """Return the last that it wrote, for failures, or all."""
        home = self.folder / self.name
        files = [home / "output.log", home / "governance.log"]
        return "\n".join(
            file.read_text(errors="replace")[0 if all_of_it else -2_000 :]
            for file in files
            if file.exists()
        )


class FrontierReader:
    """Reads from breaker-actions how far the judges have come; belongs to no group."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self._consumer = KafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
        partition = TopicPartition(f"{prefix}breaker-actions", 0)
        self._consumer.assign([partition])
        self._consumer.seek_to_beginning(partition)
        self._judged: dict[int, int] = {}
        self._partitions = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def judged_until(self) -> int:
        """Return the T (ms) up to which all judges have decided, 0 before they all said so."""
        for records in self._consumer.poll(timeout_ms=100).values():
            for record in records:
                decision = DECISION.validate_json(record.value)
                if isinstance(decision, Frontier):
                    self._partitions = decision.partitions
                    self._judged[decision.partition] = to_ms(decision.judged_until)
        return min(self._judged.values()) if len(self._judged) == self._partitions else 0

    def wait_until(
        self, moment: int, *, seconds: float, meanwhile: Callable[[], object] = lambda: None
    ) -> int:
        """Return once everything before *moment* (ms) is judged.

        Raises:
            AssertionError: it took longer than *seconds*.
        """
        deadline = monotonic() + seconds
        while (judged := self.judged_until()) < moment:
            meanwhile()
            assert monotonic() < deadline, (
                f"judged until {judged}, {moment - judged} ms are missing"
            )
            sleep(0.05)
        return judged
