"""A worker's hold on its id: one living process has it, and whoever starts second is told.

Kafka lets a new static member take the place of the one before it at once, dead or alive. That is
how a worker that was killed is back within moments; two that live would throw each other out for
ever. So a worker asks first, and says that it lives for as long as it does:

    on this machine    a lock on a file in the data folder, which ends with the process
    anywhere           a count that rises twice a second, kept by Kafka as the offset of a group
                       of its own, with who counts there

Whoever holds the very lock that the last holder had knows that it is dead, and waits for nothing.
Anybody else watches the count for a moment: nobody's clock is compared with another's.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final, Self, TypeVar

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from schemas.errors import BadSetting, Unavailable
from schemas.places import place_of
from schemas.settings import Settings
from schemas.topics import RULES
from streams.exits import EXIT_TAKEN, leave

log = logging.getLogger(__name__)

BEAT: Final = 0.5
"""Seconds between two counts of a worker that lives."""

WATCH: Final = 3 * BEAT
"""Seconds for which a count must stand before its worker is taken for dead."""

PATIENCE: Final = 30.0
"""Seconds for which a Kafka that is not ready is asked again."""

RETRY: Final = 0.1
"""Seconds between two such questions."""

T = TypeVar("T")

FIRST: Final = 2**40
"""Where counting begins: beyond the topic's end, so that nobody takes it for a lag."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds an id; ``lock`` names the file that it has locked, on any machine."""

    nonce: str
    host: str
    process: int
    folder: str
    lock: str

    def __str__(self) -> str:
        """Return where it is, for people."""
        return f"process {self.process} on {self.host}, in {self.folder}"

    def to_text(self) -> str:
        """Return what is kept of it."""
        return json.dumps(asdict(self))


def holder_of(text: str) -> Holder | None:
    """Return the holder that *text* tells of, None if of none."""
    try:
        return Holder(**json.loads(text))
    except (TypeError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Count:
    """How far a holder has counted; nobody has if there is no holder."""

    number: int
    holder: Holder | None


class Book:
    """Where the counts of all workers of a group are kept: each is the offset of a group."""

    def __init__(self, settings: Settings, servers: str) -> None:
        """Connect.

        Raises:
            KafkaError: Kafka does not answer.
        """
        self._group = f"{settings.worker_group}.member.{settings.worker_id}"
        self._place = TopicPartition(settings.topic(RULES.name), 0)
        self._admin = KafkaAdminClient(bootstrap_servers=servers.split(","))

    def read(self) -> Count:
        """Return the count as it stands."""
        found: Any = self._admin.list_group_offsets(self._group)[self._group].get(self._place)
        if found is None or found.offset < 0:
            return Count(FIRST, None)
        return Count(found.offset, holder_of(found.metadata or ""))

    def write(self, count: Count) -> None:
        """Keep *count*.

        Raises:
            KafkaError: Kafka did not.
        """
        text = count.holder.to_text() if count.holder else ""
        kept = {self._place: OffsetAndMetadata(count.number, text, -1)}
        for error in self._admin.alter_group_offsets(self._group, kept).values():
            if error.errno:
                raise error

    def close(self) -> None:
        """Let go of the connection."""
        self._admin.close()


class Claim:
    """The hold of this process on the id of its settings, from `take` to `release`."""

    def __init__(
        self,
        settings: Settings,
        book: Book,
        *,
        wait: Callable[[float], bool] | None = None,
        on_taken: Callable[[str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._book = book
        self._over = threading.Event()
        self._turn = threading.Lock()
        self._wait = wait or self._over.wait
        self._on_taken = on_taken or (lambda problem: leave(problem, EXIT_TAKEN))
        self._file: IO[str] | None = None
        self._me: Holder | None = None
        self._thread: threading.Thread | None = None

    def take(self) -> None:
        """Take the id, or find out who has it.

        Raises:
            BadSetting: a worker that lives has it; says where, and what to do.
            Unavailable: Kafka does not answer.
        """
        try:
            me = self._locked()
            found = self._patiently(self._book.read)
            if found.holder is not None and found.holder.lock != me.lock:
                self._refuse_if_alive(found)
            self._patiently(lambda: self._book.write(Count(found.number + 1, me)))
        except BaseException as problem:
            self.unlock()
            if isinstance(problem, KafkaError):
                said = f"cannot say who holds this worker's id: {problem}"
                raise Unavailable("Kafka", said) from None
            raise
        self._me = me

    def unlock(self) -> None:
        """Let go of the lock, as the kernel does when the process ends."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        """Count in a thread of its own, however busy the worker is."""
        self._thread = threading.Thread(target=self._count, name="claim", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the id back, so that nobody need wait to see that we are gone."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(WATCH)
        try:
            with self._turn:
                found = self._book.read()
                if found.holder == self._me:
                    self._book.write(Count(found.number + 1, None))
        except KafkaError as problem:
            log.info("the worker's id is not given back: %s", problem)
        self._book.close()
        self.unlock()

    def beat(self) -> None:
        """Count once more, unless somebody else has taken the id: then leave it to them.

        Raises:
            KafkaError: Kafka does not answer.
        """
        with self._turn:
            found = self._book.read()
            if found.holder is None or found.holder == self._me:
                self._book.write(Count(found.number + 1, self._me))
                return
        if not self._over.is_set():
            self._on_taken(
                f"another worker has taken the id {self._settings.worker_id!r}: {found.holder}; "
                "this one stood still, or could not reach Kafka, for so long that it was taken for "
                "dead. If both are to run, give this one another GOVERNANCE_WORKER_ID"
            )

    def check(self) -> None:
        """Count, if Kafka answers: to be done before the group is joined, again too.

        A worker that wakes up would else take its id back before it knows that it has lost it.
        """
        try:
            self.beat()
        except KafkaError as problem:
            log.debug("not counted: %s", problem)

    def _count(self) -> None:
        """Count for as long as the worker lives."""
        while not self._over.wait(BEAT):
            self.check()

    def _locked(self) -> Holder:
        """Lock the file that stands for the id on this machine; return who we are.

        Raises:
            BadSetting: another process has locked it, or it cannot be made.
        """
        path = self._settings.data_dir / "workers" / f"{self._settings.worker_id}.lock"
        with place_of("GOVERNANCE_DATA_DIR", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            raise self._refused(holder_of(self._file.read())) from None
        status = os.fstat(self._file.fileno())
        me = Holder(
            nonce=secrets.token_hex(8),
            host=socket.gethostname(),
            process=os.getpid(),
            folder=str(Path.cwd()),
            lock=f"{_boot_of_this_machine()}/{status.st_dev}/{status.st_ino}",
        )
        self._file.truncate(0)
        self._file.write(me.to_text())
        self._file.flush()
        return me

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Return what *ask* does; a Kafka that has just started knows no groups for a while.

        Raises:
            KafkaError: it does not get over it.
        """
        for _ in range(round(PATIENCE / RETRY)):
            try:
                return ask()
            except KafkaError as problem:
                if not problem.retriable:
                    raise
            self._wait(RETRY)
        return ask()

    def _refuse_if_alive(self, found: Count) -> None:
        """Watch the count for as long as a living worker needs at most to go on.

        Raises:
            BadSetting: it goes on.
        """
        log.info("looking whether %s still holds this worker's id", found.holder)
        for _ in range(round(WATCH / BEAT) * 2):
            self._wait(BEAT / 2)
            now = self._patiently(self._book.read)
            if now.holder is None:
                return
            if now != found:
                raise self._refused(now.holder)

    def _refused(self, holder: Holder | None) -> BadSetting:
        """Return the refusal."""
        where = str(holder) if holder else "a process that uses the same data folder"
        return BadSetting(
            "GOVERNANCE_WORKER_ID",
            f"{self._settings.worker_id!r} is the id of a worker that runs: {where}; give this one "
            "another id (and, on one machine, another GOVERNANCE_WORKER_METRICS_PORT), or stop "
            "that one",
        )


def _boot_of_this_machine() -> str:
    """Return what no two machines, and no two starts of one, have in common."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux: then its name must do
        return socket.gethostname()


def claim(settings: Settings, servers: str) -> Claim:
    """Return the claim to the id of *settings*, taken; enter it to keep it.

    Raises:
        BadSetting: a worker that lives has it.
        Unavailable: Kafka does not answer.
    """
    try:
        book = Book(settings, servers)
    except KafkaError as problem:
        raise Unavailable("Kafka", f"{servers} does not answer: {problem}") from None
    taken = Claim(settings, book)
    try:
        taken.take()
    except BaseException:
        book.close()
        raise
    return taken
