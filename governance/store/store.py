"""The database as the handlers see it: transactions that write, and views that read."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from governance.store import migrate
from governance.store.ballast import Ballast
from governance.store.engine import AT_ONCE, BUSY, WRITING, open_engine
from governance.store.fence import Fence
from governance.store.identity import DatabaseIdentity
from governance.store.intact import DAMAGED, check_intact
from governance.store.turns import QUEUED, Turns
from governance.store.unit import Unit
from governance.store.wal import move_pages
from governance.store.writers import is_writer
from schemas.errors import Damaged, DiskFull, Replaced, Standby, Unavailable

FULL: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,  # for lack of quota, for instance
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMMAP,
    }
)
"""SQLite's codes for having no room left, in the file or beside it."""

POSTGRES_FULL: Final = "53100"
"""PostgreSQL's code for the same."""

POSTGRES_LACKS: Final = frozenset({"42703", "42P01"})
"""PostgreSQL's codes for a column and a table that another version's schema does not have."""

HELD_UP: Final = 15.0
"""Seconds for which a lowering that failed counts as waiting: it tries again within ten."""

FREE_AGAIN: Final = 2.0
"""Seconds in which an open connection becomes free: nobody reads for longer than that."""

MOMENT: Final = timedelta(milliseconds=200)
"""How long a writer of this process that is about to end is waited for, where nobody waits."""

ONLY_LOWERING: Final = "the disk is full: only what lowers autonomy is written until there is room"


class Store:
    """One database; safe to use from any thread.

    Writers of this process queue for each other and then for those of other processes, for
    *patience* each at most; what lowers autonomy goes first. Readers never wait for a writer.

    Transactions nest: within `writing`, the same thread's `writing` and `reading` join it, so
    that handlers can be put together and still happen as one. A `writing` that joined and
    raises is undone for itself; the rest is, unless somebody catches that.

    With a *fence* it is that of a service, which writes only while it holds the lease.
    """

    def __init__(self, url: str, *, patience: timedelta = BUSY) -> None:
        self._patience = patience
        self._file = _file(url)
        self.identity = DatabaseIdentity(self._file)
        self._engine = open_engine(url, patience, identity=self.identity)
        self._turns = Turns()
        self.ballast = Ballast(self._file) if self._file else None
        self._trouble: Unavailable | None = None
        self._held_up: tuple[Unavailable, float] | None = None
        self._listeners: list[Callable[[], None]] = []
        self._present = threading.local()
        self.fence: Fence | None = None

    @property
    def trouble(self) -> Unavailable | None:
        """Return why the last write failed, or who writes is refused; None while all is well."""
        if (replaced := self.identity.detached()) is not None:
            return replaced
        if self._trouble is None and self.ballast and self.ballast.is_released:
            return DiskFull(ONLY_LOWERING)
        return self._trouble or self._lowering_trouble()

    def _lowering_trouble(self) -> Unavailable | None:
        """Return why a lowering waits, though others may write: somebody holds what it needs."""
        if self._held_up is None or time.monotonic() - self._held_up[1] > HELD_UP:
            return None
        return self._held_up[0]

    def migrate(self, *, thoroughly: bool = False) -> None:
        """Bring the tables to the newest form; safe to call at every start.

        After a kill or a loss of power the log of a file is checked first; *thoroughly* also
        checks every page, as the one who goes on to write should.

        Raises:
            BadSetting: a newer version of this product made the database, or it is damaged.
            Unavailable: the database does not answer.
        """
        if self._file:
            check_intact(self._file, pages=thoroughly)
        try:
            self._upgrade()
        except DiskFull:
            # Even to open a database takes some pages.
            if self.ballast is None or not self.ballast.release():
                raise
            self._upgrade()

    def _upgrade(self) -> None:
        """Bring the tables to the newest form."""
        with translated():
            migrate.upgrade(self._engine)

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call *listener*, quickly and from any thread, after each commit that wrote."""
        self._listeners.append(listener)

    @property
    def is_foreign(self) -> bool:
        """Whether other data was found under our connections: nobody is told what it says."""
        return self.identity.is_foreign

    def replaced(self) -> Replaced | None:
        """Return that the database is another than the one that was opened, or None.

        Raises:
            Unavailable: the database does not answer.
        """
        if (found := self.identity.detached()) is not None:
            return found
        with self.reading() as unit:
            return self.identity.went_back(unit)

    @contextmanager
    def writing(
        self, *, lowers: bool = False, keeps: bool = True, needs_lease: bool = True
    ) -> Iterator[Unit]:
        """Give a transaction that is committed at the end, or undone if anything is raised.

        What *lowers* autonomy takes the next turn, and on a full disk the ballast: where it
        meets `DiskFull`, there may be room when it tries again. On a file that was removed or
        replaced it is written, so that the outbox tells Kafka, and raises all the same: the next
        start finds it there. What nobody needs to *keep* may be written then without a word. What
        people ask a standby for in need, and may not wait for a take-over, needs no lease.

        Raises:
            Standby: another service is the active one; nothing was written.
            Replaced: the database is another than the one that was opened; nothing is reported
                as done.
            Unavailable: another writer held the database for too long, or it does not answer;
                nothing was written.
            DiskFull: there is no room; nothing was written.
        """
        if (joined := self._joined()) is not None:
            with joined.savepoint():
                yield joined
            return
        fence = self.fence if needs_lease else None
        if fence is not None:
            fence.check_held()
        with self._watched(lowers=lowers), self._turns.take(self._patience, lowers=lowers):
            if self.ballast and self.ballast.is_released and not lowers:
                raise DiskFull(ONLY_LOWERING)
            with self._transaction(fence) as unit:
                self._check_same(unit, lowers=lowers or not keeps)
                yield unit
                marks = self.identity.wrote(unit)
            self.identity.committed(marks)
        self._trouble = None
        if lowers:
            self._held_up = None
        for listener in self._listeners:
            listener()
        if keeps and (replaced := self.identity.detached()) is not None:
            raise replaced

    def _check_same(self, unit: Unit, *, lowers: bool) -> None:
        """Check that what is written now is written into the database that was opened.

        Raises:
            Replaced: it is not. What *lowers* may still go through a file that is detached.
        """
        if not lowers and (found := self.identity.detached()) is not None:
            raise found
        if (found := self.identity.went_back(unit)) is not None:
            raise found

    def check_lease(self, unit: Unit) -> None:
        """Check in the view of *unit* that the lease is held, before anything is done outside.

        Raises:
            Standby: it is not.
        """
        if self.fence is not None:
            self.fence.check(unit)

    def renew(self) -> None:
        """Renew the lease, before other writers; on a full disk too, but not from the ballast.

        Raises:
            Standby: it is not held any more.
            Unavailable: nobody can write now.
        """
        if self.fence is None:
            return
        with (
            self._watched(lowers=False),
            self._turns.take(self._patience, lowers=True),
            self._transaction(self.fence) as unit,
        ):
            unit.lease.renew()
        self.fence.renewed()

    @contextmanager
    def leading(self, *, waits: bool) -> Iterator[Unit]:
        """Give a transaction that moves the lease itself; on a full disk the ballast gives way.

        Raises:
            Unavailable: another process is writing, and it *waits* for nobody, or did too long.
        """
        patience = self._patience if waits else MOMENT
        try:
            with (
                self._turns.take(patience, lowers=True),
                self._transaction(None, waits=waits) as unit,
            ):
                yield unit
        except DiskFull:
            if self.ballast:
                self.ballast.release()
            raise

    def is_free(self) -> bool:
        """Whether anybody could write at this very moment; waits for nobody.

        Raises:
            Unavailable: the database does not answer.
        """
        try:
            with self._turns.take(MOMENT, lowers=True), self._transaction(None, waits=False):
                return True
        except Unavailable:
            with self.reading():
                return False

    def is_held_by(self, pid: int) -> bool:
        """Whether the process *pid* of this machine is writing into the file, now."""
        return self._file is not None and is_writer(self._file, pid)

    def probe(self) -> None:
        """Look whether the database could be written, and hold room ready for a lowering.

        Raises:
            Unavailable: it could not.
        """
        with self._watched(lowers=False), self._turns.take(self._patience):
            with self._transaction():
                pass
            if self.ballast and not self.ballast.fill():
                raise DiskFull(ONLY_LOWERING)
            if not isinstance(self._trouble, DiskFull) or self._has_room():
                self._trouble = None

    def _has_room(self) -> bool:
        """Whether a disk that was full has room again; a server's disk is known by writing."""
        return self.ballast is not None and self.ballast.has_room()

    @contextmanager
    def _transaction(self, fence: Fence | None = None, *, waits: bool = True) -> Iterator[Unit]:
        """Give a transaction of the one writer, if *fence* admits it."""
        with translated(), self._connect() as connection:
            connection = connection.execution_options(**{WRITING: True, AT_ONCE: not waits})
            with connection.begin():
                unit = Unit(connection)
                if fence is not None:
                    fence.admit(unit)
                self._present.unit = unit
                try:
                    yield unit
                finally:
                    self._present.unit = None
            if fence is not None:
                fence.committed()
            if self._file and move_pages(connection, self._file):
                self.identity.moved()

    def _connect(self) -> Connection:
        """Return a connection; where the file is lost, one of those that are open already.

        Raises:
            Replaced: none became free soon enough, and no other file may be opened.
        """
        deadline = time.monotonic() + FREE_AGAIN
        while True:
            try:
                return self._engine.connect()
            except Replaced:
                if time.monotonic() > deadline:
                    raise
                threading.Event().wait(0.02)

    @property
    def is_writing(self) -> bool:
        """Whether this thread is in `writing`: what `reading` gives it may yet be undone."""
        return self._joined() is not None

    def _joined(self) -> Unit | None:
        """Return the unit that this thread is writing in, or None."""
        found: Unit | None = getattr(self._present, "unit", None)
        return found

    @contextmanager
    def _watched(self, *, lowers: bool) -> Iterator[None]:
        """Remember what a write failed of; give up the ballast for one that *lowers*."""
        try:
            yield
        except Standby:
            raise
        except Unavailable as error:
            if self._trouble is None or error.detail != QUEUED:
                self._trouble = error
            if lowers:
                self._held_up = error, time.monotonic()
            if lowers and self.ballast and isinstance(error, DiskFull):
                self.ballast.release()
            raise

    @contextmanager
    def reading(self) -> Iterator[Unit]:
        """Give a consistent view that writes nothing; within `writing`, the view of that unit.

        Raises:
            Unavailable: the database does not answer.
        """
        if (joined := self._joined()) is not None:
            yield joined
            return
        with translated(), self._connect() as connection, self._view(connection):
            yield Unit(connection)

    @contextmanager
    def _view(self, connection: Connection) -> Iterator[None]:
        """Hold one snapshot for several queries, and give it up at the end."""
        if self._engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        transaction = connection.begin()
        try:
            yield
        finally:
            transaction.rollback()

    def close(self) -> None:
        """Close all connections; what runs in them is finished first by its own thread."""
        self._engine.dispose()
        self.identity.forget()


@contextmanager
def translated() -> Iterator[None]:
    """Turn what a database says when it is busy or away into `Unavailable`.

    A broken constraint or a wrong statement is a fault of ours and passes as it is.
    """
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise _unavailable(error) from error
    except DBAPIError as error:
        lacks = getattr(error.orig, "sqlstate", None) in POSTGRES_LACKS
        if not (error.connection_invalidated or _is_damage(error.orig) or lacks):
            raise
        raise _unavailable(error) from error


def _is_damage(said: BaseException | None) -> bool:
    """Whether SQLite says that it cannot make sense of the file."""
    return getattr(said, "sqlite_errorcode", 0) & 0xFF in DAMAGED


def _unavailable(error: Exception) -> Unavailable:
    """Return what *error* means to whoever asked."""
    said = error.orig if isinstance(error, DBAPIError) else None
    if _is_damage(said):
        return Damaged(_reason(error))
    if (
        getattr(said, "sqlite_errorcode", None) in FULL
        or getattr(said, "sqlstate", None) == POSTGRES_FULL
    ):
        return DiskFull(_reason(error))
    return Unavailable("database", _reason(error))


def _reason(error: Exception) -> str:
    """Return what the database said, on one line and without the statement."""
    said = error.orig if isinstance(error, DBAPIError) else error
    return str(said).splitlines()[0][:200] if str(said) else type(said).__name__


def _file(url: str) -> Path | None:
    """Return where the database is, if it is a file."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or address.database in (None, "", ":memory:"):
        return None
    return Path(str(address.database))
