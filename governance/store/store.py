"""The database as the handlers see it: transactions that write, and views that read."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from governance.store import migrate
from governance.store.engine import BUSY, WRITING, open_engine
from governance.store.unit import Unit
from schemas.errors import Unavailable

log = logging.getLogger(__name__)


class Store:
    """One database; safe to use from any thread.

    Writers of this process queue for each other and then for those of other processes, for
    *patience* each at most. Readers never wait for a writer.

    Transactions nest: within `writing`, the same thread's `writing` and `reading` join it, so
    that handlers can be put together and still happen as one or not at all.
    """

    def __init__(self, url: str, *, patience: timedelta = BUSY) -> None:
        self._patience = patience
        self._engine = open_engine(url, patience)
        self._turn = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._present = threading.local()

    def migrate(self) -> None:
        """Bring the tables to the newest form; safe to call at every start.

        Raises:
            BadSetting: a newer version of this product made the database.
            Unavailable: the database does not answer.
        """
        with _translated():
            migrate.upgrade(self._engine)

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call *listener*, quickly and from any thread, after each commit that wrote."""
        self._listeners.append(listener)

    @contextmanager
    def writing(self) -> Iterator[Unit]:
        """Give a transaction that is committed at the end, or undone if anything is raised.

        Raises:
            Unavailable: another writer held the database for too long, or it does not answer;
                nothing was written.
        """
        if (joined := self._joined()) is not None:
            yield joined
            return
        if not self._turn.acquire(timeout=self._patience.total_seconds()):
            raise Unavailable("database", "another request is writing")
        try:
            with _translated(), self._engine.connect() as connection:
                connection = connection.execution_options(**{WRITING: True})
                with connection.begin():
                    self._present.unit = Unit(connection)
                    yield self._present.unit
        finally:
            self._present.unit = None
            self._turn.release()
        for listener in self._listeners:
            listener()

    def _joined(self) -> Unit | None:
        """Return the unit that this thread is writing in, or None."""
        found: Unit | None = getattr(self._present, "unit", None)
        return found

    @contextmanager
    def reading(self) -> Iterator[Unit]:
        """Give a consistent view that writes nothing; within `writing`, the view of that unit.

        Raises:
            Unavailable: the database does not answer.
        """
        if (joined := self._joined()) is not None:
            yield joined
            return
        with _translated(), self._engine.connect() as connection, self._view(connection):
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


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what a database says when it is busy or away into `Unavailable`.

    A broken constraint or a wrong statement is a fault of ours and passes as it is.
    """
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise Unavailable("database", _reason(error)) from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise Unavailable("database", _reason(error)) from error


def _reason(error: Exception) -> str:
    """Return what the database said, on one line and without the statement."""
    said = error.orig if isinstance(error, DBAPIError) else error
    return str(said).splitlines()[0][:200] if str(said) else type(said).__name__
